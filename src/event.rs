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
//! | 15 | bytes | the peer takes no more: so many bytes wait; 0 when all were written again |
//! | 16 | opcode (takes a binary extra) | a control frame (watched sessions only) |
//! | 17 | type | a ping or pong is due that JavaScript wants to send itself |
//! | 18 | engine, sid, transport, link, acceptor, addresses, head | the listener has opened this session; transport: 0 polling, 1 WebSocket; addresses: the peer's, its port, our own, its port; head: of the request, as Latin-1 |
//! | 19 | link, acceptor, addresses, head | the listener has a WebSocket that probes this session |
//! | 20 | acceptor | connections wait to be taken by the owner of the HTTP server |
//! | 21 | acceptor | the listener is closed, and all that it served over HTTP is gone |
//!
//! Argument text is validated before it gets here, so one `JSON.parse` of the batch cannot fail.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::owed::Owed;

/// A value that travels beside the JSON text.
#[derive(Debug)]
pub enum Extra {
    /// Becomes a string.
    Text(String),
    /// Becomes a Buffer that takes the memory over.
    Binary(Vec<u8>),
}

impl Extra {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(data) => data.len(),
        }
    }
}

/// Why a session ended; the text is the reason that `disconnect` listeners are given.
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
    /// The client did more than a limit allows that the reference does not have.
    LimitExceeded,
}

impl CloseReason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::TransportError,
        Self::TransportClose,
        Self::ForcedClose,
        Self::PingTimeout,
        Self::ParseError,
        Self::LimitExceeded,
    ];

    /// The text given to `disconnect` listeners.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportError => "transport error",
            Self::TransportClose => "transport close",
            Self::ForcedClose => "forced close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::LimitExceeded => "limit exceeded",
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

/// The answer to a polling request that the listener has read.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Its body.
    pub body: Body,
    /// Kept until it is written.
    pub owed: Owed,
}

/// True for the number of a request that the listener has read: JavaScript's have no such bit.
pub fn is_listeners(request: u32) -> bool {
    request & LISTENERS != 0
}

/// A number for a request that the listener has read.
pub fn next_request() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    LISTENERS | NEXT.fetch_add(1, Ordering::Relaxed)
}

const LISTENERS: u32 = 1 << 31;

/// Events on their way to JavaScript. See the module's table for the format.
#[derive(Debug)]
pub struct EventBatch {
    text: String,
    extras: Vec<Extra>,
    /// What all extras cost, in bytes.
    extra_len: usize,
    chunk: u32,
}

impl EventBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self { text: String::new(), extras: Vec::new(), extra_len: 0, chunk: NO_CHUNK }
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
        for attachment in attachments {
            self.extra(Extra::Binary(attachment));
        }
    }

    /// A text message for the full decoder.
    pub fn raw_text(&mut self, session: u32, text: String) {
        self.record(session, "2,");
        self.extra(Extra::Text(text));
    }

    /// A binary message for the full decoder.
    pub fn raw_binary(&mut self, session: u32, data: Vec<u8>) {
        self.record(session, "3,");
        self.extra(Extra::Binary(data));
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
    pub fn engine_packet(&mut self, session: u32, number: u8) {
        self.record(session, "9,");
        self.number(number.into());
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
        if let Some(extra) = extra {
            self.extra(extra);
        }
    }

    /// Bytes that JavaScript has to write to a bridged stream.
    pub fn bridge_write(&mut self, session: u32, link: u32, data: Vec<u8>) {
        self.link_record(session, "11,", link);
        self.extra(Extra::Binary(data));
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

    /// The peer takes no more bytes, and so many wait; 0 when all were written after that.
    pub fn blocked(&mut self, session: u32, bytes: u64) {
        self.record(session, "15,");
        self.number(bytes);
    }

    /// The listener has opened this session. What follows belongs to another chunk, so that the
    /// session is known by then. `details` are the fields in JSON.
    pub fn accepted(&mut self, session: u32, details: &str) {
        self.record(session, "18,");
        self.text.push_str(details);
        self.text.push(',');
        self.end_chunk();
    }

    /// A WebSocket that the listener has accepted probes this session.
    pub fn probing(&mut self, session: u32, link: u32, details: &str) {
        self.link_record(session, "19,", link);
        self.text.push_str(details);
        self.text.push(',');
    }

    /// The listener has connections that are not its own.
    pub fn passed(&mut self, acceptor: u32) {
        let session = NO_SESSION;
        self.link_record(session, "20,", acceptor);
    }

    /// The listener has closed.
    pub fn unlistened(&mut self, acceptor: u32) {
        let session = NO_SESSION;
        self.link_record(session, "21,", acceptor);
    }

    /// A heartbeat packet is due, and JavaScript wants to see it pass.
    pub fn send_due(&mut self, session: u32, number: u8) {
        self.record(session, "17,");
        self.number(number.into());
    }

    /// What the batch costs, in bytes.
    pub fn len(&self) -> usize {
        self.text.len() + self.extra_len
    }

    /// A control frame of the WebSocket, for watched sessions.
    pub fn control(&mut self, session: u32, opcode: u8, data: &[u8]) {
        self.record(session, "16,");
        self.number(opcode.into());
        self.extra(Extra::Binary(data.to_vec()));
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
            self.extra_len += other.extra_len;
        }
    }

    fn extra(&mut self, extra: Extra) {
        self.extra_len += extra.len() + EXTRA_COST;
        self.extras.push(extra);
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
/// Stands for the session in records that are about none. No handle is that large.
const NO_SESSION: u32 = (1 << 31) - 2;

/// Where a JavaScript environment receives its batches. Shards push; the environment drains.
///
/// One wake-up is outstanding at most. A drain takes a bounded amount, so that no batch outgrows
/// what a JavaScript string can hold. What is queued is bounded because shards stop reading a
/// session whose packets are not drained (see `is_crowded` and `drains`).
pub struct Port {
    queue: Mutex<Queue>,
    scheduled: AtomicBool,
    /// Bytes that were ever submitted, and those of them that were drained.
    submitted: AtomicU64,
    taken: AtomicU64,
    drains: AtomicU64,
    drained: Notify,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<(EventBatch, usize)>,
    /// Since when the environment could have drained.
    waiting_since: Option<Instant>,
    /// The waits that were longer than `STALL`.
    stalls: Option<Stalls>,
    /// All waits together.
    waited: Duration,
}

/// Waits of an environment that was too busy to serve its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stalls {
    /// The end of the last one; now, if it lasts.
    pub until: Instant,
    /// How long they were, all together.
    pub total: Duration,
}

impl Port {
    /// `wake` is called from a shard when a drain is due; it must not block.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            queue: Mutex::new(Queue::default()),
            scheduled: AtomicBool::new(false),
            submitted: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            drains: AtomicU64::new(0),
            drained: Notify::new(),
            wake: Box::new(wake),
        }
    }

    /// Hands a batch over and wakes the environment unless a drain is already due.
    pub fn submit(&self, batch: EventBatch) {
        let len = batch.len();
        self.submitted.fetch_add(len as u64, Ordering::Relaxed);
        {
            let mut queue = self.queue.lock();
            queue.waiting_since.get_or_insert_with(Instant::now);
            match queue.batches.back_mut() {
                Some((last, size)) if *size + len <= MAX_DRAIN => {
                    last.append(batch);
                    *size += len;
                }
                _ => queue.batches.push_back((batch, len)),
            }
        }
        self.schedule();
    }

    /// Takes a batch; a further wake-up follows when more wait. Called by the environment.
    pub fn drain(&self) -> EventBatch {
        self.scheduled.store(false, Ordering::Release);
        let (taken, more) = {
            let mut queue = self.queue.lock();
            let taken = queue.batches.pop_front();
            let more = !queue.batches.is_empty();
            if let Some(since) = queue.waiting_since.take() {
                let now = Instant::now();
                let wait = now.saturating_duration_since(since);
                queue.waited += wait;
                queue.stalls = queue.stalls_with(wait, now);
                queue.waiting_since = more.then_some(now);
            }
            (taken, more)
        };
        if more {
            self.schedule();
        }
        let Some((batch, len)) = taken else { return EventBatch::new() };
        self.taken.fetch_add(len as u64, Ordering::Relaxed);
        self.drains.fetch_add(1, Ordering::Release);
        self.drained.notify_waiters();
        batch
    }

    /// Bytes that the environment has not drained.
    pub fn queued(&self) -> usize {
        let taken = self.taken.load(Ordering::Relaxed);
        self.submitted.load(Ordering::Relaxed).saturating_sub(taken) as usize
    }

    /// How often the environment has drained: a session's reader compares.
    pub fn drains(&self) -> u64 {
        self.drains.load(Ordering::Acquire)
    }

    /// Has the environment drain soon, though there may be nothing: `stalls` then tells
    /// whether it has.
    pub fn nudge(&self) {
        self.queue.lock().waiting_since.get_or_insert_with(Instant::now);
        self.schedule();
    }

    /// How long batches have waited for the environment, all together.
    pub fn waited(&self) -> Duration {
        self.queue.lock().waited
    }

    /// How the environment was too busy to drain, up to now, if it ever was.
    pub fn stalls(&self, now: Instant) -> Option<Stalls> {
        let queue = self.queue.lock();
        let wait = queue
            .waiting_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        queue.stalls_with(wait, now)
    }

    /// True when everything was drained.
    pub fn is_empty(&self) -> bool {
        self.queued() == 0
    }

    /// True while so much is queued that no session should add to it.
    pub fn is_crowded(&self) -> bool {
        self.queued() > CROWDED
    }

    /// Waits until the environment has drained more often than `drains` times.
    pub async fn drained_since(&self, drains: u64) {
        loop {
            let mut notified = std::pin::pin!(self.drained.notified());
            notified.as_mut().enable();
            if self.drains() != drains {
                return;
            }
            notified.await;
        }
    }

    /// Waits until the environment has drained all that is queued by now.
    pub async fn caught_up(&self) {
        let all = self.submitted.load(Ordering::Relaxed);
        loop {
            let drains = self.drains();
            if self.taken.load(Ordering::Relaxed) >= all {
                return;
            }
            self.drained_since(drains).await;
        }
    }

    /// Has the environment drain soon, though nothing may wait here.
    pub fn wake(&self) {
        self.schedule();
    }

    /// What is submitted until the next drain wakes nobody: the environment is about to drain.
    pub fn hold(&self) {
        self.scheduled.store(true, Ordering::Release);
    }

    fn schedule(&self) {
        if !self.scheduled.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }
}

impl Queue {
    /// The stalls, with a wait that lasted until now if it was one.
    fn stalls_with(&self, wait: Duration, now: Instant) -> Option<Stalls> {
        if wait <= STALL {
            return self.stalls;
        }
        let before = self.stalls.map_or(Duration::ZERO, |stalls| stalls.total);
        Some(Stalls { until: now, total: before + wait })
    }
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").finish_non_exhaustive()
    }
}

/// What a value beside the text costs besides its bytes, here and as a string or Buffer: of empty ones
/// a client could send any number otherwise.
const EXTRA_COST: usize = 96;
/// Most bytes of one drain, unless a single round of a shard brings more.
const MAX_DRAIN: usize = 256 * 1024;
/// An environment that takes longer than this to drain is too busy to serve its connections.
pub const STALL: Duration = Duration::from_millis(100);
/// Bytes queued for one environment above which no session is read.
const CROWDED: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    fn batch(session: u32, bytes: usize) -> EventBatch {
        let mut batch = EventBatch::new();
        batch.raw_text(session, "x".repeat(bytes));
        batch
    }

    #[test]
    fn appended_batches_are_one_json_array() {
        let mut first = EventBatch::new();
        first.packet(0, false, 0, None, "[\"a\"]", Vec::new());
        let mut second = EventBatch::new();
        second.closed(1, CloseReason::TransportError, Some("a \"reason\""));
        first.append(second);
        let (text, _) = first.into_parts();
        assert_eq!(text, r#"[-1,0,0,-1,0,["a"],-2,4,"transport error","a \"reason\""]"#);
    }

    #[test]
    fn a_wait_that_is_too_long_is_remembered() {
        let port = Port::new(|| {});
        let start = Instant::now();
        assert_eq!(port.stalls(start), None);
        port.submit(batch(0, 1));
        assert_eq!(port.stalls(start), None);
        let later = Instant::now() + STALL * 2;
        let until = |now| port.stalls(now).map(|stalls| stalls.until);
        assert_eq!(until(later), Some(later), "still waiting");
        port.queue.lock().waiting_since = start.checked_sub(STALL * 2);
        port.drain();
        let first = port.stalls(later).expect("it has stalled");
        assert!(first.until < later, "no longer");
        assert!(first.total >= STALL * 2);
        assert!(port.waited() > STALL);
        port.nudge();
        assert_eq!(until(later), Some(later), "asked, and has not answered");
        assert!(port.stalls(later).is_some_and(|stalls| stalls.total > first.total));
        port.drain();
        assert_eq!(port.stalls(later), Some(first), "has answered");
    }

    #[test]
    fn values_without_bytes_count() {
        let mut batch = EventBatch::new();
        for _ in 0..1000 {
            batch.raw_binary(0, Vec::new());
        }
        assert!(batch.len() >= 1000 * EXTRA_COST);
    }

    #[tokio::test]
    async fn who_waits_for_the_environment_waits_for_what_was_there() {
        let port = Port::new(|| {});
        port.caught_up().await;
        for session in 0..2 {
            port.submit(batch(session, MAX_DRAIN));
        }
        let mut waiting = std::pin::pin!(port.caught_up());
        let mut waits =
            async || tokio::time::timeout(Duration::ZERO, waiting.as_mut()).await.is_err();
        assert!(waits().await);
        port.drain();
        assert!(waits().await);
        port.submit(batch(2, MAX_DRAIN));
        port.drain();
        assert!(!waits().await, "what came later is none of its business");
    }

    #[test]
    fn a_drain_is_bounded_and_wakes_again_for_the_rest() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        let port = Port::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        for session in 0..3 {
            port.submit(batch(session, MAX_DRAIN - 100));
        }
        assert_eq!(wakes.load(Ordering::Relaxed), 1, "one wake-up until the first drain");
        let mut drained = 0;
        while !port.drain().is_empty() {
            drained += 1;
        }
        assert_eq!(drained, 3);
        assert_eq!(wakes.load(Ordering::Relaxed), 3);
        assert!(!port.is_crowded());
    }
}
