//! A WebSocket connection: its stream, its frame decoder and the frames that wait to be written.

use crate::proto::deflate::Agreement;
use crate::proto::engine::Revision;
use crate::proto::frame::Decoder;

use super::codec::{Codec, Deflate};
use super::packet::{Packet, Parcel};
use super::stream::Stream;
use super::write_queue::WriteQueue;

/// One WebSocket, either a session's transport or a probe.
#[derive(Debug)]
pub struct WebSocket {
    /// The id by which JavaScript knows the stream.
    pub link: u32,
    /// Where bytes go.
    pub stream: Stream,
    /// What came in so far.
    pub decoder: Decoder,
    /// The state of compression, if that was agreed on.
    pub deflate: Option<Box<Deflate>>,
    /// What goes out.
    pub out: WriteQueue,
    /// The client takes binary data as base64 in text frames only.
    pub base64: bool,
    /// A task waits for the stream to take more.
    pub blocked: bool,
}

impl WebSocket {
    /// A WebSocket whose handshake is done.
    pub fn new(
        link: u32,
        stream: Stream,
        max_payload: Option<u64>,
        agreement: Option<Agreement>,
    ) -> Self {
        let deflate = agreement.map(|agreement| Box::new(Deflate::new(agreement, max_payload)));
        Self {
            link,
            stream,
            decoder: Decoder::new(max_payload, agreement.is_some()),
            deflate,
            out: WriteQueue::default(),
            base64: false,
            blocked: false,
        }
    }

    /// Queues packets that travel together.
    pub fn put_all(&mut self, codec: &mut Codec, parcel: &Parcel<'_>, revision: Revision) {
        if self.deflate.is_some() || self.base64 || revision != Revision::V4 {
            for packet in parcel.packets() {
                self.put(codec, packet.clone(), revision);
            }
        } else if let Some(frames) = parcel.frames() {
            self.out.push(frames.clone());
        } else {
            for packet in parcel.packets() {
                self.out.push(packet.clone().into_frame());
            }
        }
    }

    /// Queues a packet.
    pub fn put(&mut self, codec: &mut Codec, packet: Packet, revision: Revision) {
        let packet = if self.base64 { packet.into_base64(revision) } else { packet };
        self.out.push(codec.encode(packet, revision, self.deflate.as_deref()));
    }
}
