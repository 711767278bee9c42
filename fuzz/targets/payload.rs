//! Polling payloads of both revisions: what decodes is encoded again, and that decodes to the same.

#![no_main]

use std::ops::ControlFlow;

use arbitrary::Arbitrary;
use ferrio::proto::engine::{
    Body, Data, EncodedPayload, OutData, OutPacket, PacketType, Revision, decode_payload,
    encode_payload, jsonp_unwrap, jsonp_wrap,
};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Text(bool, &'a str),
    Binary(bool, &'a [u8]),
    Jsonp(&'a str),
}

#[derive(Debug, Clone, PartialEq)]
enum Content {
    None,
    Text(String),
    Binary(Vec<u8>),
}

fn decode(body: Body<'_>, revision: Revision) -> (Vec<(PacketType, Content)>, bool) {
    let mut packets = Vec::new();
    let outcome = decode_payload(body, revision, |packet| {
        packets.push((
            packet.kind,
            match packet.data {
                Data::None => Content::None,
                Data::Text(text) => Content::Text(text.into_owned()),
                Data::Binary(data) => Content::Binary(data.into_owned()),
            },
        ));
        ControlFlow::Continue(())
    });
    (packets, outcome.is_ok())
}

fn round_trip(body: Body<'_>, revision: Revision) {
    let (packets, _) = decode(body, revision);
    if packets.is_empty() {
        return;
    }
    for supports_binary in [true, false] {
        let out = packets.iter().map(|(kind, content)| OutPacket {
            kind: *kind,
            data: match content {
                Content::None => OutData::None,
                Content::Text(text) => OutData::Text(text),
                Content::Binary(data) => OutData::Binary(data),
            },
        });
        let again = match encode_payload(out, revision, supports_binary) {
            EncodedPayload::Text(text) => decode(Body::Text(&text), revision),
            EncodedPayload::Binary(data) => decode(Body::Binary(&data), revision),
        };
        assert!(again.1, "what was encoded has to decode");
        assert_eq!(again.0, packets);
    }
}

fn revision(is_old: bool) -> Revision {
    if is_old { Revision::V3 } else { Revision::V4 }
}

fuzz_target!(|input: Input<'_>| match input {
    Input::Text(is_old, text) => round_trip(Body::Text(text), revision(is_old)),
    Input::Binary(is_old, data) => round_trip(Body::Binary(data), revision(is_old)),
    Input::Jsonp(text) => {
        if let Some(inner) = jsonp_unwrap(text) {
            round_trip(Body::Text(&inner), Revision::V3);
        }
        // What is sent to a script element is one call with one string.
        let script = jsonp_wrap("0", text);
        let string = script.strip_prefix("___eio[0](").and_then(|rest| rest.strip_suffix(");"));
        let string = string.expect("a call");
        assert_eq!(serde_json::from_str::<String>(string).expect("a string"), text);
    }
});
