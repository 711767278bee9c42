//! An encoded Engine.IO packet, made once and shared by every recipient and both transports.

use std::cell::OnceCell;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::proto::engine::{self, OutData, OutPacket, PacketType, Revision};
use crate::proto::frame::{self, OpCode};

use super::buffers;

/// One Engine.IO packet as the WebSocket frame that carries it; the payload of the same bytes is
/// what polling needs. Cloning shares the memory.
#[derive(Debug, Clone)]
pub struct Packet {
    frame: Bytes,
    /// Where the payload starts in `frame`: the length of the frame header.
    head: u8,
    binary: bool,
    compress: bool,
}

impl Packet {
    /// A text packet: the type digit and the concatenation of `parts`.
    pub fn text(kind: PacketType, parts: &[&[u8]]) -> Self {
        let len = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let mut buf = buffers::take(len + header_len(len));
        frame::encode_header(&mut buf, OpCode::Text, len, false);
        let head = buf.len() as u8;
        buf.push(kind.digit());
        for part in parts {
            buf.extend_from_slice(part);
        }
        Self { frame: buffers::into_frame(buf), head, binary: false, compress: true }
    }

    /// A binary message.
    pub fn binary(data: &[u8]) -> Self {
        Self::binary_frame(&[], data)
    }

    /// A packet without data.
    pub fn bare(kind: PacketType) -> Self {
        let frame: &'static [u8] = match kind {
            PacketType::Open => b"\x81\x010",
            PacketType::Close => b"\x81\x011",
            PacketType::Ping => b"\x81\x012",
            PacketType::Pong => b"\x81\x013",
            PacketType::Message => b"\x81\x014",
            PacketType::Upgrade => b"\x81\x015",
            PacketType::Noop => b"\x81\x016",
        };
        Self { frame: Bytes::from_static(frame), head: 2, binary: false, compress: true }
    }

    /// The same packet for a WebSocket client of revision 3, whose binary frames carry a type byte.
    pub fn for_revision_3(&self) -> Self {
        if self.binary {
            Self::binary_frame(&[REVISION_3_MESSAGE], self.payload())
        } else {
            self.clone()
        }
    }

    /// The packet as a text, for clients that take no binary frames.
    pub fn into_base64(self, revision: Revision) -> Self {
        if !self.binary {
            return self;
        }
        let prefix = if revision == Revision::V3 { "b4" } else { "b" };
        let text = format!("{prefix}{}", engine::to_base64(self.payload()));
        let frame = frame::encode_frame(OpCode::Text, text.as_bytes());
        let head = header_len(text.len()) as u8;
        Self { frame, head, binary: false, compress: self.compress }
    }

    /// Marks the packet as not worth compressing.
    pub fn uncompressed(mut self) -> Self {
        self.compress = false;
        self
    }

    /// Whether the packet may be compressed on its way.
    pub fn may_compress(&self) -> bool {
        self.compress
    }

    /// Whether the frame is a binary one.
    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// The WebSocket frame.
    pub fn into_frame(self) -> Bytes {
        self.frame
    }

    /// The packet as a polling payload takes it.
    pub fn as_out(&self) -> OutPacket<'_> {
        if self.binary {
            return OutPacket { kind: PacketType::Message, data: OutData::Binary(self.payload()) };
        }
        // Both halves are certain: text frames are built above from a digit and UTF-8.
        let text = std::str::from_utf8(self.payload()).unwrap_or_default();
        let kind = text.bytes().next().and_then(PacketType::from_digit).unwrap_or(PacketType::Noop);
        match text.get(1..) {
            Some("") | None => OutPacket { kind, data: OutData::None },
            Some(data) => OutPacket { kind, data: OutData::Text(data) },
        }
    }

    /// Bytes of the WebSocket frame.
    #[allow(clippy::len_without_is_empty, reason = "a frame has a header, so it is never empty")]
    pub fn len(&self) -> usize {
        self.frame.len()
    }

    /// Length of the data, without the frame around it and the type of the packet.
    pub fn data_len(&self) -> usize {
        self.payload().len().saturating_sub(usize::from(!self.binary))
    }

    /// What the frame carries.
    pub fn payload(&self) -> &[u8] {
        self.frame.get(usize::from(self.head)..).unwrap_or_default()
    }

    fn binary_frame(prefix: &[u8], data: &[u8]) -> Self {
        let len = prefix.len() + data.len();
        let mut buf = buffers::take(len + header_len(len));
        frame::encode_header(&mut buf, OpCode::Binary, len, false);
        let head = buf.len() as u8;
        buf.extend_from_slice(prefix);
        buf.extend_from_slice(data);
        Self { frame: buffers::into_frame(buf), head, binary: true, compress: true }
    }
}

/// Packets that leave together: an event and its attachments.
pub type Group = SmallVec<[Packet; 1]>;

/// Packets that go to many: an event and its attachments, or those of several emits.
#[derive(Debug)]
pub struct Parcel<'a> {
    packets: &'a [Packet],
    emits: u64,
    /// All frames in one buffer, made for the first recipient that takes them as they are.
    frames: OnceCell<Bytes>,
}

impl<'a> Parcel<'a> {
    /// The packets of so many emits.
    pub fn new(packets: &'a [Packet], emits: u64) -> Self {
        Self { packets, emits, frames: OnceCell::new() }
    }

    /// One by one.
    pub fn packets(&self) -> &'a [Packet] {
        self.packets
    }

    /// How many emits they are.
    pub fn emits(&self) -> u64 {
        self.emits
    }

    /// The frames of several emits in one buffer: each recipient's queue holds one buffer then, and
    /// the kernel takes one. Absent where there is nothing to join.
    pub fn frames(&self) -> Option<&Bytes> {
        let join = || {
            let len = self.packets.iter().map(Packet::len).sum();
            let mut frames = buffers::take(len);
            self.packets.iter().for_each(|packet| frames.extend_from_slice(&packet.frame));
            buffers::into_frame(frames)
        };
        (self.emits > 1).then(|| self.frames.get_or_init(join))
    }
}

/// Length of an unmasked frame header (RFC 6455, 5.2), so that the buffer is allocated exactly and
/// `Bytes` can take it over without a second allocation.
fn header_len(payload: usize) -> usize {
    match payload {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

const REVISION_3_MESSAGE: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_packet_serves_both_transports() {
        let packet = Packet::text(PacketType::Message, &[b"2", b"[\"a\"]"]);
        assert_eq!(&packet.clone().into_frame()[..], b"\x81\x0742[\"a\"]");
        let out = packet.as_out();
        assert_eq!(out.kind, PacketType::Message);
        assert!(matches!(out.data, OutData::Text("2[\"a\"]")));
    }

    #[test]
    fn a_binary_packet_gets_its_type_byte_only_in_revision_3() {
        let packet = Packet::binary(&[7, 8]);
        assert_eq!(&packet.clone().into_frame()[..], b"\x82\x02\x07\x08");
        assert_eq!(&packet.for_revision_3().into_frame()[..], b"\x82\x03\x04\x07\x08");
    }

    #[test]
    fn only_the_frames_of_several_emits_are_joined() {
        let packets = [Packet::text(PacketType::Message, &[b"a"]), Packet::binary(&[7])];
        assert_eq!(Parcel::new(&packets, 1).frames(), None);
        let parcel = Parcel::new(&packets, 2);
        let frames = parcel.frames().expect("joined");
        assert_eq!(&frames[..], b"\x81\x024a\x82\x01\x07");
        assert_eq!(parcel.frames().map(|again| again.as_ptr()), Some(frames.as_ptr()));
    }

    #[test]
    fn bare_packets_are_what_the_encoder_makes() {
        for digit in b'0'..=b'6' {
            let kind = PacketType::from_digit(digit).expect("a known digit");
            let bare = Packet::bare(kind).into_frame();
            assert_eq!(bare, Packet::text(kind, &[]).into_frame());
        }
    }
}
