//! Frame headers: reading a client's with every check that needs no payload, and writing ours.

use bytes::Bytes;

use super::error::FrameError;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpCode {
    /// A further fragment of the message under way.
    Continuation,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
    /// The closing handshake.
    Close,
    /// A request for a pong.
    Ping,
    /// The answer to a ping.
    Pong,
}

impl OpCode {
    /// The four bits on the wire.
    pub fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    /// The opcode of the low four bits of `byte`; `None` for the reserved ones.
    pub fn from_bits(byte: u8) -> Option<Self> {
        match byte & 0x0f {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    /// Control frames may come between the fragments of a message.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Appends the header of a server frame: final, unmasked, `len` payload bytes.
pub fn encode_header(buf: &mut Vec<u8>, opcode: OpCode, len: usize, rsv1: bool) {
    let first = 0x80 | if rsv1 { 0x40 } else { 0 } | opcode.bits();
    match len {
        0..=125 => buf.extend_from_slice(&[first, len as u8]),
        126..=0xffff => {
            let [hi, lo] = (len as u16).to_be_bytes();
            buf.extend_from_slice(&[first, 126, hi, lo]);
        }
        _ => {
            buf.extend_from_slice(&[first, 127]);
            buf.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// A whole server frame.
pub fn encode_frame(opcode: OpCode, payload: &[u8]) -> Bytes {
    encode(opcode, payload, false)
}

/// A whole server frame with the payload of a compressed message.
pub fn encode_compressed(opcode: OpCode, payload: &[u8]) -> Bytes {
    encode(opcode, payload, true)
}

fn encode(opcode: OpCode, payload: &[u8], compressed: bool) -> Bytes {
    let header_len = match payload.len() {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    // Exact, so that `Bytes` takes the allocation over as it is.
    let mut buf = Vec::with_capacity(header_len + payload.len());
    encode_header(&mut buf, opcode, payload.len(), compressed);
    buf.extend_from_slice(payload);
    buf.into()
}

/// The header of a client frame that passed every check.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) opcode: OpCode,
    pub(super) fin: bool,
    /// RSV1 on the first frame of a message.
    pub(super) compressed: bool,
    pub(super) mask: [u8; 4],
    /// Payload bytes that follow.
    pub(super) len: u64,
    /// Bytes of the header itself.
    pub(super) size: usize,
}

/// What a header has to fit into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub(super) allow_compressed: bool,
    /// A fragmented message is under way.
    pub(super) continuing: bool,
    /// Payload bytes the message may still take.
    pub(super) room: u64,
}

impl Header {
    /// The longest header of a client frame.
    pub(super) const MAX_SIZE: usize = 14;

    /// `None` when more bytes are needed; a violation is reported as soon as it can be seen.
    #[inline]
    pub(super) fn parse(bytes: &[u8], context: Context) -> Result<Option<Self>, FrameError> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let opcode = check(*first, *second, context)?;
        let (len, rest) = match second & 0x7f {
            126 => match rest.split_first_chunk::<2>() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest),
                None => return Ok(None),
            },
            len => (u64::from(len), rest),
        };
        if len > MAX_SAFE_INTEGER {
            return Err(FrameError::LengthUnsupported);
        }
        if !opcode.is_control() && len > context.room {
            return Err(FrameError::MaxPayloadExceeded);
        }
        let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        Ok(Some(Self {
            opcode,
            fin: first & FIN != 0,
            compressed: first & RSV1 != 0,
            mask: *mask,
            len,
            size: bytes.len() - rest.len(),
        }))
    }
}

/// The order of the checks decides which error a frame with several faults gets.
#[inline]
fn check(first: u8, second: u8, context: Context) -> Result<OpCode, FrameError> {
    let rsv1 = first & RSV1 != 0;
    if first & RSV2_RSV3 != 0 {
        return Err(FrameError::Rsv23Set);
    }
    if rsv1 && !context.allow_compressed {
        return Err(FrameError::Rsv1Set);
    }
    let invalid_opcode = FrameError::InvalidOpcode(first & 0x0f);
    let opcode = OpCode::from_bits(first).ok_or(invalid_opcode)?;
    match opcode {
        OpCode::Continuation if rsv1 => return Err(FrameError::Rsv1Set),
        OpCode::Continuation if !context.continuing => return Err(invalid_opcode),
        OpCode::Text | OpCode::Binary if context.continuing => return Err(invalid_opcode),
        OpCode::Close | OpCode::Ping | OpCode::Pong => {
            let len = second & 0x7f;
            if first & FIN == 0 {
                return Err(FrameError::FinClear);
            }
            if rsv1 {
                return Err(FrameError::Rsv1Set);
            }
            if len > 125 || (opcode == OpCode::Close && len == 1) {
                return Err(FrameError::InvalidPayloadLength(len));
            }
        }
        _ => {}
    }
    if second & MASK == 0 { Err(FrameError::MaskClear) } else { Ok(opcode) }
}

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASK: u8 = 0x80;
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
