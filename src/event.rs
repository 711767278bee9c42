//! The only door out of the core: batches of events for one JavaScript environment.
//!
//! A batch is one JSON text, a flat array, plus a list of values that do not fit JSON. The flat
//! array is a sequence of records. A negative number `-(handle + 1)` opens the records of one
//! chunk of one session; every other record is a kind followed by its fields:
//!
//! | kind | fields | meaning |
//! |---|---|---|
//! | 0 | ordinal, ack id or -1, attachments, args | Socket.IO EVENT |
//! | 1 | ordinal, ack id, attachments, args | Socket.IO ACK |
//! | 2 | (takes a text extra) | a message for the full decoder |
//! | 3 | (takes a binary extra) | a binary message for the full decoder |
//! | 4 | reason, description or null | the session is closed |
//! | 5 | | now on WebSocket |
//! | 6 | link | probe answered on this link: upgrading |
//! | 7 | | heartbeat |
//! | 8 | | everything queued was written |
//! | 9 | type | a ping, pong or other engine packet (observed sessions only) |
//! | 10 | request, status, body kind | answer to a polling request; body kind: 0 none, 1 text extra, 2 binary extra, 3 `ok`, 4 an Engine.IO error (its code follows), 5 and 6 as 1 and 2 but not to be compressed |
//! | 11 | link (takes a binary extra) | bytes for a bridged stream |
//! | 12 | link | bridged stream: end it after what was written |
//! | 13 | link | the stream is gone |
//! | 14 | link | the probe failed and its stream is being closed |
//!
//! Argument text is validated before it gets here, so one `JSON.parse` of the batch cannot fail.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

/// A value that travels beside the JSON text.
#[derive(Debug)]
pub enum Extra {
    /// Becomes a string.
    Text(String),
    /// Becomes a Buffer that takes the memory over.
    Binary(Vec<u8>),
    /// Becomes a Buffer with a copy.
    Shared(Bytes),
}

/// Why a session ended; the text is the reference's disconnect reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The transport broke a rule or failed.
    TransportError,
    /// The peer went away.
    TransportClose,
    /// The application closed the connection.
    ForcedClose,
    /// No pong (v4) or ping (v3) in time.
    PingTimeout,
    /// An Engine.IO packet could not be decoded.
    ParseError,
}

impl CloseReason {
    /// The text given to `disconnect` listeners.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportError => "transport error",
            Self::TransportClose => "transport close",
            Self::ForcedClose => "forced close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
        }
    }
}

/// Body of a polling answer.
#[derive(Debug)]
pub enum Body {
    /// No body.
    Empty,
    /// `text/plain` payload.
    Text {
        /// The payload.
        text: String,
        /// Some packet of it may be compressed.
        compress: bool,
    },
    /// `application/octet-stream` payload (revision 3).
    Binary {
        /// The payload.
        data: Vec<u8>,
        /// Some packet of it may be compressed.
        compress: bool,
    },
    /// The `ok` of a POST.
    Ok,
    /// `{"code":..,"message":..}` with this Engine.IO error code.
    Refused(u8),
}

/// Events on their way to JavaScript. See the module's table for the format.
#[derive(Debug)]
pub struct EventBatch {
    text: String,
    extras: Vec<Extra>,
    chunk: u32,
}

impl EventBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self { text: String::new(), extras: Vec::new(), chunk: NO_CHUNK }
    }

    /// True when there is nothing to deliver.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Starts a new chunk: what follows came from another read, even for the same session.
    pub fn end_chunk(&mut self) {
        self.chunk = NO_CHUNK;
    }

    /// An EVENT or ACK with validated argument text.
    pub fn packet(
        &mut self,
        session: u32,
        is_ack: bool,
        ordinal: u32,
        id: Option<u64>,
        args: &str,
        attachments: Vec<Vec<u8>>,
    ) {
        self.open(session);
        self.text.push_str(if is_ack { "1," } else { "0," });
        self.number(ordinal.into());
        match id {
            Some(id) => self.number(id),
            None => self.text.push_str("-1,"),
        }
        self.number(attachments.len() as u64);
        self.text.push_str(args);
        self.text.push(',');
        self.extras.extend(attachments.into_iter().map(Extra::Binary));
    }

    /// A text message for the full decoder.
    pub fn raw_text(&mut self, session: u32, text: String) {
        self.record(session, "2,");
        self.extras.push(Extra::Text(text));
    }

    /// A binary message for the full decoder.
    pub fn raw_binary(&mut self, session: u32, data: Vec<u8>) {
        self.record(session, "3,");
        self.extras.push(Extra::Binary(data));
    }

    /// The session ended. Exactly one for each session; the handle may be released after it.
    pub fn closed(&mut self, session: u32, reason: CloseReason, description: Option<&str>) {
        self.record(session, "4,\"");
        self.text.push_str(reason.as_str());
        self.text.push_str("\",");
        match description.and_then(|text| serde_json::to_string(text).ok()) {
            Some(json) => self.text.push_str(&json),
            None => self.text.push_str("null"),
        }
        self.text.push(',');
    }

    /// The session is on WebSocket from here on.
    pub fn upgraded(&mut self, session: u32) {
        self.record(session, "5,");
    }

    /// A probe was answered.
    pub fn upgrading(&mut self, session: u32, link: u32) {
        self.record(session, "6,");
        self.number(link.into());
    }

    /// The peer answered a ping (v4) or sent one (v3).
    pub fn heartbeat(&mut self, session: u32) {
        self.record(session, "7,");
    }

    /// Everything queued was handed to the kernel or the poll.
    pub fn drained(&mut self, session: u32) {
        self.record(session, "8,");
    }

    /// An engine packet without data, for observed sessions.
    pub fn engine_packet(&mut self, session: u32, digit: u8) {
        self.record(session, "9,");
        self.number(digit.into());
    }

    /// The answer to a polling request.
    pub fn response(&mut self, session: u32, request: u32, status: u16, body: Body) {
        self.record(session, "10,");
        self.number(request.into());
        self.number(status.into());
        let (kind, extra) = match body {
            Body::Empty => ("0,", None),
            Body::Text { text, compress } => {
                (if compress { "1," } else { "5," }, Some(Extra::Text(text)))
            }
            Body::Binary { data, compress } => {
                (if compress { "2," } else { "6," }, Some(Extra::Binary(data)))
            }
            Body::Ok => ("3,", None),
            Body::Refused(code) => {
                self.text.push_str("4,");
                return self.number(code.into());
            }
        };
        self.text.push_str(kind);
        self.extras.extend(extra);
    }

    /// Bytes that JavaScript has to write to a bridged stream.
    pub fn bridge_write(&mut self, session: u32, link: u32, data: Vec<u8>) {
        self.link_record(session, "11,", link);
        self.extras.push(Extra::Binary(data));
    }

    /// A bridged stream has to be ended.
    pub fn bridge_end(&mut self, session: u32, link: u32) {
        self.link_record(session, "12,", link);
    }

    /// A stream's file descriptor is closed, or a bridged stream is no longer used.
    pub fn stream_gone(&mut self, session: u32, link: u32) {
        self.link_record(session, "13,", link);
    }

    /// A probe ended without an upgrade.
    pub fn probe_failed(&mut self, session: u32, link: u32) {
        self.link_record(session, "14,", link);
    }

    /// The JSON text and the values beside it.
    pub fn into_parts(mut self) -> (String, Vec<Extra>) {
        if self.text.is_empty() {
            self.text.push('[');
        } else {
            self.text.pop();
        }
        self.text.push(']');
        (self.text, self.extras)
    }

    fn append(&mut self, mut other: Self) {
        if self.text.is_empty() {
            *self = other;
        } else {
            // Every batch opens with "[" so that a lone one needs no copy.
            self.text.push_str(other.text.get(1..).unwrap_or_default());
            self.extras.append(&mut other.extras);
        }
    }

    fn open(&mut self, session: u32) {
        if self.text.is_empty() {
            self.text.push('[');
        }
        if self.chunk != session {
            self.chunk = session;
            self.text.push('-');
            self.number(u64::from(session) + 1);
        }
    }

    fn record(&mut self, session: u32, kind: &str) {
        self.open(session);
        self.text.push_str(kind);
    }

    fn link_record(&mut self, session: u32, kind: &str, link: u32) {
        self.record(session, kind);
        self.number(link.into());
    }

    fn number(&mut self, value: u64) {
        self.text.push_str(itoa::Buffer::new().format(value));
        self.text.push(',');
    }
}

impl Default for EventBatch {
    fn default() -> Self {
        Self::new()
    }
}

const NO_CHUNK: u32 = u32::MAX;

/// Where a JavaScript environment receives its batches. Shards push; the environment drains.
///
/// One wake-up is outstanding at most, and a drain takes all there is.
pub struct Port {
    queue: Mutex<EventBatch>,
    scheduled: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Port {
    /// `wake` is called from a shard when a drain is due; it must not block.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            queue: Mutex::new(EventBatch::new()),
            scheduled: AtomicBool::new(false),
            wake: Box::new(wake),
        }
    }

    /// Hands a batch over and wakes the environment unless a drain is already due.
    pub fn submit(&self, batch: EventBatch) {
        self.queue.lock().append(batch);
        if !self.scheduled.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    /// Takes everything. Called by the environment.
    pub fn drain(&self) -> EventBatch {
        self.scheduled.store(false, Ordering::Release);
        std::mem::take(&mut *self.queue.lock())
    }
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").finish_non_exhaustive()
    }
}
