//! The paths that most work takes, for counting their instructions (scripts/instructions.js).
//! `hot-paths` lists them as JSON; `hot-paths NAME ROUNDS` runs one of them.
//!
//! What a path costs is the difference between two runs of different length: what comes before and
//! after it cancels out. So everything here is the same in every run, and nothing depends on time.

use std::hint::black_box;
use std::ops::ControlFlow;

use ferrio::event::EventBatch;
use ferrio::proto::deflate::{Compressor, History, Inflater};
use ferrio::proto::engine::{self, Body, Data, OutData, OutPacket, PacketType, Revision};
use ferrio::proto::frame::Decoder;
use ferrio::proto::socket;
use ferrio::shard::RoomIndex;
use ferrio::transport::Packet;
use traffic::{Fleet, agreement, client_event, decode_frames, event, frame_of, nested_event};

/// A path, and how it is measured.
struct Path {
    name: &'static str,
    /// The shorter of the two runs.
    rounds: usize,
    /// What a round consists of.
    operations: usize,
    /// How often both runs are counted. Between threads, who waits for whom is left to chance, which
    /// adds to the work; the least counts.
    repeats: usize,
    run: fn(usize),
}

const PATHS: &[Path] = &[
    pure("decode an event, 64 B", 1000, 1, decode_event),
    pure("decode nested arguments, 1 KiB", 200, 1, decode_nested),
    pure("read a frame, 64 B", 100, FRAMES, read_frames),
    pure("read a frame, 64 KiB", 20, 1, read_large_frame),
    pure("encode a packet and its frame", 1000, 1, encode_packet),
    pure("decode a payload, a packet", 100, 10, decode_payload),
    pure("encode a payload, a packet", 100, 10, encode_payload),
    pure("compress, 1 KiB", 20, 1, compress),
    pure("inflate, 1 KiB", 50, 1, inflate),
    pure("join and leave a room", 1000, 1, join_and_leave),
    pure("find a recipient", 10, MEMBERS, find_recipients),
    pure("write an event into a batch", 20, EVENTS, fill_batch),
    through_a_shard("echo, an event", 30, EVENTS, echo),
    through_a_shard("read an event from a socket", 20, EVENTS, one_way),
];

const FRAMES: usize = 16;
const EVENTS: usize = 100;
const MEMBERS: usize = 10_000;
/// Of a small message.
const SMALL: usize = 64;
const KIB: usize = 1024;

/// Everything happens in this thread.
const fn pure(name: &'static str, rounds: usize, operations: usize, run: fn(usize)) -> Path {
    Path { name, rounds, operations, repeats: 1, run }
}

const fn through_a_shard(
    name: &'static str,
    rounds: usize,
    operations: usize,
    run: fn(usize),
) -> Path {
    Path { name, rounds, operations, repeats: 5, run }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let Some(name) = args.next() else {
        let entry = |path: &Path| {
            let Path { name, rounds, operations, repeats, .. } = path;
            format!(
                "{{\"name\":{name:?},\"rounds\":{rounds},\"operations\":{operations},\
                 \"repeats\":{repeats}}}"
            )
        };
        return println!("[{}]", PATHS.iter().map(entry).collect::<Vec<_>>().join(","));
    };
    let path = PATHS.iter().find(|path| path.name == name).expect("a path");
    let rounds = args.next().and_then(|rounds| rounds.parse().ok()).expect("a number of rounds");
    (path.run)(rounds);
    println!("{}", features());
}

/// What code that chooses by the processor finds here.
fn features() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx2") {
        return "no avx2";
    }
    "usual"
}

fn decode_event(rounds: usize) {
    decode(rounds, &event(SMALL));
}

fn decode_nested(rounds: usize) {
    decode(rounds, &nested_event(KIB));
}

fn decode(rounds: usize, text: &str) {
    let text = format!("4{text}");
    for _ in 0..rounds {
        let packet = engine::decode_text(black_box(&text), Revision::V4).expect("a packet");
        let Data::Text(text) = &packet.data else { panic!("a text") };
        black_box(socket::parse(text).expect("an event"));
    }
}

fn read_frames(rounds: usize) {
    let frames = client_event(SMALL).repeat(FRAMES);
    read(rounds, &frames, FRAMES);
}

fn read_large_frame(rounds: usize) {
    read(rounds, &client_event(64 * KIB), 1);
}

fn read(rounds: usize, frames: &[u8], messages: usize) {
    let mut decoder = Decoder::new(Some(1_000_000), false);
    let mut buffer = frames.to_vec();
    for _ in 0..rounds {
        // Reading unmasks in place.
        buffer.copy_from_slice(frames);
        assert_eq!(decode_frames(&mut decoder, black_box(&mut buffer)), messages);
    }
}

fn encode_packet(rounds: usize) {
    let text = event(SMALL);
    for _ in 0..rounds {
        let packet = Packet::text(PacketType::Message, &[black_box(text.as_bytes())]);
        black_box(packet.into_frame());
    }
}

fn decode_payload(rounds: usize) {
    let body = vec![format!("4{}", event(SMALL)); 10].join("\x1e");
    for _ in 0..rounds {
        let mut packets = 0;
        let outcome = engine::decode_payload(Body::Text(black_box(&body)), Revision::V4, |_| {
            packets += 1;
            ControlFlow::Continue(())
        });
        assert_eq!((outcome, packets), (Ok(()), 10));
    }
}

fn encode_payload(rounds: usize) {
    let text = event(SMALL);
    let packet = OutPacket { kind: PacketType::Message, data: OutData::Text(&text) };
    for _ in 0..rounds {
        black_box(engine::encode_payload([packet; 10].into_iter(), Revision::V4, true));
    }
}

fn compress(rounds: usize) {
    let text = nested_event(KIB);
    let mut compressor = Compressor::new(agreement().settings);
    for _ in 0..rounds {
        black_box(compressor.compress(black_box(text.as_bytes())).expect("a shorter text"));
    }
}

fn inflate(rounds: usize) {
    let text = nested_event(KIB);
    let mut compressor = Compressor::new(agreement().settings);
    let payload = compressor.compress(text.as_bytes()).expect("a shorter text").to_vec();
    let mut inflater = Inflater::new();
    let mut history = History::new(&agreement());
    for _ in 0..rounds {
        let inflated = inflater.inflate(black_box(&payload), &mut history, 1_000_000);
        assert_eq!(inflated.map(|text| text.len()), Ok(text.len()));
    }
}

fn join_and_leave(rounds: usize) {
    let mut index = RoomIndex::default();
    let members: Vec<_> = (0..1000).map(|session| index.add(session)).collect();
    for member in &members {
        index.connect(*member, 1);
        index.join(*member, 2);
    }
    for round in 0..rounds {
        let member = members[round % members.len()];
        index.leave(member, black_box(2));
        index.join(member, black_box(2));
    }
}

fn find_recipients(rounds: usize) {
    let mut index = RoomIndex::default();
    for session in 0..MEMBERS as u32 {
        let member = index.add(session);
        index.connect(member, 1);
        // Everybody is in one of the first two rooms, or in both; one in ten in the third.
        index.join(member, 2 + u64::from(session % 2));
        index.join(member, 2 + u64::from(session % 3 % 2));
        if session % 10 == 0 {
            index.join(member, 4);
        }
    }
    for _ in 0..rounds {
        let mut recipients = 0;
        index.recipients(1, black_box(&[2, 3]), &[4], |session| {
            black_box(session);
            recipients += 1;
        });
        assert_eq!(recipients, MEMBERS - MEMBERS / 10);
    }
}

fn fill_batch(rounds: usize) {
    let text = event(SMALL);
    let args = &text[1..];
    for round in 0..rounds {
        let mut batch = EventBatch::new();
        for session in 0..EVENTS as u32 {
            batch.packet(session, false, 0, Some(round as u64), black_box(args), Vec::new());
        }
        black_box(batch.into_parts());
    }
}

/// Many events at once: when threads wake each other is left to chance, and must not count for much.
fn echo(rounds: usize) {
    let mut fleet = Fleet::new(1);
    let frames = client_event(SMALL).repeat(EVENTS);
    let text = event(SMALL);
    let mut answers = vec![0; frame_of(&text) * EVENTS];
    for _ in 0..rounds {
        let (events, _) = fleet.send(0, &frames).into_parts();
        black_box(events);
        fleet.answer(0, &text, EVENTS, &mut answers);
    }
}

fn one_way(rounds: usize) {
    let mut fleet = Fleet::new(1);
    let frames = client_event(SMALL).repeat(EVENTS);
    for _ in 0..rounds {
        let (events, _) = fleet.send(0, &frames).into_parts();
        black_box(events);
    }
}
