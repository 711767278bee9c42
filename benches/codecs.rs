//! Encoders and decoders: `npm run bench:core -- --bench codecs`.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use bytes::Bytes;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use ferrio::proto::deflate::{Compressor, History, Inflater};
use ferrio::proto::engine::{
    self, Body, EncodedPayload, OutData, OutPacket, PacketType, Revision, decode_text,
};
use ferrio::proto::frame::{Decoder, OpCode, encode_frame};
use ferrio::proto::socket;
use ferrio::transport::Packet;
use traffic::{
    BINARY, agreement, client_event, client_frame, decode_frames, event, letters, nested_event,
};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

const SIZES: [usize; 3] = [64, 1024, 65_536];
/// Packets in a payload.
const PACKETS: usize = 16;

fn main() {
    divan::main();
}

/// An Engine.IO packet with a Socket.IO event in it, its JSON checked.
#[divan::bench(args = SIZES)]
fn decode_event(bencher: Bencher, bytes: usize) {
    decode(bencher, &event(bytes));
}

/// The same with arguments of many small values.
#[divan::bench(args = SIZES)]
fn decode_nested_event(bencher: Bencher, bytes: usize) {
    decode(bencher, &nested_event(bytes));
}

fn decode(bencher: Bencher, text: &str) {
    let text = format!("4{text}");
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        let packet = decode_text(black_box(&text), Revision::V4).expect("a packet");
        match &packet.data {
            engine::Data::Text(text) => socket::parse(text).map(|header| header.args.len()),
            _ => None,
        }
    });
}

/// The packet of an event, which is a WebSocket frame from the start.
#[divan::bench(args = SIZES)]
fn encode_event(bencher: Bencher, bytes: usize) {
    let text = event(bytes);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| Packet::text(PacketType::Message, &[black_box(text.as_bytes())]));
}

/// A text frame of a client: unmasked, and checked to be UTF-8.
#[divan::bench(args = SIZES)]
fn read_text_frame(bencher: Bencher, bytes: usize) {
    read(bencher, client_event(bytes));
}

/// A binary frame of a client: unmasked.
#[divan::bench(args = SIZES)]
fn read_binary_frame(bencher: Bencher, bytes: usize) {
    read(bencher, client_frame(BINARY, letters(bytes).as_bytes()));
}

fn read(bencher: Bencher, frame: Vec<u8>) {
    let mut decoder = Decoder::new(None, false);
    bencher
        .counter(BytesCount::of_slice(&frame))
        .with_inputs(|| frame.clone())
        .bench_local_refs(|frame| decode_frames(&mut decoder, frame));
}

/// The same by tungstenite, with a read buffer of the size that it has by default.
#[divan::bench(args = SIZES)]
fn tungstenite_reads_text_frame(bencher: Bencher, bytes: usize) {
    read_with_tungstenite(bencher, client_event(bytes), 128 * 1024);
}

/// The same with a buffer that ten thousand connections could have.
#[divan::bench(args = SIZES)]
fn tungstenite_reads_text_frame_into_4_kib(bencher: Bencher, bytes: usize) {
    read_with_tungstenite(bencher, client_event(bytes), 4096);
}

#[divan::bench(args = SIZES)]
fn tungstenite_reads_binary_frame(bencher: Bencher, bytes: usize) {
    read_with_tungstenite(bencher, client_frame(BINARY, letters(bytes).as_bytes()), 128 * 1024);
}

fn read_with_tungstenite(bencher: Bencher, frame: Vec<u8>, buffer: usize) {
    let config = WebSocketConfig::default().read_buffer_size(buffer);
    let stream = Wire { frame: frame.clone(), read: 0 };
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    bencher.counter(BytesCount::of_slice(&frame)).bench_local(|| {
        socket.get_mut().read = 0;
        socket.read().expect("a message")
    });
}

/// A frame around bytes that are there, by tungstenite.
#[divan::bench(args = SIZES)]
fn tungstenite_writes_frame(bencher: Bencher, bytes: usize) {
    let payload = Bytes::from(letters(bytes));
    let stream = Wire { frame: Vec::new(), read: 0 };
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    bencher
        .counter(BytesCount::of_slice(&payload))
        .bench_local(|| socket.send(Message::Binary(black_box(&payload).clone())));
}

/// A stream on which the same frame comes again and again, and that takes everything.
struct Wire {
    frame: Vec<u8>,
    read: usize,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.frame[self.read..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A frame around bytes that are there.
#[divan::bench(args = SIZES)]
fn write_frame(bencher: Bencher, bytes: usize) {
    let payload = letters(bytes).into_bytes();
    bencher
        .counter(BytesCount::of_slice(&payload))
        .bench(|| encode_frame(OpCode::Binary, black_box(&payload)));
}

#[divan::bench(args = [Revision::V4, Revision::V3])]
fn decode_payload(bencher: Bencher, revision: &Revision) {
    let text = event(64);
    let packet = OutPacket { kind: PacketType::Message, data: OutData::Text(&text) };
    let payload = engine::encode_payload([packet; PACKETS].into_iter(), *revision, true);
    let EncodedPayload::Text(body) = payload else { unreachable!("there is nothing binary") };
    bencher.counter(ItemsCount::new(PACKETS)).bench(|| {
        engine::decode_payload(Body::Text(black_box(&body)), *revision, |packet| {
            black_box(packet);
            ControlFlow::Continue(())
        })
    });
}

#[divan::bench(args = [Revision::V4, Revision::V3])]
fn encode_payload(bencher: Bencher, revision: &Revision) {
    let text = event(64);
    let packet = OutPacket { kind: PacketType::Message, data: OutData::Text(&text) };
    bencher.counter(ItemsCount::new(PACKETS)).bench(|| {
        engine::encode_payload([black_box(packet); PACKETS].into_iter(), *revision, true)
    });
}

/// permessage-deflate with the settings that clients agree on by default.
#[divan::bench(args = SIZES)]
fn compress(bencher: Bencher, bytes: usize) {
    let text = nested_event(bytes);
    let mut compressor = Compressor::new(agreement().settings);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench_local(|| compressor.compress(black_box(text.as_bytes())).map(<[u8]>::len));
}

#[divan::bench(args = SIZES)]
fn inflate(bencher: Bencher, bytes: usize) {
    let text = nested_event(bytes);
    let mut compressor = Compressor::new(agreement().settings);
    let payload = compressor.compress(text.as_bytes()).expect("a shorter text").to_vec();
    let mut inflater = Inflater::new();
    let mut history = History::new(&agreement());
    bencher
        .counter(BytesCount::of_str(&text))
        .bench_local(|| inflater.inflate(black_box(&payload), &mut history, u64::MAX));
}
