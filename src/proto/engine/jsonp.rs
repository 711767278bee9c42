//! The disguise of a payload in the JSONP variant of polling.

use std::borrow::Cow;

/// The script that hands `payload` to the client's callback of that index. Anything but digits in
/// the index is dropped: it came from the query and goes into a script.
pub fn jsonp_wrap(index_digits: &str, payload: &str) -> String {
    // Writing to memory cannot fail.
    let literal = serde_json::to_string(payload).unwrap_or_default();
    let mut script = String::with_capacity(literal.len() + index_digits.len() + 16);
    script.push_str("___eio[");
    script.extend(index_digits.chars().filter(char::is_ascii_digit));
    script.push_str("](");
    // The two characters that JSON allows in a string and older JavaScript did not.
    let mut rest = literal.as_str();
    while let Some((plain, separator, tail)) = split_at_separator(rest) {
        script.push_str(plain);
        script.push_str(separator);
        rest = tail;
    }
    script.push_str(rest);
    script.push_str(");");
    script
}

/// The payload in the body of a JSONP form: the field `d`, with its line ends restored. `None`
/// when there is not exactly one such field.
pub fn jsonp_unwrap(form_body: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(form_body.as_bytes())
        .take(MAX_FIELDS)
        .filter_map(|(name, value)| (name == "d").then_some(value));
    let field = fields.next()?;
    if fields.next().is_some() { None } else { Some(restore_line_ends(field)) }
}

/// A form cannot carry line ends faithfully, so the client writes `\n` for one, and `\\n` for what
/// was `\n` to begin with.
fn restore_line_ends(text: Cow<'_, str>) -> String {
    let mut restored = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        restored.push_str(plain);
        rest = if let Some(tail) = escape.strip_prefix(r"\\n") {
            restored.push_str(r"\n");
            tail
        } else if let Some(tail) = escape.strip_prefix(r"\n") {
            restored.push('\n');
            tail
        } else {
            restored.push('\\');
            escape.strip_prefix('\\').unwrap_or_default()
        };
    }
    restored.push_str(rest);
    restored
}

fn split_at_separator(text: &str) -> Option<(&str, &'static str, &str)> {
    let at = text.find(['\u{2028}', '\u{2029}'])?;
    let (plain, rest) = text.split_at(at);
    let escaped = if rest.starts_with('\u{2028}') { r"\u2028" } else { r"\u2029" };
    Some((plain, escaped, rest.get('\u{2028}'.len_utf8()..).unwrap_or_default()))
}

/// As many fields as Node's `querystring` looks at.
const MAX_FIELDS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_payload_is_wrapped_in_a_call_that_is_sound_javascript() {
        assert_eq!(jsonp_wrap("7", r#"4{"a":1}"#), r#"___eio[7]("4{\"a\":1}");"#);
        assert_eq!(jsonp_wrap("", ""), r#"___eio[]("");"#);
        assert_eq!(jsonp_wrap("1];x[2", "6"), r#"___eio[12]("6");"#);
        assert_eq!(
            jsonp_wrap("0", "a\u{2028}b\u{2029}\u{2028}\u{1e}\n\\\u{7f}\u{e9}"),
            "___eio[0](\"a\\u2028b\\u2029\\u2028\\u001e\\n\\\\\u{7f}\u{e9}\");"
        );
    }

    #[test]
    fn the_field_d_is_found_and_decoded() {
        assert_eq!(jsonp_unwrap("d=4a+b%20c%22%C3%A9").as_deref(), Some("4a b c\"\u{e9}"));
        assert_eq!(jsonp_unwrap("x=1&&d=2").as_deref(), Some("2"));
        assert_eq!(jsonp_unwrap("d").as_deref(), Some(""));
        assert_eq!(jsonp_unwrap("d=%zz%FF").as_deref(), Some("%zz\u{fffd}"));
    }

    #[test]
    fn a_form_without_exactly_one_d_has_no_payload() {
        assert_eq!(jsonp_unwrap(""), None);
        assert_eq!(jsonp_unwrap("e=4"), None);
        assert_eq!(jsonp_unwrap("d=1&d=2"), None);
        let late = format!("{}d=1", "x&".repeat(MAX_FIELDS));
        assert_eq!(jsonp_unwrap(&late), None);
    }

    #[test]
    fn line_ends_are_restored_and_escaped_ones_kept() {
        let cases = [
            (r"a\nb", "a\nb"),
            (r"a\\nb", r"a\nb"),
            (r"\\\n", r"\\n"),
            (r"\\n\n", "\\n\n"),
            (r"\n\\n\n", "\n\\n\n"),
            (r"\\\\n", r"\\\n"),
            (r"\t\\", r"\t\\"),
            ("\\", "\\"),
        ];
        for (sent, meant) in cases {
            assert_eq!(restore_line_ends(Cow::Borrowed(sent)), meant, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn the_wrapped_literal_parses_to_the_payload(payload: String) {
            let script = jsonp_wrap("3", &payload);
            let literal = script.strip_prefix("___eio[3](").and_then(|s| s.strip_suffix(");"));
            let parsed: String = serde_json::from_str(literal.expect("the frame")).expect("JSON");
            let separators = script.contains(['\u{2028}', '\u{2029}']);
            prop_assert!(!separators);
            prop_assert_eq!(parsed, payload);
        }

        #[test]
        fn what_a_client_escapes_comes_back(payload in "[a\\\\n\n&=+%\u{e9}]{0,20}") {
            // The escaping of the client: first `\n`, then line ends.
            let escaped = payload.replace(r"\n", r"\\n").replace('\n', r"\n");
            let form: String = form_urlencoded::Serializer::new(String::new())
                .append_pair("d", &escaped)
                .finish();
            prop_assume!(!payload.contains("\\\n"));
            prop_assert_eq!(jsonp_unwrap(&form), Some(payload));
        }

        #[test]
        fn any_form_is_survived(form: String) {
            let _ = jsonp_unwrap(&form);
        }
    }
}
