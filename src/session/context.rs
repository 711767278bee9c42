//! What a session needs from its shard while it works: the time, the event batches, and lists of
//! things the shard does once the session is done.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
#[cfg(unix)]
use std::os::fd::OwnedFd;
#[cfg(unix)]
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;
#[cfg(unix)]
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::event::{EventBatch, Port, Response};
use crate::metrics::Metrics;
use crate::transport::{Codec, WebSocket};

/// Index of a port within its shard.
pub type PortId = usize;

/// Shard state that sessions may use.
#[derive(Debug)]
pub struct Context {
    /// Time of the current round.
    pub now: Instant,
    /// Sessions with something to flush.
    pub dirty: Vec<u32>,
    /// Sessions that ended in this round: the shard forgets their rooms.
    pub closed: Vec<u32>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Futures to start.
    pub tasks: Vec<Task>,
    /// Makes frames of packets and messages of frames.
    pub codec: Codec,
    /// A timer was set that is due before all others: the loop has to wait less.
    pub hurry: bool,
    /// Where the answers to requests go that the listener has read.
    pub replies: FxHashMap<u32, oneshot::Sender<Response>>,
    start: Instant,
    timers: BinaryHeap<Reverse<(Instant, u32, TimerKind)>>,
    ports: Vec<Option<PortSlot>>,
}

#[derive(Debug)]
struct PortSlot {
    /// Absent for an environment that is gone.
    port: Option<Arc<Port>>,
    batch: EventBatch,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// Next ping, or the end of the wait for a pong.
    Heartbeat,
    /// The probe took too long.
    Probe,
    /// Answer a GET that would hold up an upgrade.
    Noop,
    /// The deferred close of a polling session.
    Close,
}

/// Work that goes on beside the shard's loop.
#[derive(Debug)]
pub enum Task {
    /// Flush again once the stream takes bytes.
    #[cfg(unix)]
    WatchWrites {
        /// The session.
        key: u32,
        /// Its stream.
        link: u32,
        /// The stream's descriptor.
        fd: Rc<AsyncFd<OwnedFd>>,
    },
    /// Part with a stream: write what is left, then wait for the peer to close when `wait`.
    Linger {
        /// Who hears that the stream is gone.
        port: PortId,
        /// The session that it belonged to.
        handle: u32,
        /// The WebSocket.
        ws: WebSocket,
        /// Give the peer time to close too.
        wait: bool,
    },
}

impl Context {
    /// An empty context.
    pub fn new(now: Instant, metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            now,
            dirty: Vec::new(),
            closed: Vec::new(),
            tasks: Vec::new(),
            codec: Codec::default(),
            hurry: false,
            replies: FxHashMap::default(),
            start: now,
            timers: BinaryHeap::new(),
            ports: Vec::new(),
        }
    }

    /// The batch of one environment. Events for an environment that is gone are dropped.
    pub fn events(&mut self, port: PortId) -> &mut EventBatch {
        if self.ports.len() <= port {
            self.ports.resize_with(port + 1, || None);
        }
        // A slot without a port collects what nobody will read; `flush_events` empties it.
        let slot = &mut self.ports[port];
        &mut slot.get_or_insert_with(|| PortSlot { port: None, batch: EventBatch::new() }).batch
    }

    /// The environment's port itself.
    pub fn port(&self, id: PortId) -> Option<&Arc<Port>> {
        self.ports.get(id)?.as_ref()?.port.as_ref()
    }

    /// Makes an environment known under `id`.
    pub fn add_port(&mut self, id: PortId, port: Arc<Port>) {
        if self.ports.len() <= id {
            self.ports.resize_with(id + 1, || None);
        }
        self.ports[id] = Some(PortSlot { port: Some(port), batch: EventBatch::new() });
    }

    /// Forgets an environment.
    pub fn remove_port(&mut self, id: PortId) {
        if let Some(slot) = self.ports.get_mut(id) {
            *slot = None;
        }
    }

    /// Bytes of events that wait for `flush_events`, for one environment.
    pub fn waiting_events(&self, port: PortId) -> usize {
        self.ports.get(port).and_then(Option::as_ref).map_or(0, |slot| slot.batch.len())
    }

    /// True when an event waits for `flush_events`.
    pub fn has_events(&self) -> bool {
        self.ports.iter().flatten().any(|slot| !slot.batch.is_empty())
    }

    /// Hands all batches over if one is large: what else comes in this round must not make it more
    /// than JavaScript can hold in one text.
    pub fn flush_large_events(&mut self) {
        if self.ports.iter().flatten().any(|slot| slot.batch.len() > LARGE) {
            self.flush_events();
        }
    }

    /// Lets go of a stream at once that is only to be parted with in this round.
    pub fn cut_farewell(&mut self, link: u32) {
        for task in &mut self.tasks {
            if let Task::Linger { ws, wait, .. } = task
                && ws.link == link
            {
                ws.out.clear();
                *wait = false;
            }
        }
    }

    /// Hands all batches over.
    pub fn flush_events(&mut self) {
        for slot in self.ports.iter_mut().flatten() {
            if !slot.batch.is_empty() {
                let batch = std::mem::take(&mut slot.batch);
                if let Some(port) = &slot.port {
                    port.submit(batch);
                }
            }
        }
    }

    /// The end of a window of that length that is nearest to `at`. Windows are the same for all.
    pub fn nearest(&self, at: Instant, window: Duration) -> Instant {
        let window = window.as_millis();
        let since = at.saturating_duration_since(self.start).as_millis();
        let over = since.checked_rem(window).unwrap_or(0);
        let ms = |count| Duration::from_millis(u64::try_from(count).unwrap_or(0));
        if over * 2 < window {
            at.checked_sub(ms(over)).unwrap_or(at)
        } else {
            at + ms(window - over)
        }
    }

    /// Starts a timer. Timers are not cancelled: who gets one checks whether it still means it.
    pub fn timer(&mut self, at: Instant, key: u32, kind: TimerKind) {
        self.hurry |= self.next_timer().is_none_or(|next| at < next);
        self.timers.push(Reverse((at, key, kind)));
    }

    /// When the next timer is due.
    pub fn next_timer(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes a timer that is due.
    pub fn pop_due(&mut self) -> Option<(Instant, u32, TimerKind)> {
        if self.next_timer().is_some_and(|at| at <= self.now) {
            self.timers.pop().map(|Reverse(timer)| timer)
        } else {
            None
        }
    }
}

/// Bytes of events above which a batch is not added to.
const LARGE: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_batches_are_told_at_once_and_each_environment_has_its_own() {
        let mut ctx = Context::new(Instant::now(), Arc::new(Metrics::default()));
        let ports = [(); 2].map(|()| Arc::new(Port::new(|| {})));
        for (id, port) in ports.iter().enumerate() {
            ctx.add_port(id, port.clone());
        }
        ctx.events(0).raw_binary(0, vec![0; LARGE]);
        assert!(ctx.waiting_events(0) > LARGE);
        assert_eq!((ctx.waiting_events(1), ctx.waiting_events(7)), (0, 0));
        ctx.flush_large_events();
        assert_eq!(ctx.waiting_events(0), 0);
        ctx.events(0).raw_text(0, "small".into());
        ctx.flush_large_events();
        assert!(ctx.waiting_events(0) > 0, "more may join it");
        assert!(ports[0].queued() > LARGE && ports[1].is_empty());
    }
}
