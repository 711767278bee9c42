//! Pure codecs: bytes in, packets out, and back. No tokio, no clock, no lock, no N-API.
//!
//! `frame` is the WebSocket (RFC 6455, server side), `deflate` its compression (RFC 7692), `engine`
//! the Engine.IO packets and polling payloads (protocol revisions 3 and 4), `socket` the header of
//! a Socket.IO packet. None of them panics on, or trusts a length in, what a peer sent.

pub mod deflate;
pub mod engine;
pub mod frame;
pub mod socket;
