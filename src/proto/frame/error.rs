//! How a peer can break the framing, in the words applications see as the close description.

use std::fmt;

/// A violation by the peer; the connection cannot go on. The texts are those that npm's `ws`
/// reports, because applications log and compare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// RSV2 or RSV3 is set: no extension that we negotiate uses them.
    Rsv23Set,
    /// RSV1 is set without permessage-deflate, or on a frame that must not carry it.
    Rsv1Set,
    /// Reserved opcode, continuation of nothing, or a new message inside another.
    InvalidOpcode(u8),
    /// A fragmented control frame.
    FinClear,
    /// A control frame above 125 bytes, or a close frame of one byte. Holds the 7-bit length.
    InvalidPayloadLength(u8),
    /// A client frame must be masked.
    MaskClear,
    /// A declared length that JavaScript cannot count.
    LengthUnsupported,
    /// The message would exceed the limit.
    MaxPayloadExceeded,
    /// The message came in more pieces than are accepted.
    TooManyFragments,
    /// Text or close reason that is not UTF-8.
    InvalidUtf8,
    /// A compressed message that cannot be inflated, in zlib's words.
    InvalidDeflate(&'static str),
    /// A close code that must not be on the wire.
    InvalidStatusCode(u16),
}

impl FrameError {
    /// The code of the close frame that answers this violation.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::InvalidUtf8 | Self::InvalidDeflate(_) => 1007,
            Self::TooManyFragments => 1008,
            Self::LengthUnsupported | Self::MaxPayloadExceeded => 1009,
            _ => 1002,
        }
    }

    /// `String(error)` of the error that `ws` emits.
    pub fn message(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const RANGE: &str = "RangeError: Invalid WebSocket frame:";
        match self {
            Self::Rsv23Set => write!(f, "{RANGE} RSV2 and RSV3 must be clear"),
            Self::Rsv1Set => write!(f, "{RANGE} RSV1 must be clear"),
            Self::InvalidOpcode(opcode) => write!(f, "{RANGE} invalid opcode {opcode}"),
            Self::FinClear => write!(f, "{RANGE} FIN must be set"),
            Self::InvalidPayloadLength(len) => write!(f, "{RANGE} invalid payload length {len}"),
            Self::MaskClear => write!(f, "{RANGE} MASK must be set"),
            Self::LengthUnsupported => {
                f.write_str("RangeError: Unsupported WebSocket frame: payload length > 2^53 - 1")
            }
            Self::MaxPayloadExceeded => f.write_str("RangeError: Max payload size exceeded"),
            Self::TooManyFragments => f.write_str("RangeError: Too many message fragments"),
            Self::InvalidUtf8 => {
                f.write_str("Error: Invalid WebSocket frame: invalid UTF-8 sequence")
            }
            Self::InvalidDeflate(what) => write!(f, "Error: {what}"),
            Self::InvalidStatusCode(code) => write!(f, "{RANGE} invalid status code {code}"),
        }
    }
}

impl std::error::Error for FrameError {}
