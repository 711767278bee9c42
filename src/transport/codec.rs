//! The WebSocket frames of packets and the messages in frames, compressed where a connection has
//! agreed on it. One codec serves all connections of a shard: zlib's states exist once, and a
//! broadcast is compressed once.

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::proto::deflate::{Agreement, Compressor, History, Inflater, Settings};
use crate::proto::engine::Revision;
use crate::proto::frame::{self, FrameError, Message, OpCode, Payload};

use super::packet::Packet;

/// What one connection keeps for its compression.
#[derive(Debug)]
pub struct Deflate {
    agreement: Agreement,
    history: History,
    /// Bytes that a message may have once it is inflated.
    limit: u64,
}

impl Deflate {
    /// The state at the handshake. `limit` is that of the connection's decoder.
    pub fn new(agreement: Agreement, limit: Option<u64>) -> Self {
        let limit = limit.filter(|limit| *limit > 0).unwrap_or(u64::MAX);
        Self { agreement, history: History::new(&agreement), limit }
    }
}

/// Compressors, an inflater, and the frames of the broadcast that is being sent.
#[derive(Debug, Default)]
pub struct Codec {
    /// Filled as connections need them, the latest last.
    compressors: Vec<(Settings, Compressor)>,
    inflater: Option<Inflater>,
    /// `None` while nothing is being broadcast.
    shared: Option<FxHashMap<FrameKey, SharedFrame>>,
}

/// Which frame of a broadcast: the address of the uncompressed one, and in what form.
type FrameKey = (*const u8, Settings, Revision);

#[derive(Debug)]
struct SharedFrame {
    frame: Bytes,
    /// Keeps the address in the key from being used again.
    _source: Bytes,
}

impl Codec {
    /// From now on the frames of a packet are kept for its next recipient.
    pub fn begin_broadcast(&mut self) {
        self.shared = Some(FxHashMap::default());
    }

    /// The frames that were kept are not needed any more.
    pub fn end_broadcast(&mut self) {
        self.shared = None;
    }

    /// The frame of a packet for a connection.
    pub fn encode(
        &mut self,
        packet: Packet,
        revision: Revision,
        deflate: Option<&Deflate>,
    ) -> Bytes {
        let agreement = match deflate {
            Some(Deflate { agreement, .. })
                if packet.may_compress() && packet.payload().len() >= agreement.threshold =>
            {
                agreement
            }
            _ => return plain(packet, revision).into_frame(),
        };
        let source = packet.clone().into_frame();
        let key = (source.as_ptr(), agreement.settings, revision);
        if let Some(shared) = self.shared.as_ref().and_then(|shared| shared.get(&key)) {
            return shared.frame.clone();
        }
        let packet = plain(packet, revision);
        let opcode = if packet.is_binary() { OpCode::Binary } else { OpCode::Text };
        let frame = match self.compressor(agreement.settings).compress(packet.payload()) {
            Some(payload) => frame::encode_compressed(opcode, payload),
            None => packet.into_frame(),
        };
        if let Some(shared) = &mut self.shared {
            shared.insert(key, SharedFrame { frame: frame.clone(), _source: source });
        }
        frame
    }

    /// The message as the peer meant it.
    pub fn decode<'a>(
        &mut self,
        message: Message<'a>,
        deflate: Option<&mut Deflate>,
    ) -> Result<Message<'a>, FrameError> {
        let (data, is_text) = match message {
            Message::Text { data, compressed: true } => (data, true),
            Message::Binary { data, compressed: true } => (data, false),
            message => return Ok(message),
        };
        let Deflate { history, limit, .. } = deflate.ok_or(FrameError::Rsv1Set)?;
        let inflater = self.inflater.get_or_insert_default();
        let data = inflater.inflate(data.as_bytes(), history, *limit)?;
        if !is_text {
            return Ok(Message::Binary { data: Payload::Owned(data), compressed: false });
        }
        let text = String::from_utf8(data).map_err(|_| FrameError::InvalidUtf8)?;
        Ok(Message::Text { data: Payload::OwnedText(text), compressed: false })
    }

    fn compressor(&mut self, settings: Settings) -> &mut Compressor {
        let found = self.compressors.iter().position(|(known, _)| *known == settings);
        let index = found.unwrap_or_else(|| {
            if self.compressors.len() == MAX_COMPRESSORS {
                self.compressors.remove(0);
            }
            self.compressors.push((settings, Compressor::new(settings)));
            self.compressors.len() - 1
        });
        // The index was just found or made.
        &mut self.compressors[index].1
    }
}

/// The packet as clients of a revision take it.
fn plain(packet: Packet, revision: Revision) -> Packet {
    match revision {
        Revision::V4 => packet,
        Revision::V3 => packet.for_revision_3(),
    }
}

/// Settings in use at a time: clients choose among 8 windows, applications the rest.
const MAX_COMPRESSORS: usize = 16;

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use proptest::prelude::*;

    use super::*;
    use crate::proto::engine::PacketType;
    use crate::proto::frame::Decoder;

    const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

    fn deflate(threshold: usize, limit: Option<u64>) -> Deflate {
        let settings = Settings::new(15, 6, 8, 0);
        let agreement =
            Agreement { settings, threshold, peer_window_bits: 15, peer_takes_context_over: true };
        Deflate::new(agreement, limit)
    }

    fn long_packet() -> Packet {
        Packet::text(PacketType::Message, &["2[\"word\",\"word\"]".repeat(100).as_bytes()])
    }

    /// A masked client frame.
    fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first, 0x80 | payload.len() as u8, 1, 2, 3, 4];
        frame.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    /// Feeds pieces of a stream and collects what the messages say, or the fault.
    fn receive(pieces: &mut [Vec<u8>], mut deflate: Deflate) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut codec = Codec::default();
        let mut decoder = Decoder::new(Some(deflate.limit), true);
        let mut seen = Vec::new();
        let mut fault = None;
        for piece in pieces {
            decoder.feed(piece, |message| match codec.decode(message, Some(&mut deflate)) {
                Ok(Message::Text { data, .. } | Message::Binary { data, .. }) => {
                    seen.push(data.into_vec());
                    ControlFlow::Continue(())
                }
                Ok(_) => ControlFlow::Continue(()),
                Err(error) => {
                    fault = Some(error);
                    ControlFlow::Break(())
                }
            })?;
        }
        fault.map_or(Ok(seen), Err)
    }

    #[test]
    fn a_long_packet_is_compressed_where_that_is_agreed() {
        let mut codec = Codec::default();
        let plain = codec.encode(long_packet(), Revision::V4, None);
        assert_eq!(plain, long_packet().into_frame());
        let small = codec.encode(long_packet(), Revision::V4, Some(&deflate(1024, None)));
        assert_eq!(small[0], 0xc1);
        assert!(small.len() < 100);
    }

    #[test]
    fn a_packet_below_the_threshold_or_marked_stays_as_it_is() {
        let mut codec = Codec::default();
        let len = long_packet().payload().len();
        let frame = |codec: &mut Codec, packet: Packet, threshold| {
            codec.encode(packet, Revision::V4, Some(&deflate(threshold, None)))
        };
        assert_eq!(frame(&mut codec, long_packet(), len + 1), long_packet().into_frame());
        assert_ne!(frame(&mut codec, long_packet(), len), long_packet().into_frame());
        let marked = long_packet().uncompressed();
        assert_eq!(frame(&mut codec, marked, 0), long_packet().into_frame());
    }

    #[test]
    fn a_broadcast_is_compressed_once_for_all_that_agreed_on_the_same() {
        let mut codec = Codec::default();
        let packet = long_packet();
        let (one, other) = (deflate(0, None), deflate(100, None));
        let mut narrow = deflate(0, None);
        narrow.agreement.settings = Settings::new(9, 6, 8, 0);
        let encode = |codec: &mut Codec, deflate: &Deflate| {
            codec.encode(packet.clone(), Revision::V4, Some(deflate)).as_ptr()
        };
        codec.begin_broadcast();
        let first = encode(&mut codec, &one);
        assert_eq!(encode(&mut codec, &other), first);
        let second = encode(&mut codec, &narrow);
        assert_ne!(second, first);
        assert_eq!(encode(&mut codec, &narrow), second);
        assert_eq!(encode(&mut codec, &one), first);
        codec.end_broadcast();
        assert!(codec.shared.is_none());
    }

    #[test]
    fn a_binary_broadcast_differs_by_revision() {
        let mut codec = Codec::default();
        let packet = Packet::binary(&[7; 3000]);
        let deflate = deflate(0, None);
        codec.begin_broadcast();
        let v3 = codec.encode(packet.clone(), Revision::V3, Some(&deflate));
        let v4 = codec.encode(packet, Revision::V4, Some(&deflate));
        let inflate = |frame: &Bytes| {
            let mut history = History::new(&deflate.agreement);
            Inflater::new().inflate(&frame[2..], &mut history, u64::MAX)
        };
        assert_eq!((v3[0], v4[0]), (0xc2, 0xc2));
        assert_eq!(inflate(&v4), Ok(vec![7; 3000]));
        assert_eq!(inflate(&v3), Ok([&[4][..], &[7; 3000]].concat()));
    }

    #[test]
    fn the_number_of_compressors_is_bounded() {
        let mut codec = Codec::default();
        for level in 0..=9 {
            for window_bits in 9..=15 {
                let mut deflate = deflate(0, None);
                deflate.agreement.settings = Settings::new(window_bits, level, 1, 0);
                codec.encode(long_packet(), Revision::V4, Some(&deflate));
            }
        }
        assert_eq!(codec.compressors.len(), MAX_COMPRESSORS);
    }

    #[test]
    fn rfc_7692_a_message_in_two_fragments() {
        let mut stream = client_frame(0x41, &HELLO[..3]);
        stream.extend(client_frame(0x80, &HELLO[3..]));
        assert_eq!(receive(&mut [stream], deflate(0, None)), Ok(vec![b"Hello".to_vec()]));
    }

    #[test]
    fn text_has_to_be_utf_8_once_it_is_inflated() {
        let stored = [0x00, 0x01, 0x00, 0xfe, 0xff, 0xc3, 0x00];
        let text = client_frame(0xc1, &stored);
        assert_eq!(receive(&mut [text], deflate(0, None)), Err(FrameError::InvalidUtf8));
        let binary = client_frame(0xc2, &stored);
        assert_eq!(receive(&mut [binary], deflate(0, None)), Ok(vec![vec![0xc3]]));
    }

    #[test]
    fn the_limit_holds_for_the_inflated_message() {
        let frame = client_frame(0xc1, &HELLO);
        let received = receive(&mut [frame], deflate(0, Some(7)));
        assert_eq!(received, Ok(vec![b"Hello".to_vec()]));
        let zeros = client_frame(0xc2, &[0x63, 0x60, 0x60, 0x60, 0x00, 0x00]);
        assert_eq!(receive(&mut [zeros.clone()], deflate(0, None)), Ok(vec![vec![0; 4]]));
        let mut codec = Codec::default();
        let data = Payload::Owned(vec![0x63, 0x60, 0x60, 0x60, 0x00, 0x00]);
        let message = Message::Binary { data, compressed: true };
        let decoded = codec.decode(message, Some(&mut deflate(0, Some(3))));
        assert_eq!(decoded, Err(FrameError::MaxPayloadExceeded));
    }

    proptest! {
        #[test]
        fn a_stream_of_compressed_messages_may_be_cut_anywhere(
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            fragments in prop::collection::vec(1..6_usize, 1..5),
        ) {
            let mut stream = Vec::new();
            for split in &fragments {
                stream.extend(client_frame(0x41, &HELLO[..*split]));
                stream.extend(client_frame(0x89, b"ping"));
                stream.extend(client_frame(0x80, &HELLO[*split..]));
                stream.extend(client_frame(0x82, b"plain"));
            }
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let mut pieces: Vec<_> =
                cuts.windows(2).map(|ends| stream[ends[0]..ends[1]].to_vec()).collect();
            let expected: Vec<_> =
                fragments.iter().flat_map(|_| [b"Hello".to_vec(), b"plain".to_vec()]).collect();
            prop_assert_eq!(receive(&mut pieces, deflate(0, None)), Ok(expected));
        }
    }

    #[test]
    fn packets_of_every_kind_survive() {
        let mut codec = Codec::default();
        for kind in [PacketType::Open, PacketType::Message, PacketType::Pong] {
            let packet = Packet::text(kind, &[&[b'x'; 500]]);
            let frame = codec.encode(packet.clone(), Revision::V4, Some(&deflate(0, None)));
            let mut history = History::new(&deflate(0, None).agreement);
            let inflated = Inflater::new().inflate(&frame[2..], &mut history, u64::MAX);
            assert_eq!(inflated.as_deref(), Ok(packet.payload()));
        }
    }
}
