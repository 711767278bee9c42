//! A WebSocket connection: its stream, its frame decoder and the frames that wait to be written.

use crate::proto::frame::Decoder;

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
    /// What goes out.
    pub out: WriteQueue,
    /// A task waits for the stream to take more.
    pub blocked: bool,
}

impl WebSocket {
    /// A WebSocket whose handshake is done.
    pub fn new(link: u32, stream: Stream, max_payload: Option<u64>) -> Self {
        Self {
            link,
            stream,
            decoder: Decoder::new(max_payload, false),
            out: WriteQueue::default(),
            blocked: false,
        }
    }
}
