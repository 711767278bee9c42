//! permessage-deflate (RFC 7692), server side: what an agreement says, compressing a message and
//! inflating one. Negotiating the agreement is the handshake's, frames are `frame`'s.

mod compressor;
mod inflater;
#[cfg(test)]
mod tests;

pub use compressor::{Compressor, Settings};
pub use inflater::{History, Inflater};

/// What both ends agreed on, and how this one makes use of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// How messages to the peer are compressed.
    pub settings: Settings,
    /// Messages of fewer bytes are sent as they are.
    pub threshold: usize,
    /// The peer's window as a power of two.
    pub peer_window_bits: u8,
    /// The peer may refer to its earlier messages.
    pub peer_takes_context_over: bool,
}

/// What ends every deflated message and is left out on the wire (RFC 7692, 7.2.1).
const TRAILER: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
