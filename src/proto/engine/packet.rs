//! One packet as a WebSocket frame or a part of a payload carries it.

use std::borrow::Cow;
use std::fmt;

use super::base64;

/// The protocol revision that a client asked for with `EIO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revision {
    /// socket.io-client 1 and 2.
    V3,
    /// socket.io-client 3 and later.
    V4,
}

/// The type of a packet, by its digit on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketType {
    /// `0`: the handshake.
    Open,
    /// `1`: asks for the transport to be closed.
    Close,
    /// `2`: sent by the server in revision 4, by the client in revision 3.
    Ping,
    /// `3`: answers a ping.
    Pong,
    /// `4`: carries Socket.IO.
    Message,
    /// `5`: ends the probe of a new transport.
    Upgrade,
    /// `6`: nothing; lets a poll end.
    Noop,
}

impl PacketType {
    /// The ASCII digit.
    pub fn digit(self) -> u8 {
        b'0' + self.number()
    }

    /// The type that an ASCII digit stands for.
    pub fn from_digit(digit: u8) -> Option<Self> {
        Self::from_number(digit.wrapping_sub(b'0'))
    }

    /// What the digit stands for; also the type byte of binary packets in revision 3.
    pub fn number(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Close => 1,
            Self::Ping => 2,
            Self::Pong => 3,
            Self::Message => 4,
            Self::Upgrade => 5,
            Self::Noop => 6,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Open),
            1 => Some(Self::Close),
            2 => Some(Self::Ping),
            3 => Some(Self::Pong),
            4 => Some(Self::Message),
            5 => Some(Self::Upgrade),
            6 => Some(Self::Noop),
            _ => None,
        }
    }
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data<'a> {
    /// Nothing, not even an empty text.
    None,
    /// Text; never empty.
    Text(Cow<'a, str>),
    /// Bytes; may be empty.
    Binary(Cow<'a, [u8]>),
}

/// A decoded packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its type.
    pub kind: PacketType,
    /// Its content.
    pub data: Data<'a>,
}

/// The peer sent something that is no packet; the session closes with `parse error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseError;

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parser error")
    }
}

impl std::error::Error for ParseError {}

/// Decodes a WebSocket text frame, or one packet of a text payload.
#[inline]
pub fn decode_text(text: &str, revision: Revision) -> Result<Packet<'_>, ParseError> {
    let (first, rest) = text.as_bytes().split_first().ok_or(ParseError)?;
    if *first == b'b' {
        return Ok(decode_base64(text.get(1..).unwrap_or_default(), revision));
    }
    let kind = PacketType::from_digit(*first).ok_or(ParseError)?;
    let data = match text.get(1..) {
        Some(data) if !rest.is_empty() => Data::Text(Cow::Borrowed(data)),
        _ => Data::None,
    };
    Ok(Packet { kind, data })
}

/// Decodes a WebSocket binary frame, or one binary packet of a revision 3 payload. No input is an
/// error today; the result leaves room for one.
pub fn decode_binary(bytes: &[u8], revision: Revision) -> Result<Packet<'_>, ParseError> {
    if revision == Revision::V4 {
        return Ok(binary(PacketType::Message, Cow::Borrowed(bytes)));
    }
    let known = bytes.split_first().and_then(|(number, data)| {
        Some(binary(PacketType::from_number(*number)?, Cow::Borrowed(data)))
    });
    Ok(known.unwrap_or(IGNORED))
}

/// What follows the `b` of a text packet.
fn decode_base64(text: &str, revision: Revision) -> Packet<'_> {
    if revision == Revision::V4 {
        return binary(PacketType::Message, Cow::Owned(base64::decode(text)));
    }
    let kind = text.bytes().next().and_then(PacketType::from_digit);
    match (kind, text.get(1..)) {
        (Some(kind), Some(data)) => binary(kind, Cow::Owned(base64::decode(data))),
        _ => IGNORED,
    }
}

fn binary(kind: PacketType, data: Cow<'_, [u8]>) -> Packet<'_> {
    Packet { kind, data: Data::Binary(data) }
}

/// Revision 3 never refused a binary packet of unknown type, it had no effect.
const IGNORED: Packet<'static> = Packet { kind: PacketType::Noop, data: Data::None };
