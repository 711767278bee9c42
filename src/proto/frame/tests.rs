//! Tests of the framing: what is seen, how violations are worded, and that no cut of the stream
//! changes anything.

use std::ops::ControlFlow;

use proptest::prelude::*;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode as TheirOpCode};

use super::*;

/// What a message looked like, so that it outlives the callback.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Compressed(bool, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

fn see(message: Message<'_>) -> Seen {
    match message {
        Message::Text { data, compressed: true } => Seen::Compressed(true, data.into_vec()),
        Message::Binary { data, compressed: true } => Seen::Compressed(false, data.into_vec()),
        Message::Text { data, .. } => {
            let text = data.as_str().expect("checked text").to_owned();
            assert_eq!(data.as_bytes(), text.as_bytes());
            assert_eq!(data.into_vec(), text.as_bytes());
            Seen::Text(text)
        }
        Message::Binary { data, .. } => {
            assert_eq!(data.as_str(), None);
            Seen::Binary(data.into_vec())
        }
        Message::Ping(data) => Seen::Ping(data.to_vec()),
        Message::Pong(data) => Seen::Pong(data.to_vec()),
        Message::Close { code, reason } => Seen::Close(code, reason.to_owned()),
    }
}

type Outcome = (Vec<Seen>, Result<(), FrameError>);

fn feed_all<'a>(decoder: &mut Decoder, inputs: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut seen = Vec::new();
    for input in inputs {
        let outcome = decoder.feed(&mut input.to_vec(), |message| {
            seen.push(see(message));
            ControlFlow::Continue(())
        });
        if outcome.is_err() {
            return (seen, outcome);
        }
    }
    (seen, Ok(()))
}

fn decode(input: &[u8]) -> Outcome {
    feed_all(&mut Decoder::new(Some(1000), false), [input].into_iter())
}

fn error_of(input: &[u8]) -> FrameError {
    decode(input).1.expect_err("a violation")
}

/// A client frame; `first` is the first byte as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0xa1, 0x5b, 0x3c, payload.len() as u8];
    let mut frame = Vec::new();
    encode_header(&mut frame, OpCode::Text, payload.len(), false);
    frame[0] = first;
    frame[1] |= 0x80;
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.into_iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

#[test]
fn small_frames_of_one_read_are_handed_out_in_place() {
    let mut input = [frame(0x81, b"2[\"a\"]"), frame(0x82, &[1, 2]), frame(0x81, b"")].concat();
    let range = input.as_ptr_range();
    let mut in_place = 0;
    Decoder::new(None, false)
        .feed(&mut input, |message| {
            let (Message::Text { data, .. } | Message::Binary { data, .. }) = message else {
                panic!("only data was sent");
            };
            assert!(matches!(data, Payload::Borrowed(_) | Payload::BorrowedText(_)));
            let start = data.as_bytes().as_ptr();
            assert!(range.start <= start && start <= range.end);
            in_place += 1;
            ControlFlow::Continue(())
        })
        .expect("sound frames");
    assert_eq!(in_place, 3);
}

#[test]
fn fragments_make_one_message_and_control_frames_may_come_between() {
    let euro = "\u{20ac}".as_bytes();
    let input = [
        frame(0x01, &euro[..1]),
        frame(0x89, b"hey"),
        frame(0x00, b""),
        frame(0x00, &euro[1..2]),
        frame(0x8a, b""),
        frame(0x80, &euro[2..]),
        frame(0x02, &[]),
        frame(0x80, &[9]),
        frame(0x88, &[]),
        frame(0x81, b"too late"),
    ]
    .concat();
    let expected = vec![
        Seen::Ping(b"hey".to_vec()),
        Seen::Pong(vec![]),
        Seen::Text("\u{20ac}".to_owned()),
        Seen::Binary(vec![9]),
        Seen::Close(None, String::new()),
    ];
    assert_eq!(decode(&input), (expected, Ok(())));
}

#[test]
fn violations_are_worded_and_coded_as_the_reference_words_them() {
    let big = |len: u64| [&[0x82, 0xff][..], &len.to_be_bytes()].concat();
    let invalid = "RangeError: Invalid WebSocket frame:";
    let cases = [
        (frame(0xa1, b""), 1002, format!("{invalid} RSV2 and RSV3 must be clear")),
        (frame(0x91, b""), 1002, format!("{invalid} RSV2 and RSV3 must be clear")),
        (frame(0xc1, b""), 1002, format!("{invalid} RSV1 must be clear")),
        (frame(0x80, b""), 1002, format!("{invalid} invalid opcode 0")),
        (frame(0x83, b""), 1002, format!("{invalid} invalid opcode 3")),
        (frame(0x8f, b""), 1002, format!("{invalid} invalid opcode 15")),
        ([frame(1, b""), frame(0x81, b"")].concat(), 1002, format!("{invalid} invalid opcode 1")),
        ([frame(1, b""), frame(0x82, b"")].concat(), 1002, format!("{invalid} invalid opcode 2")),
        (frame(0x09, b""), 1002, format!("{invalid} FIN must be set")),
        (frame(0x89, &[0; 126]), 1002, format!("{invalid} invalid payload length 126")),
        (frame(0x8a, &[0; 70_000]), 1002, format!("{invalid} invalid payload length 127")),
        (frame(0x88, &[3]), 1002, format!("{invalid} invalid payload length 1")),
        (vec![0x81, 0x00], 1002, format!("{invalid} MASK must be set")),
        (frame(0x88, &[3, 237]), 1002, format!("{invalid} invalid status code 1005")),
        (frame(0x88, &[0, 0]), 1002, format!("{invalid} invalid status code 0")),
        (frame(0x88, &[0x13, 0x88]), 1002, format!("{invalid} invalid status code 5000")),
        (
            frame(0x81, &[0xff]),
            1007,
            "Error: Invalid WebSocket frame: invalid UTF-8 sequence".to_owned(),
        ),
        (
            frame(0x88, &[3, 232, 0xc0]),
            1007,
            "Error: Invalid WebSocket frame: invalid UTF-8 sequence".to_owned(),
        ),
        (frame(0x82, &[0; 1001]), 1009, "RangeError: Max payload size exceeded".to_owned()),
        (
            big(1 << 53),
            1009,
            "RangeError: Unsupported WebSocket frame: payload length > 2^53 - 1".to_owned(),
        ),
    ];
    for (input, code, text) in cases {
        let error = error_of(&input);
        assert_eq!((error.close_code(), error.message()), (code, text));
    }
    let too_many = frame(0x02, b"").into_iter().chain(frame(0x00, b"").repeat(128 * 1024));
    let error = error_of(&too_many.collect::<Vec<_>>());
    assert_eq!(error.close_code(), 1008);
    assert_eq!(error.message(), "RangeError: Too many message fragments");
}

#[test]
fn a_violation_is_reported_at_the_first_byte_that_shows_it() {
    let mut decoder = Decoder::new(Some(1000), false);
    let ok = |_: Message<'_>| ControlFlow::Continue(());
    assert_eq!(decoder.feed(&mut [0x81], ok), Ok(()));
    assert_eq!(decoder.feed(&mut [0x10], ok), Err(FrameError::MaskClear));
    let mut decoder = Decoder::new(Some(1000), false);
    assert_eq!(decoder.feed(&mut [0x81, 0xfe, 0x03], ok), Ok(()));
    assert_eq!(decoder.feed(&mut [0xe9], ok), Err(FrameError::MaxPayloadExceeded));
}

#[test]
fn messages_before_a_violation_are_delivered_and_nothing_after_it() {
    let input = [frame(0x81, b"a"), frame(0x83, b""), frame(0x81, b"b")].concat();
    let mut decoder = Decoder::new(None, false);
    let (seen, outcome) = feed_all(&mut decoder, [&input[..]].into_iter());
    assert_eq!(seen, [Seen::Text("a".to_owned())]);
    assert_eq!(outcome, Err(FrameError::InvalidOpcode(3)));
    let later = frame(0x81, b"c");
    assert_eq!(feed_all(&mut decoder, [&later[..]].into_iter()), (vec![], Ok(())));
}

#[test]
fn nothing_is_delivered_after_a_break() {
    let mut decoder = Decoder::new(None, false);
    let mut input = [frame(0x81, b"a"), frame(0x81, b"b")].concat();
    for expected in [1, 0] {
        let mut calls = 0;
        let outcome = decoder.feed(&mut input.clone(), |_| {
            calls += 1;
            ControlFlow::Break(())
        });
        assert_eq!((calls, outcome), (expected, Ok(())));
    }
    // Also when the message was put together from two reads.
    let mut decoder = Decoder::new(None, false);
    let (head, tail) = input.split_at_mut(3);
    let mut calls = 0;
    for part in [head, tail] {
        let outcome = decoder.feed(part, |_| {
            calls += 1;
            ControlFlow::Break(())
        });
        assert_eq!(outcome, Ok(()));
    }
    assert_eq!(calls, 1);
}

#[test]
fn the_limit_counts_all_fragments_and_starts_anew_with_each_message() {
    let half = [0; 500];
    let message = [frame(0x02, &half), frame(0x89, &half[..100]), frame(0x80, &half)].concat();
    let (seen, outcome) = decode(&message.repeat(3));
    assert_eq!((seen.len(), outcome), (6, Ok(())));
    let over = [frame(0x02, &half), frame(0x00, &half), frame(0x00, b""), frame(0x80, &[0])];
    assert_eq!(error_of(&over.concat()), FrameError::MaxPayloadExceeded);
    for unlimited in [None, Some(0)] {
        let input = frame(0x82, &[7; 100_000]);
        let (seen, _) = feed_all(&mut Decoder::new(unlimited, false), [&input[..]].into_iter());
        assert_eq!(seen, [Seen::Binary(vec![7; 100_000])]);
    }
}

#[test]
fn compressed_messages_are_passed_on_unchecked_when_negotiated() {
    let input = [
        frame(0xc1, &[0xff]),
        frame(0x42, &[1]),
        frame(0x80, &[2]),
        frame(0x41, &[0xff]),
        frame(0x80, &[0xfe]),
        frame(0x81, b"plain"),
    ]
    .concat();
    let (seen, outcome) = feed_all(&mut Decoder::new(None, true), [&input[..]].into_iter());
    let expected = [
        Seen::Compressed(true, vec![0xff]),
        Seen::Compressed(false, vec![1, 2]),
        Seen::Compressed(true, vec![0xff, 0xfe]),
        Seen::Text("plain".to_owned()),
    ];
    assert_eq!(seen, expected);
    assert_eq!(outcome, Ok(()));
    for wrong in [frame(0xc9, b""), [frame(0x01, b""), frame(0xc0, b"")].concat()] {
        let (_, outcome) = feed_all(&mut Decoder::new(None, true), [&wrong[..]].into_iter());
        assert_eq!(outcome, Err(FrameError::Rsv1Set));
    }
}

#[test]
fn an_idle_decoder_is_small_and_holds_no_buffer() {
    assert!(size_of::<Decoder>() <= 24);
    let mut decoder = Decoder::new(None, false);
    let input = frame(0x82, &[7; 100_000]);
    assert_eq!(feed_all(&mut decoder, input.chunks(999)).0.len(), 1);
    assert_eq!(format!("{decoder:?}").matches("partial: None").count(), 1);
}

#[test]
fn memory_follows_what_arrived_and_not_what_was_declared() {
    let mut decoder = Decoder::new(None, false);
    let mut input = [&[0x82, 0xff][..], &(1u64 << 52).to_be_bytes(), &[0; 4 + 10]].concat();
    decoder.feed(&mut input, |_| ControlFlow::Continue(())).expect("a sound header");
    assert!(decoder.reserved() <= 65 * 1024);
    let mut received = 10;
    for round in 0..100 {
        if round % 2 == 0 {
            decoder.feed(&mut [0; 10_000], |_| ControlFlow::Continue(())).expect("payload");
            received += 10_000;
        } else {
            received += decoder.read_payload(fill).expect("a large frame is under way").0;
        }
        assert!(decoder.reserved() <= 2 * received + 65 * 1024);
    }
}

#[test]
fn a_message_in_many_fragments_is_seldom_moved() {
    let mut decoder = Decoder::new(None, false);
    let mut sizes = Vec::new();
    for first in [true].into_iter().chain(std::iter::repeat_n(false, 9_999)) {
        let mut fragment = frame(if first { 0x02 } else { 0x00 }, &[7; 800]);
        decoder.feed(&mut fragment, |_| ControlFlow::Continue(())).expect("a fragment");
        sizes.push(decoder.reserved());
    }
    sizes.dedup();
    assert!(sizes.len() < 40, "{sizes:?}");
    assert!(decoder.reserved() < 2 * 800 * 10_000);
}

/// Reads as many bytes as there is room for, but not more than other reads bring.
fn fill(message: &mut Vec<u8>) -> usize {
    let count = 10_000.min(message.capacity() - message.len());
    message.resize(message.len() + count, 0);
    count
}

#[test]
fn the_payload_of_a_large_frame_may_be_read_to_its_place() {
    let mut decoder = Decoder::new(None, false);
    let payload: Vec<u8> = (0..50_000u32).map(|n| n as u8).collect();
    let stream = [frame(0x82, &payload), frame(0x81, b"after")].concat();
    let mut rest = &stream[..];
    let mut take = |most: usize| {
        let (piece, tail) = rest.split_at(most.min(rest.len()));
        rest = tail;
        piece.to_vec()
    };
    assert_eq!(decoder.next_read(), NextRead::All);
    assert_eq!(feed_all(&mut decoder, [&take(1000)[..]].into_iter()), (vec![], Ok(())));
    assert_eq!(decoder.next_read(), NextRead::Payload);
    let (count, mut beyond) = decoder
        .read_payload(|message| {
            let piece = take(message.capacity() - message.len());
            message.extend_from_slice(&piece);
            piece.len()
        })
        .expect("the frame wants it");
    assert_eq!(count, stream.len() - 1000, "there is room to see that nothing else waits");
    assert_eq!(beyond, frame(0x81, b"after"));
    let (seen, outcome) = feed_all(&mut decoder, [&beyond.split_off(0)[..]].into_iter());
    assert_eq!((seen, outcome), (vec![Seen::Binary(payload), Seen::Text("after".into())], Ok(())));
}

#[test]
fn after_a_large_frame_a_few_reads_look_for_the_next_one() {
    let mut decoder = Decoder::new(None, false);
    assert_eq!(decoder.next_read(), NextRead::All);
    feed_all(&mut decoder, [&frame(0x82, &[7; 20_000])[..]].into_iter()).1.expect("sound");
    let small = frame(0x81, b"small");
    let mut reads = 0;
    while decoder.next_read() == NextRead::Head {
        feed_all(&mut decoder, [&small[..]].into_iter()).1.expect("sound");
        reads += 1;
    }
    assert!((1..10).contains(&reads));
    assert_eq!(decoder.next_read(), NextRead::All);
    assert!(decoder.read_payload(fill).is_none(), "nothing is under way");
}

#[test]
fn neither_a_control_frame_nor_a_small_rest_is_read_to_its_place() {
    let mut decoder = Decoder::new(None, false);
    let large = frame(0x82, &[7; 20_000]);
    for (bytes, read) in [(19_000, NextRead::All), (100, NextRead::Payload)] {
        feed_all(&mut decoder, [&large[..bytes]].into_iter()).1.expect("sound");
        assert_eq!(decoder.next_read(), read);
        assert_eq!(decoder.read_payload(|_| ()).is_some(), read == NextRead::Payload);
        feed_all(&mut decoder, [&large[bytes..]].into_iter()).1.expect("sound");
    }
    feed_all(&mut decoder, [&frame(0x89, &[7; 100])[..50]].into_iter()).1.expect("sound");
    assert!(decoder.read_payload(fill).is_none());
}

#[test]
fn the_key_of_the_specification_is_accepted_as_specified() {
    assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

fn their_opcode(opcode: OpCode) -> TheirOpCode {
    match opcode {
        OpCode::Continuation => TheirOpCode::Data(Data::Continue),
        OpCode::Text => TheirOpCode::Data(Data::Text),
        OpCode::Binary => TheirOpCode::Data(Data::Binary),
        OpCode::Close => TheirOpCode::Control(Control::Close),
        OpCode::Ping => TheirOpCode::Control(Control::Ping),
        OpCode::Pong => TheirOpCode::Control(Control::Pong),
    }
}

#[test]
fn headers_are_written_as_another_implementation_writes_them() {
    use OpCode::{Binary, Close, Continuation, Ping, Pong, Text};
    for opcode in [Continuation, Text, Binary, Close, Ping, Pong] {
        assert_eq!(OpCode::from_bits(opcode.bits()), Some(opcode));
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 40] {
            for rsv1 in [false, true] {
                let mut ours = Vec::new();
                encode_header(&mut ours, opcode, len, rsv1);
                let opcode = their_opcode(opcode);
                let mut theirs = Vec::new();
                FrameHeader { opcode, rsv1, ..FrameHeader::default() }
                    .format(len as u64, &mut theirs)
                    .expect("a vector takes everything");
                assert_eq!(ours, theirs);
            }
        }
    }
}

#[test]
fn a_frame_is_its_header_and_its_payload() {
    for len in [0, 125, 126, 65_535, 65_536] {
        let payload = vec![7; len];
        let mut expected = Vec::new();
        encode_header(&mut expected, OpCode::Binary, len, false);
        expected.extend_from_slice(&payload);
        assert_eq!(encode_frame(OpCode::Binary, &payload), expected);
    }
}

/// A sound message as a client may send it: its frames, and what is to be seen of it.
fn any_message() -> impl Strategy<Value = (Vec<u8>, Seen)> {
    let control = prop::collection::vec(any::<u8>(), 0..=125);
    prop_oneof![
        (any::<String>(), prop::collection::vec(0usize..40, 0..3))
            .prop_map(|(text, cuts)| (fragmented(1, text.as_bytes(), &cuts), Seen::Text(text))),
        (prop::collection::vec(any::<u8>(), 0..400), prop::collection::vec(0usize..400, 0..3))
            .prop_map(|(data, cuts)| (fragmented(2, &data, &cuts), Seen::Binary(data))),
        control.clone().prop_map(|data| (frame(0x89, &data), Seen::Ping(data))),
        control.prop_map(|data| (frame(0x8a, &data), Seen::Pong(data))),
    ]
}

fn fragmented(opcode: u8, payload: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut frames = Vec::new();
    let mut first = opcode;
    let mut rest = payload;
    for cut in cuts {
        let (part, tail) = rest.split_at((*cut).min(rest.len()));
        frames.extend(frame(first, part));
        first = 0;
        rest = tail;
    }
    frames.extend(frame(0x80 | first, rest));
    frames
}

/// Cuts `input` after 1 + each of `sizes` bytes, over and over.
fn pieces<'a>(input: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = input;
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = sizes.next().map_or(rest.len(), |size| size + 1).min(rest.len());
        let (piece, tail) = rest.split_at(size);
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Reads a stream as the decoder wants it read, where each read finds 1 + the next of `sizes` bytes.
fn read_all(decoder: &mut Decoder, mut stream: &[u8], sizes: &[usize]) -> Outcome {
    let mut seen = Vec::new();
    let mut sizes = sizes.iter().cycle();
    while !stream.is_empty() {
        let found = sizes.next().map_or(stream.len(), |size| size + 1).min(stream.len());
        let mut read = |room: usize| {
            let (piece, tail) = stream.split_at(found.min(room));
            stream = tail;
            piece.to_vec()
        };
        let mut input = match decoder.next_read() {
            NextRead::All => read(usize::MAX),
            NextRead::Head => read(HEAD_READ),
            NextRead::Payload => {
                let to_its_place = |message: &mut Vec<u8>| {
                    message.extend(read(message.capacity() - message.len()));
                };
                decoder.read_payload(to_its_place).expect("as it has said").1
            }
        };
        let outcome = decoder.feed(&mut input, |message| {
            seen.push(see(message));
            ControlFlow::Continue(())
        });
        if outcome.is_err() {
            return (seen, outcome);
        }
    }
    (seen, Ok(()))
}

proptest! {
    #[test]
    fn messages_are_the_same_wherever_they_are_read_to(
        messages in prop::collection::vec(
            (1..=2u8, 0..200_000usize, prop::collection::vec(0usize..40_000, 0..3), any_message()),
            0..4,
        ),
        sizes in prop::collection::vec(0usize..100_000, 0..6),
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for (kind, len, cuts, (small, seen)) in messages {
            let payload = b"ferrio ".repeat(len / 7);
            stream.extend(fragmented(kind, &payload, &cuts));
            stream.extend(small);
            expected.push(match kind {
                1 => Seen::Text(String::from_utf8(payload).expect("ASCII")),
                _ => Seen::Binary(payload),
            });
            expected.push(seen);
        }
        let mut decoder = Decoder::new(None, false);
        prop_assert_eq!(read_all(&mut decoder, &stream, &sizes), (expected, Ok(())));
        prop_assert_eq!(decoder.reserved(), 0);
    }

    #[test]
    fn messages_are_the_same_however_the_stream_is_cut(
        messages in prop::collection::vec(any_message(), 0..8),
        sizes in prop::collection::vec(0usize..60, 0..6),
    ) {
        let (stream, expected): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let stream = stream.concat();
        let mut decoder = Decoder::new(None, false);
        let outcome = feed_all(&mut decoder, pieces(&stream, &sizes));
        prop_assert_eq!(outcome, (expected, Ok(())));
        prop_assert_eq!(decoder.reserved(), 0);
    }

    #[test]
    fn any_bytes_give_the_same_outcome_however_they_are_cut(
        // Few different bytes, so that sound headers are likely.
        bytes in prop::collection::vec(
            prop_oneof![
                Just(0x81u8), Just(0x82), Just(0x01), Just(0x80), Just(0x00), Just(0x89),
                Just(0x88), Just(0x84), Just(0xfe), Just(0xc1), any::<u8>(),
            ],
            0..80,
        ),
        sizes in prop::collection::vec(0usize..9, 1..6),
        allow_compressed: bool,
    ) {
        let whole = feed_all(&mut Decoder::new(Some(300), allow_compressed), [&bytes[..]].into_iter());
        let cut = feed_all(&mut Decoder::new(Some(300), allow_compressed), pieces(&bytes, &sizes));
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn encoded_frames_are_read_by_another_implementation(
        data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let encoded = encode_frame(OpCode::Binary, &data);
        let mut cursor = std::io::Cursor::new(&encoded);
        let (header, len) = FrameHeader::parse(&mut cursor).expect("sound").expect("complete");
        prop_assert!(header.is_final && header.mask.is_none());
        prop_assert_eq!(len, data.len() as u64);
        prop_assert_eq!(&encoded[cursor.position() as usize..], &data[..]);
    }
}
