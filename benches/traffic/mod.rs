//! What the benches feed the core with: messages as clients send them, and a shard with clients.

mod fleet;

use std::ops::ControlFlow;

use ferrio::proto::deflate::{Agreement, Settings};
use ferrio::proto::frame::{Decoder, Message};

pub use fleet::Fleet;

/// The text of an event of about so many bytes, as Socket.IO writes it.
pub fn event(bytes: usize) -> String {
    let frame = "2[\"event\",10000000,\"\"]".len();
    format!("2[\"event\",10000000,\"{}\"]", letters(bytes.saturating_sub(frame)))
}

/// The text of an event with nested arguments of about so many bytes.
pub fn nested_event(bytes: usize) -> String {
    let item = r#"{"id":12345,"name":"a name\n","tags":["x","y",null,true],"at":[-1.5e3,0.25]}"#;
    let items = vec![item; bytes.div_ceil(item.len())].join(",");
    format!("2[\"event\",[{items}]]")
}

/// Letters, as many as asked for.
pub fn letters(count: usize) -> String {
    ('a'..='z').cycle().take(count).collect()
}

/// A frame as a client sends it: whole, and masked.
pub fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(MASKED | len as u8),
        len @ 126..=0xffff => {
            frame.push(MASKED | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(MASKED | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A text frame with an event of about so many bytes, as a client sends it.
pub fn client_event(bytes: usize) -> Vec<u8> {
    client_frame(TEXT, format!("4{}", event(bytes)).as_bytes())
}

/// Bytes of the server's frame with a small text: a header of two, and the packet's type.
pub fn frame_of(text: &str) -> usize {
    2 + 1 + text.len()
}

/// Decodes frames; returns how many messages there were.
pub fn decode_frames(decoder: &mut Decoder, frames: &mut [u8]) -> usize {
    let mut messages = 0;
    let outcome = decoder.feed(frames, |message| {
        messages += usize::from(matches!(message, Message::Text { .. } | Message::Binary { .. }));
        ControlFlow::Continue(())
    });
    assert_eq!(outcome, Ok(()));
    messages
}

/// What clients agree on by default.
pub fn agreement() -> Agreement {
    Agreement {
        settings: Settings::new(15, 6, 8, 0),
        threshold: 1024,
        peer_window_bits: 15,
        peer_takes_context_over: true,
    }
}

/// First byte of a text frame.
pub const TEXT: u8 = 0x81;
/// First byte of a binary frame.
pub const BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;
/// Not zero: some code has an easy time with that.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
