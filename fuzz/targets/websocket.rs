//! The inbound path of a WebSocket: however the bytes are cut into reads, the same messages come
//! out and the same violation is found, and no message is longer than the limit.

#![no_main]

use std::ops::ControlFlow;

use arbitrary::Arbitrary;
use ferrio::proto::frame::{Decoder, Message};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    limit: u16,
    compressed: bool,
    /// Lengths of the reads, over and over.
    cuts: Vec<u8>,
    bytes: &'a [u8],
}

#[derive(Debug, PartialEq)]
enum Seen {
    Text(Vec<u8>, bool),
    Binary(Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

fn seen(message: Message<'_>) -> Seen {
    match message {
        Message::Text { data, compressed } => Seen::Text(data.into_vec(), compressed),
        Message::Binary { data, compressed } => Seen::Binary(data.into_vec(), compressed),
        Message::Ping(data) => Seen::Ping(data.to_vec()),
        Message::Pong(data) => Seen::Pong(data.to_vec()),
        Message::Close { code, reason } => Seen::Close(code, reason.to_owned()),
    }
}

fn decode<'a>(
    input: &Input<'_>,
    reads: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Option<u16>) {
    let mut decoder = Decoder::new(Some(input.limit.into()), input.compressed);
    let mut all = Vec::new();
    for read in reads {
        let fed = decoder.feed(&mut read.to_vec(), |message| {
            all.push(seen(message));
            ControlFlow::Continue(())
        });
        if let Err(error) = fed {
            assert!(!error.message().is_empty());
            return (all, Some(error.close_code()));
        }
    }
    (all, None)
}

fuzz_target!(|input: Input<'_>| {
    let whole = decode(&input, std::iter::once(input.bytes));
    let mut rest = input.bytes;
    let mut cuts = input.cuts.iter().cycle();
    let cut = decode(
        &input,
        std::iter::from_fn(|| {
            if rest.is_empty() {
                return None;
            }
            let len = cuts.next().map_or(1, |cut| usize::from(*cut) + 1).min(rest.len());
            let (read, tail) = rest.split_at(len);
            rest = tail;
            Some(read)
        }),
    );
    assert_eq!(whole, cut);
    for message in whole.0 {
        match message {
            Seen::Text(data, compressed) => {
                assert!(compressed || std::str::from_utf8(&data).is_ok());
                assert!(input.limit == 0 || data.len() <= usize::from(input.limit));
                assert!(input.compressed || !compressed);
            }
            Seen::Binary(data, compressed) => {
                assert!(input.limit == 0 || data.len() <= usize::from(input.limit));
                assert!(input.compressed || !compressed);
            }
            Seen::Ping(data) | Seen::Pong(data) => assert!(data.len() <= 125),
            Seen::Close(code, _) => assert!(code.is_none_or(|code| (1000..5000).contains(&code))),
        }
    }
});
