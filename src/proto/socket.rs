//! The header of a Socket.IO packet (protocol revision 5, default parser), for the packets that
//! make up nearly all traffic: events and acks. Everything else, valid or not, is left to the
//! full decoder in JavaScript, which also words the errors.

use serde::de::IgnoredAny;

/// The kinds of packets that are parsed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `2`
    Event,
    /// `3`
    Ack,
    /// `5`
    BinaryEvent,
    /// `6`
    BinaryAck,
}

impl Kind {
    /// Attachments follow in binary messages.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }

    /// Answers an event that asked for an ack.
    pub fn is_ack(self) -> bool {
        matches!(self, Self::Ack | Self::BinaryAck)
    }
}

/// A packet whose arguments are known to be sound and are passed on as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// What it is.
    pub kind: Kind,
    /// Binary messages that follow; 0 unless the kind is binary.
    pub attachments: u32,
    /// The namespace; `/` when the packet names none.
    pub nsp: &'a str,
    /// The ack id; always there in an ack.
    pub id: Option<u64>,
    /// The arguments: text that `JSON.parse` accepts and turns into an array. Of an event the
    /// first is its name: a string that is not reserved, or a number.
    pub args: &'a str,
}

/// Parses `text`. `None` does not mean that the packet is wrong, only that it is not one of the
/// plain kind: the caller hands the text to the full decoder.
#[inline]
pub fn parse(text: &str) -> Option<Header<'_>> {
    let (kind, rest) = match text.split_at_checked(1)? {
        ("2", rest) => (Kind::Event, rest),
        ("3", rest) => (Kind::Ack, rest),
        ("5", rest) => (Kind::BinaryEvent, rest),
        ("6", rest) => (Kind::BinaryAck, rest),
        _ => return None,
    };
    let (attachments, rest) = if kind.is_binary() { attachments(rest)? } else { (0, rest) };
    let (nsp, rest) = namespace(rest)?;
    let (id, args) = ack_id(rest)?;
    if kind.is_ack() {
        id?;
    } else {
        check_event_name(args)?;
    }
    // White space before the array would be taken for digits of the ack id by the full decoder, so
    // the array has to start here.
    if !args.starts_with('[') {
        return None;
    }
    // `IgnoredAny` skips without building anything and without recursion. It takes what typed
    // decoding refuses and `JSON.parse` accepts: lone surrogate escapes, numbers out of range, any
    // depth.
    serde_json::from_str::<IgnoredAny>(args).ok()?;
    Some(Header { kind, attachments, nsp, id, args })
}

/// Whether a text message looks like an event, and how many binary messages follow it.
pub fn kind_and_attachments(text: &str) -> (bool, usize) {
    let count = || attachments(text.get(1..)?).map(|(count, _)| count as usize);
    match text.as_bytes().first() {
        Some(b'2') => (true, 0),
        Some(b'5') => (true, count().unwrap_or(0)),
        Some(b'6') => (false, count().unwrap_or(0)),
        _ => (false, 0),
    }
}

fn attachments(text: &str) -> Option<(u32, &str)> {
    let (count, rest) = text.split_at_checked(text.bytes().take(3).position(|b| b == b'-')?)?;
    let count = match count.as_bytes() {
        [digit @ b'1'..=b'9'] => u32::from(digit - b'0'),
        b"10" => MAX_ATTACHMENTS,
        _ => return None,
    };
    Some((count, rest.get(1..)?))
}

fn namespace(text: &str) -> Option<(&str, &str)> {
    if !text.starts_with('/') {
        return Some(("/", text));
    }
    // Without a comma there can be no arguments. A query in the name means something else to
    // clients of revision 3 and is rare enough to be decided in one place only.
    let (nsp, rest) = text.split_once(',')?;
    if nsp.contains('?') { None } else { Some((nsp, rest)) }
}

fn ack_id(text: &str) -> Option<(Option<u64>, &str)> {
    let mut id = 0;
    let mut digits = 0;
    for byte in text.bytes().take_while(u8::is_ascii_digit) {
        if digits == MAX_ID_DIGITS {
            return None;
        }
        id = id * 10 + u64::from(byte - b'0');
        digits += 1;
    }
    Some(((digits > 0).then_some(id), text.get(digits..)?))
}

/// Looks at the first element only; that the text is JSON at all is checked elsewhere.
fn check_event_name(args: &str) -> Option<()> {
    let first = args.strip_prefix('[')?.trim_start_matches([' ', '\t', '\n', '\r']);
    let Some(name) = first.strip_prefix('"') else {
        return first.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then_some(());
    };
    // An escape before the closing quote: the name would have to be unescaped to be compared.
    let end = name.bytes().position(|byte| byte == b'"' || byte == b'\\')?;
    let (name, rest) = name.split_at_checked(end)?;
    (rest.starts_with('"') && !RESERVED_EVENTS.contains(&name)).then_some(())
}

/// The default of the parser's `maxAttachments`.
const MAX_ATTACHMENTS: u32 = 10;

/// Numbers of so many digits are exact in JavaScript.
const MAX_ID_DIGITS: usize = 15;

/// Names that the server emits itself.
const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn args_of(text: &str) -> Option<&str> {
        parse(text).map(|header| header.args)
    }

    #[test]
    fn every_part_of_a_header_is_read() {
        let header =
            |kind, attachments, nsp, id, args| Some(Header { kind, attachments, nsp, id, args });
        let cases = [
            (r#"2["a",1]"#, header(Kind::Event, 0, "/", None, r#"["a",1]"#)),
            (r#"212["a"]"#, header(Kind::Event, 0, "/", Some(12), r#"["a"]"#)),
            (r#"2007["a"]"#, header(Kind::Event, 0, "/", Some(7), r#"["a"]"#)),
            (r#"2/admin,["a"]"#, header(Kind::Event, 0, "/admin", None, r#"["a"]"#)),
            (r#"2/,["a"]"#, header(Kind::Event, 0, "/", None, r#"["a"]"#)),
            (r#"2/a/b-1 é,3["a,b"]"#, header(Kind::Event, 0, "/a/b-1 é", Some(3), r#"["a,b"]"#)),
            ("2[1]", header(Kind::Event, 0, "/", None, "[1]")),
            ("2[-1E400]", header(Kind::Event, 0, "/", None, "[-1E400]")),
            ("31[]", header(Kind::Ack, 0, "/", Some(1), "[]")),
            (r#"3/x,0["connect"]"#, header(Kind::Ack, 0, "/x", Some(0), r#"["connect"]"#)),
            (r#"51-["a"]"#, header(Kind::BinaryEvent, 1, "/", None, r#"["a"]"#)),
            (r#"510-/x,2["a"]"#, header(Kind::BinaryEvent, 10, "/x", Some(2), r#"["a"]"#)),
            ("69-4[null]", header(Kind::BinaryAck, 9, "/", Some(4), "[null]")),
            (
                r#"2999999999999999["a"]"#,
                header(Kind::Event, 0, "/", Some(999_999_999_999_999), r#"["a"]"#),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn whatever_is_unusual_is_left_to_the_full_decoder() {
        let cases = [
            // Other types, no type, no arguments.
            "",
            "0",
            "0{}",
            "1",
            "4{}",
            "7",
            "é",
            "2",
            "212",
            "2/x",
            "2/x,",
            "2/x,1",
            "3",
            "31",
            // Attachments.
            "5",
            "5-",
            r#"5["a"]"#,
            r#"50-["a"]"#,
            r#"511-["a"]"#,
            r#"501-["a"]"#,
            r#"51.5-["a"]"#,
            r#"5+1-["a"]"#,
            r#"51["a-b"]"#,
            "51-",
            r#"2-1["a"]"#,
            "61-[]",
            // Namespace.
            r#"2/x?a=1,["a"]"#,
            r#"2admin,["a"]"#,
            r#"2/x["a"]"#,
            r#"2,["a"]"#,
            // Ack id.
            "3[]",
            r#"21000000000000000["a"]"#,
            r#"2-1["a"]"#,
            r#"2 ["a"]"#,
            r#"21 ["a"]"#,
            r#"21e3["a"]"#,
            r#"2٣["a"]"#,
            // Event name.
            "2[]",
            "2[ ]",
            "2[null]",
            "2[true]",
            "2[[]]",
            "2[{}]",
            r#"2["connect"]"#,
            r#"2["connect_error"]"#,
            r#"2[ "disconnect" ]"#,
            r#"2["disconnecting",1]"#,
            r#"2["newListener"]"#,
            r#"2["removeListener"]"#,
            r#"2["\u0063onnect"]"#,
            r#"2["a\n"]"#,
            r#"51-["disconnect"]"#,
            // Arguments that are no array.
            "2{}",
            r#"2"a""#,
            "31{}",
            "31null",
            "31/x",
        ];
        for text in cases {
            assert_eq!(parse(text), None, "{text}");
        }
        // The names next to the reserved ones are free.
        for name in ["error", "connecting", "Connect", "", "disconnect_", "__proto__"] {
            assert!(parse(&format!("2[\"{name}\"]")).is_some(), "{name}");
        }
    }

    /// Both lists agree with `JSON.parse` of V8.
    #[test]
    fn the_arguments_are_accepted_exactly_when_json_parse_accepts_them() {
        let accepted = [
            "[]",
            "[ ]",
            "[\t1\n,\r2 ]",
            "[1] \t\r\n",
            "[0]",
            "[-0]",
            "[-0.0e-0]",
            "[1E400]",
            "[1e-999]",
            "[0.1]",
            "[123456789012345678901234567890]",
            "[1E+2,1e2,1e02]",
            r#"["\ud800"]"#,
            r#"["\udc00\ud800"]"#,
            r#"["\uD83D\uDE00"]"#,
            r#"["\u0000"]"#,
            r#"["\"\\\/\b\f\n\r\t"]"#,
            "[\"\u{7f}\"]",
            "[\"\u{2028}\u{2029}\u{feff}\u{ffff}\"]",
            r#"[{"a":1,"a":2,"__proto__":{}}]"#,
            r#"[{"":{}}]"#,
            r#"[{ "a" : [ ] , "b":null }]"#,
            "[true,false,null]",
            "[[[[]]],{}]",
        ];
        let refused = [
            "[",
            "]",
            "[1",
            "[1,]",
            "[,1]",
            "[1,,2]",
            "[1 2]",
            "[]]",
            "[][]",
            "[] x",
            "[],",
            "[1}",
            "[01]",
            "[00]",
            "[-]",
            "[+1]",
            "[.5]",
            "[5.]",
            "[1.e1]",
            "[1e]",
            "[1e+]",
            "[0x1]",
            "[-01]",
            "[1_0]",
            "[Infinity]",
            "[NaN]",
            "[undefined]",
            "[True]",
            "[nul]",
            "[nulll]",
            r#"["a]"#,
            r#"["\x41"]"#,
            r#"["\u12"]"#,
            r#"["\u12g4"]"#,
            r#"["\u{41}"]"#,
            r#"["\'"]"#,
            r#"["\"#,
            "[\"\n\"]",
            "[\"\t\"]",
            "[\"\0\"]",
            "[\"\u{1f}\"]",
            "['a']",
            "[{a:1}]",
            r#"[{"a"}]"#,
            r#"[{"a":}]"#,
            r#"[{"a":1,}]"#,
            r#"[{"a" 1}]"#,
            r#"[{1:1}]"#,
            "[{,}]",
            "[1]/**/",
            "[//\n1]",
            "[1]\u{a0}",
            "[1]\u{feff}",
            "[\u{feff}1]",
            "[1]\u{b}",
            "[1]\u{c}",
            "[1]\u{2028}",
            "[1]\0",
            "[\u{a0}]",
        ];
        for args in accepted {
            assert_eq!(args_of(&format!("31{args}")), Some(args), "{args:?}");
        }
        for args in refused {
            assert_eq!(args_of(&format!("31{args}")), None, "{args:?}");
        }
    }

    #[test]
    fn depth_is_bounded_by_nothing_but_the_length_of_the_text() {
        const DEPTH: usize = 1_000_000;
        let arrays = format!("2[\"a\",{}{}]", "[".repeat(DEPTH), "]".repeat(DEPTH));
        assert!(parse(&arrays).is_some());
        let objects = format!("31[{}1{}]", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH));
        assert!(parse(&objects).is_some());
        let open = format!("31{}", "[".repeat(DEPTH));
        assert_eq!(parse(&open), None);
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_as_the_protocol_says_is_read_back(
            kind in prop_oneof![
                Just((2, Kind::Event)), Just((3, Kind::Ack)),
                Just((5, Kind::BinaryEvent)), Just((6, Kind::BinaryAck)),
            ],
            count in 1u32..=10,
            nsp in prop::option::of("/[^,?]{0,8}"),
            id in 0u64..1_000_000_000_000_000,
            rest in prop::collection::vec(any_json(), 0..4),
        ) {
            let (digit, kind) = kind;
            let mut args = vec![serde_json::Value::from("name")];
            args.extend(rest);
            let args = serde_json::Value::from(args).to_string();
            let attachments = if kind.is_binary() { count } else { 0 };
            let mut text = digit.to_string();
            if kind.is_binary() {
                text += &format!("{attachments}-");
            }
            if let Some(nsp) = &nsp {
                text += &format!("{nsp},");
            }
            text += &format!("{id}{args}");
            let nsp = nsp.as_deref().unwrap_or("/");
            let expected = Header { kind, attachments, nsp, id: Some(id), args: &args };
            prop_assert_eq!(parse(&text), Some(expected));
        }

        #[test]
        fn any_text_is_survived_and_accepted_arguments_are_json(
            text in prop_oneof![
                any::<String>(),
                "[2356][0-9/,-]{0,4}\\[[\"\\\\a-c0-9,.eE{}: \\[\\]-]{0,12}\\]",
            ],
        ) {
            if let Some(header) = parse(&text) {
                prop_assert!(text.ends_with(header.args));
                prop_assert!(header.args.starts_with('['));
            }
        }
    }
}
