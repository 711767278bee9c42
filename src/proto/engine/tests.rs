//! Tests of packets and payloads of both revisions.

use std::borrow::Cow;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::Revision::{V3, V4};
use super::*;

fn bare(kind: PacketType) -> Packet<'static> {
    Packet { kind, data: Data::None }
}

fn text(kind: PacketType, data: &str) -> Packet<'static> {
    Packet { kind, data: Data::Text(Cow::Owned(data.to_owned())) }
}

fn binary(kind: PacketType, data: &[u8]) -> Packet<'static> {
    Packet { kind, data: Data::Binary(Cow::Owned(data.to_vec())) }
}

fn owned(packet: Packet<'_>) -> Packet<'static> {
    let data = match packet.data {
        Data::None => Data::None,
        Data::Text(data) => Data::Text(Cow::Owned(data.into_owned())),
        Data::Binary(data) => Data::Binary(Cow::Owned(data.into_owned())),
    };
    Packet { kind: packet.kind, data }
}

fn decode(body: Body<'_>, revision: Revision) -> (Vec<Packet<'static>>, Result<(), ParseError>) {
    let mut packets = Vec::new();
    let outcome = decode_payload(body, revision, |packet| {
        packets.push(owned(packet));
        ControlFlow::Continue(())
    });
    (packets, outcome)
}

fn as_out<'a>(packet: &'a Packet<'_>) -> OutPacket<'a> {
    let data = match &packet.data {
        Data::None => OutData::None,
        Data::Text(data) => OutData::Text(data),
        Data::Binary(data) => OutData::Binary(data),
    };
    OutPacket { kind: packet.kind, data }
}

fn encode(packets: &[Packet<'_>], revision: Revision, supports_binary: bool) -> EncodedPayload {
    encode_payload(packets.iter().map(as_out), revision, supports_binary)
}

fn encoded_text(packets: &[Packet<'_>], revision: Revision) -> String {
    match encode(packets, revision, false) {
        EncodedPayload::Text(text) => text,
        EncodedPayload::Binary(_) => panic!("binary was not allowed"),
    }
}

#[test]
fn a_text_frame_is_a_digit_and_data() {
    use PacketType::{Message, Ping, Pong, Upgrade};
    for revision in [V3, V4] {
        for digit in b'0'..=b'6' {
            let kind = PacketType::from_digit(digit).expect("a known digit");
            assert_eq!(kind.digit(), digit);
            let frame = char::from(digit).to_string();
            assert_eq!(decode_text(&frame, revision), Ok(bare(kind)));
        }
        assert_eq!(decode_text("42[\"a\"]", revision), Ok(text(Message, "2[\"a\"]")));
        assert_eq!(decode_text("2probe", revision), Ok(text(Ping, "probe")));
        assert_eq!(decode_text("3\u{e9}", revision), Ok(text(Pong, "\u{e9}")));
        assert_eq!(decode_text("5 ", revision), Ok(text(Upgrade, " ")));
        for bad in ["", "7", "9", ":", "/", " 4", "a", "B", "\u{e9}4", "\0", "\u{1e}"] {
            assert_eq!(decode_text(bad, revision), Err(ParseError), "{bad:?}");
        }
    }
}

#[test]
fn binary_goes_as_base64_in_text_and_with_a_type_byte_in_revision_3() {
    use PacketType::{Message, Noop, Ping};
    assert_eq!(decode_text("bAQID", V4), Ok(binary(Message, &[1, 2, 3])));
    assert_eq!(decode_text("b", V4), Ok(binary(Message, &[])));
    assert_eq!(decode_text("b4AQID", V3), Ok(binary(Message, &[1, 2, 3])));
    assert_eq!(decode_text("b2", V3), Ok(binary(Ping, &[])));
    assert_eq!(decode_binary(&[4, 1], V4), Ok(binary(Message, &[4, 1])));
    assert_eq!(decode_binary(&[], V4), Ok(binary(Message, &[])));
    assert_eq!(decode_binary(&[4, 1], V3), Ok(binary(Message, &[1])));
    assert_eq!(decode_binary(&[2], V3), Ok(binary(Ping, &[])));
    // Without a known type they have no effect in revision 3.
    for ignored in [&[][..], &[7, 1], &[b'4', 1]] {
        assert_eq!(decode_binary(ignored, V3), Ok(bare(Noop)));
    }
    for ignored in ["b", "b7", "bAQID", "b\u{e9}"] {
        assert_eq!(decode_text(ignored, V3), Ok(bare(Noop)));
    }
}

#[test]
fn payloads_of_revision_4_are_separated() {
    use PacketType::{Message, Noop, Pong};
    let packets = [text(Message, "2[\"a\"]"), bare(Noop), binary(Message, &[1, 2, 3, 4])];
    let body = "42[\"a\"]\u{1e}6\u{1e}bAQIDBA==";
    assert_eq!(encode(&packets, V4, true), EncodedPayload::Text(body.to_owned()));
    assert_eq!(decode(Body::Text(body), V4), (packets.to_vec(), Ok(())));
    assert_eq!(encoded_text(&[], V4), "");
    assert_eq!(decode(Body::Text(""), V4), (vec![], Err(ParseError)));
    assert_eq!(decode(Body::Binary(b"42[]"), V4), (vec![], Err(ParseError)));
    for bad in ["3\u{1e}", "3\u{1e}\u{1e}3", "3\u{1e}x\u{1e}3"] {
        assert_eq!(decode(Body::Text(bad), V4), (vec![bare(Pong)], Err(ParseError)));
    }
}

#[test]
fn payloads_of_revision_3_count_utf16_code_units() {
    use PacketType::{Message, Ping, Pong};
    let packets = [text(Message, "0"), text(Message, "\u{20ac}\u{1f600}"), bare(Pong)];
    let body = "2:404:4\u{20ac}\u{1f600}1:3";
    assert_eq!(encoded_text(&packets, V3), body);
    assert_eq!(decode(Body::Text(body), V3), (packets.to_vec(), Ok(())));
    assert_eq!(encoded_text(&[binary(Message, &[1, 2, 3])], V3), "6:b4AQID");
    assert_eq!(decode(Body::Text("6:b4AQID"), V3).0, [binary(Message, &[1, 2, 3])]);
    assert_eq!(encoded_text(&[], V3), "0:");
    assert_eq!(decode(Body::Text("0:"), V3), (vec![], Ok(())));
    assert_eq!(decode(Body::Text("0:01:2"), V3), (vec![bare(Ping)], Ok(())));
    let long = format!("1:2{}", "9".repeat(400) + ":4");
    for bad in ["", "1", ":", ":2", "2:2", "1:2x", "1:21", "1:2-1:2", "1:22:\u{1f600}", &long] {
        let (packets, outcome) = decode(Body::Text(bad), V3);
        assert_eq!(outcome, Err(ParseError), "{bad}");
        assert_eq!(packets, vec![bare(Ping); usize::from(bad.starts_with("1:2"))], "{bad}");
    }
    // A length that ends inside of a surrogate pair.
    assert_eq!(decode(Body::Text("2:4\u{1f600}"), V3), (vec![], Err(ParseError)));
}

#[test]
fn binary_payloads_of_revision_3_are_used_when_they_can_be_and_are_needed() {
    use PacketType::{Message, Ping};
    let packets = [text(Message, "0\u{20ac}"), binary(Message, &[1, 2, 3]), bare(Ping)];
    let body =
        [&[0, 5, 0xff][..], b"40\xe2\x82\xac", &[1, 4, 0xff, 4, 1, 2, 3], &[0, 1, 0xff, b'2']]
            .concat();
    assert_eq!(encode(&packets, V3, true), EncodedPayload::Binary(body.clone()));
    assert_eq!(decode(Body::Binary(&body), V3), (packets.to_vec(), Ok(())));
    let no_binary = [text(Message, "0"), bare(Ping)];
    assert_eq!(encode(&no_binary, V3, true), EncodedPayload::Text("2:401:2".to_owned()));
    assert_eq!(decode(Body::Binary(&[]), V3), (vec![], Ok(())));
    let lone_surrogate = [&[0, 5, 0xff, b'4'][..], &[0xed, 0xa0, 0x80, b'x']].concat();
    assert_eq!(decode(Body::Binary(&lone_surrogate), V3).0, [text(Message, "\u{fffd}x")]);

    let ping = [0, 1, 0xff, b'2'];
    let framing: [&[u8]; 7] = [
        &[0],
        &[0, 0xff],
        &[0, 1],
        &[0, 2, 0xff, b'2'],
        &[0, 10, 0xff, b'2'],
        &[0, 1, 0xff],
        &[[0].as_slice(), &[9; 400], &[0xff]].concat(),
    ];
    for bad in framing {
        let body = [&ping[..], bad].concat();
        assert_eq!(decode(Body::Binary(&body), V3), (vec![], Err(ParseError)), "{bad:?}");
    }
    for bad in [&[0, 0, 0xff][..], &[0, 1, 0xff, b'7'], &[0, 2, 0xff, b'4', 0xc0]] {
        let body = [&ping[..], bad].concat();
        assert_eq!(decode(Body::Binary(&body), V3), (vec![bare(Ping)], Err(ParseError)));
    }
}

#[test]
fn a_break_ends_the_payload_without_an_error() {
    let binary: &[u8] = &[0, 1, 0xff, b'2', 0, 1, 0xff, b'7'];
    let bodies =
        [(Body::Text("2\u{1e}x"), V4), (Body::Text("1:2x"), V3), (Body::Binary(binary), V3)];
    for (body, revision) in bodies {
        let mut calls = 0;
        let outcome = decode_payload(body, revision, |_| {
            calls += 1;
            ControlFlow::Break(())
        });
        assert_eq!((calls, outcome), (1, Ok(())));
    }
}

/// Any packet that both revisions can carry; text of revision 4 has no separator in it.
fn any_packet() -> impl Strategy<Value = Packet<'static>> {
    let kind = (b'0'..=b'6').prop_map(|digit| PacketType::from_digit(digit).expect("a digit"));
    prop_oneof![
        kind.clone().prop_map(bare),
        (kind, "[^\u{1e}]{1,20}").prop_map(|(kind, data)| text(kind, &data)),
        any::<Vec<u8>>().prop_map(|data| binary(PacketType::Message, &data)),
    ]
}

proptest! {
    #[test]
    fn payloads_decode_to_what_was_encoded(
        packets in prop::collection::vec(any_packet(), 1..6),
        v3: bool,
        supports_binary: bool,
    ) {
        let revision = if v3 { V3 } else { V4 };
        let decoded = match encode(&packets, revision, supports_binary) {
            EncodedPayload::Text(body) => decode(Body::Text(&body), revision),
            EncodedPayload::Binary(body) => {
                prop_assert!(v3 && supports_binary);
                decode(Body::Binary(&body), revision)
            }
        };
        prop_assert_eq!(decoded, (packets, Ok(())));
    }

    #[test]
    fn any_text_is_survived(body in prop_oneof![any::<String>(), "([0-9]{1,2}:?[b0-9\u{1f600}]{0,4}){0,5}"]) {
        for revision in [V3, V4] {
            let _ = decode_text(&body, revision);
            let _ = decode(Body::Text(&body), revision);
        }
    }

    #[test]
    fn any_bytes_are_survived(
        body in prop::collection::vec(
            prop_oneof![Just(0u8), Just(1), Just(2), Just(0xff), any::<u8>()],
            0..40,
        ),
    ) {
        for revision in [V3, V4] {
            let _ = decode_binary(&body, revision);
            let _ = decode(Body::Binary(&body), revision);
        }
    }
}
