//! WebSocket framing, server side (RFC 6455): an incremental decoder that works in the read
//! buffer, the encoder of frame headers, and the accept key of the handshake. Inflating a
//! compressed message (`deflate`), answering a ping and closing the stream are the caller's.

mod decoder;
mod error;
mod header;
mod mask;
#[cfg(test)]
mod tests;

pub use decoder::{Decoder, HEAD_READ, MAX_FRAGMENTS, Message, NextRead, Payload};
pub use error::FrameError;
pub use header::{OpCode, encode_compressed, encode_frame, encode_header};

/// The `Sec-WebSocket-Accept` value that answers `key`.
pub fn accept_key(key: &str) -> String {
    tungstenite::handshake::derive_accept_key(key.as_bytes())
}
