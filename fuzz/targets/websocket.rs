//! The inbound path of a WebSocket: however the bytes are cut into reads, the same messages come
//! out and the same violation is found, also if payload is read straight to its place, and no message
//! is longer than the limit.

#![no_main]

use std::ops::ControlFlow;

use arbitrary::Arbitrary;
use ferrio::proto::frame::{Decoder, HEAD_READ, Message, NextRead};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    limit: u16,
    /// Bytes of zeros that follow, to go into what a header has announced,
    zeros: u16,
    /// and what comes behind those.
    tail: &'a [u8],
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

/// As `decode`, but reads as the decoder wants it.
fn decode_to_its_place(input: &Input<'_>, mut stream: &[u8]) -> (Vec<Seen>, Option<u16>) {
    let mut decoder = Decoder::new(Some(input.limit.into()), input.compressed);
    let mut all = Vec::new();
    let mut cuts = input.cuts.iter().cycle();
    while !stream.is_empty() {
        // Up to 40 KiB, as what is read to its place is large.
        let found = cuts.next().map_or(1, |cut| usize::from(*cut) * 160 + 1).min(stream.len());
        let mut read = |room: usize| {
            let (piece, tail) = stream.split_at(found.min(room));
            stream = tail;
            piece.to_vec()
        };
        let mut bytes = match decoder.next_read() {
            NextRead::All => read(usize::MAX),
            NextRead::Head => read(HEAD_READ),
            NextRead::Payload => {
                let place = |message: &mut Vec<u8>| {
                    message.extend(read(message.capacity() - message.len()));
                };
                decoder.read_payload(place).expect("the decoder has asked for it").1
            }
        };
        let fed = decoder.feed(&mut bytes, |message| {
            all.push(seen(message));
            ControlFlow::Continue(())
        });
        if let Err(error) = fed {
            return (all, Some(error.close_code()));
        }
    }
    (all, None)
}

fuzz_target!(|input: Input<'_>| {
    let bytes = [input.bytes, &vec![0; input.zeros.into()], input.tail].concat();
    let whole = decode(&input, std::iter::once(&bytes[..]));
    assert_eq!(whole, decode_to_its_place(&input, &bytes));
    let mut rest = &bytes[..];
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
