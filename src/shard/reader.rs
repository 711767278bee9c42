//! One task for every stream that is read, and one while a stream takes no more writes.

use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use crate::config;
use crate::event::Port;
use crate::proto::frame::{HEAD_READ, NextRead};
use crate::transport::Tls;

use super::opening::Source;
use super::state::Shard;
use super::worker::Shared;

/// A descriptor of an I/O thread.
pub type Fd = Rc<AsyncFd<OwnedFd>>;

impl Shared {
    /// Reads a stream until it ends or the session lets go of it.
    ///
    /// Every connection holds this future, so it is kept small: an `async fn` would hold its arguments
    /// twice, and `readable()` an entry for a list of those who wait.
    #[allow(clippy::manual_async_fn)]
    pub(super) fn read(self, key: u32, link: u32, source: Source) -> impl Future<Output = ()> {
        async move {
            let mut backlog = Backlog::default();
            while let Ok(mut ready) = poll_fn(|cx| source.fd.poll_read_ready(cx)).await {
                let round = self.read_round(key, link, &source, &mut backlog);
                if round.emptied {
                    // The next edge will say when to come back.
                    ready.clear_ready();
                }
                drop(ready);
                if round.flow.is_break() {
                    return;
                }
                if let Some((port, drains)) = round.wait {
                    // TCP pushes back on the peer until JavaScript has caught up.
                    Box::pin(async move { port.drained_since(drains).await }).await;
                    self.resume(key, link);
                }
            }
        }
    }

    fn resume(&self, key: u32, link: u32) {
        let mut state = self.state.borrow_mut();
        state.ctx.now = Instant::now();
        state.with(key, |session, ctx| session.resume(ctx, link));
    }

    /// Reads once and lets the session take the bytes in.
    fn read_round(&self, key: u32, link: u32, source: &Source, backlog: &mut Backlog) -> Round {
        let mut state = self.state.borrow_mut();
        let port = state.with(key, |session, _| session.port());
        let is_crowded =
            port.and_then(|id| state.ctx.port(id)).is_some_and(|port| port.is_crowded());
        if is_crowded && let Some(wait) = backlog.check(&mut state, key, link) {
            // Others have brought too much since this one was read.
            return Round { emptied: false, flow: ControlFlow::Continue(()), wait: Some(wait) };
        }
        let waiting = |state: &Shard| port.map_or(0, |id| state.ctx.waiting_events(id));
        let mut buffer = std::mem::take(&mut state.read_buffer);
        let (Read { step, emptied }, mut beyond) = state.receive(key, link, source, &mut buffer);
        state.ctx.now = Instant::now();
        let flow = match step {
            ReadStep::Bytes(count) => {
                let before = waiting(&state);
                state.ctx.metrics.reads.add(1);
                state.ctx.metrics.bytes_in.add(count as u64);
                let bytes = match &mut beyond {
                    Some(beyond) => beyond.as_mut_slice(),
                    None => buffer.get_mut(..count).unwrap_or_default(),
                };
                let keep = match &source.tls {
                    None => state.with(key, |session, ctx| session.on_bytes(ctx, link, bytes)),
                    Some(tls) => state.take_in(key, link, tls, bytes),
                };
                // Compressed, little may bring much.
                backlog.bytes += count.max(waiting(&state).saturating_sub(before));
                if keep == Some(true) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
            ReadStep::NotReady => ControlFlow::Continue(()),
            ReadStep::End => {
                state.with(key, |session, ctx| session.on_stream_end(ctx, link));
                ControlFlow::Break(())
            }
        };
        state.read_buffer = buffer;
        let wait = match flow {
            ControlFlow::Continue(()) => backlog.check(&mut state, key, link),
            ControlFlow::Break(()) => None,
        };
        state.ctx.flush_large_events();
        if state.has_work() {
            self.queue.wake();
        }
        Round { emptied, flow, wait }
    }

    pub(super) async fn watch_writes(self, key: u32, link: u32, fd: Fd) {
        while let Ok(mut ready) = fd.writable().await {
            let mut state = self.state.borrow_mut();
            state.ctx.now = Instant::now();
            let done =
                state.with(key, |session, ctx| session.on_writable(ctx, link)).unwrap_or(true);
            let wake = state.has_work();
            drop(state);
            if wake {
                self.queue.wake();
            }
            if done {
                return;
            }
            ready.clear_ready();
        }
    }
}

impl Shard {
    /// Reads once, to where the session wants the bytes: the end of the message that is coming in, or
    /// else the buffer. In the first case also returns what was read beyond that message.
    fn receive(
        &mut self,
        key: u32,
        link: u32,
        source: &Source,
        buffer: &mut [u8],
    ) -> (Read, Option<Vec<u8>>) {
        let next = self.with(key, |session, _| session.next_read(link));
        let next = next.filter(|_| source.tls.is_none()).unwrap_or(NextRead::All);
        let read = |message: &mut Vec<u8>| {
            let room = message.capacity() - message.len();
            read_once(&source.fd, rustix::buffer::spare_capacity(message), room)
        };
        if next == NextRead::Payload
            && let Some(Some((read, beyond))) =
                self.with(key, |session, _| session.read_payload(link, read))
        {
            return (read, Some(beyond));
        }
        let most = if next == NextRead::Head { HEAD_READ } else { buffer.len() };
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        let room = buffer.len();
        (read_once(&source.fd, buffer, room), None)
    }

    /// Lets a session take in what was read of its stream over TLS.
    fn take_in(&mut self, key: u32, link: u32, tls: &RefCell<Tls>, bytes: &[u8]) -> Option<bool> {
        let mut plain = std::mem::take(&mut self.plain);
        tls.borrow_mut().decrypt(bytes, &mut plain);
        let mut keep = Some(true);
        if !plain.is_empty() {
            keep = self.with(key, |session, ctx| session.on_bytes(ctx, link, &mut plain));
        }
        plain.clear();
        self.plain = plain;
        if keep != Some(true) {
            return keep;
        }
        if tls.borrow().has_ended() {
            self.with(key, |session, ctx| session.on_stream_end(ctx, link));
            return Some(false);
        }
        if tls.borrow().holds_back() {
            // The protocol itself has something to say.
            self.with(key, |session, ctx| session.mark_dirty(ctx));
        }
        keep
    }
}

/// What one read leaves to do.
struct Round {
    /// The socket holds no more for now: the read was short.
    emptied: bool,
    flow: ControlFlow<()>,
    /// Whom to wait for before the next read.
    wait: Option<(Arc<Port>, u64)>,
}

/// How much one stream has brought that JavaScript has not drained.
#[derive(Default)]
struct Backlog {
    bytes: usize,
    drains: u64,
}

impl Backlog {
    /// Says whom to wait for before more is read of a stream, if anybody. It is paused then.
    fn check(&mut self, state: &mut Shard, key: u32, link: u32) -> Option<(Arc<Port>, u64)> {
        let id = state.with(key, |session, _| session.port())?;
        let port = state.ctx.port(id)?.clone();
        let drains = port.drains();
        if drains != self.drains {
            // What came since the last drain is hard to tell from what came before: start over.
            self.drains = drains;
            self.bytes = 0;
        }
        if self.bytes < config::MAX_BACKLOG && !port.is_crowded() {
            return None;
        }
        if port.is_empty() && state.ctx.waiting_events(id) == 0 {
            // Half a message, and nothing for JavaScript to drain: waiting would be for ever.
            return None;
        }
        state.with(key, |session, _| session.pause(link));
        Some((port, drains))
    }
}

pub enum ReadStep {
    Bytes(usize),
    NotReady,
    End,
}

/// What has come of a read.
pub struct Read {
    pub step: ReadStep,
    /// The socket holds no more for now.
    pub emptied: bool,
}

/// One `read` into a buffer that has so much room.
pub fn read_once(
    fd: &Fd,
    buffer: impl rustix::buffer::Buffer<u8, Output = usize>,
    room: usize,
) -> Read {
    let (step, emptied) = match rustix::io::read(fd.as_fd(), buffer) {
        Ok(0) => (ReadStep::End, true),
        Ok(count) => (ReadStep::Bytes(count), count < room),
        Err(Errno::AGAIN) => (ReadStep::NotReady, true),
        Err(Errno::INTR) => (ReadStep::NotReady, false),
        Err(_) => (ReadStep::End, true),
    };
    Read { step, emptied }
}
