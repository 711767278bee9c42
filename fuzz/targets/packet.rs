//! Headers of Socket.IO packets: what is accepted is the same text taken apart, and its arguments
//! are an array that `JSON.parse` accepts.

#![no_main]

use ferrio::proto::engine::{Data, Revision, decode_text};
use ferrio::proto::socket::{self, Kind};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    for revision in [Revision::V3, Revision::V4] {
        if let Ok(packet) = decode_text(text, revision)
            && let Data::Text(data) = packet.data
        {
            assert_eq!(data, text[1..]);
        }
    }
    let counted = socket::kind_and_attachments(text);
    let Some(header) = socket::parse(text) else { return };
    let digit = match header.kind {
        Kind::Event => "2",
        Kind::Ack => "3",
        Kind::BinaryEvent => "5",
        Kind::BinaryAck => "6",
    };
    assert_eq!(header.kind.is_binary(), (1..=10).contains(&header.attachments));
    assert_eq!(counted, (!header.kind.is_ack(), header.attachments as usize));
    let rest = text.strip_prefix(digit).expect("its digit");
    let rest = match header.kind.is_binary() {
        true => rest.strip_prefix(&format!("{}-", header.attachments)).expect("its attachments"),
        false => rest,
    };
    let rest = match rest.strip_prefix(&format!("{},", header.nsp)) {
        Some(rest) => rest,
        None => {
            assert_eq!(header.nsp, "/");
            rest
        }
    };
    let id = rest.strip_suffix(header.args).expect("its arguments");
    assert_eq!(id.parse::<u64>().ok(), header.id);
    match serde_json::from_str::<Value>(header.args) {
        Ok(Value::Array(args)) => {
            let is_named = matches!(args.first(), Some(Value::String(_) | Value::Number(_)));
            assert!(header.kind.is_ack() || is_named);
        }
        Ok(other) => panic!("no array: {other}"),
        // A text that JSON.parse accepts: numbers out of range, lone surrogates, any depth.
        Err(error) => {
            let words = error.to_string();
            let is_known = ["number out of range", "surrogate", "hex escape", "recursion limit"];
            assert!(is_known.iter().any(|known| words.contains(known)), "{words}");
        }
    }
});
