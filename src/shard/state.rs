//! What a shard holds, and what is asked of it: sessions, their sockets' rooms, requests that wait.

use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

#[cfg(unix)]
use crate::config;
use crate::event::{Body, CloseReason};
use crate::owed::Owed;
use crate::session::{Context, PortId, Session};
use crate::transport::{Codec, Parcel};

use super::call::Hold;
use super::command::{Barrier, Broadcast, Command, Job, Unwritten};
use super::opening::Source;
use super::pool::Slots;
use super::registry::Registration;
use super::rooms::{MemberId, RoomIndex};
use super::worker::Intake;

/// A shard's state. Its tasks share it; they run one at a time.
pub struct Shard {
    pub(super) ctx: Context,
    /// Where slots come back to when the environment of their sessions is gone.
    pub(super) slots: Arc<Mutex<Slots>>,
    pub(super) sessions: Vec<Option<Box<Entry>>>,
    rooms: RoomIndex,
    #[cfg(unix)]
    pub(super) read_buffer: Vec<u8>,
    recipients: Vec<u32>,
    /// The tasks that hold a stream open, by link.
    pub(super) watchers: FxHashMap<u32, SmallVec<[AbortHandle; 1]>>,
    pub(super) lingering: FxHashMap<u32, AbortHandle>,
    pub(super) new_readers: Vec<(u32, u32, Source)>,
    /// What a read of TLS says.
    #[cfg(unix)]
    pub(super) plain: Vec<u8>,
    /// Who waits until JavaScript is told of a session that the listener has opened.
    pub(super) opened: Vec<oneshot::Sender<Owed>>,
    /// What lives until JavaScript is told of what came from it.
    pub(super) held: Vec<Hold>,
}

/// A session and its sockets' places in the room index, with their ordinals.
pub struct Entry {
    pub(super) session: Session,
    pub(super) members: SmallVec<[(u32, MemberId); 1]>,
    /// Present when requests that the listener reads may name the session.
    pub(super) registration: Option<Registration>,
}

impl Shard {
    pub(super) fn new(ctx: Context, slots: Arc<Mutex<Slots>>) -> Self {
        Self {
            ctx,
            slots,
            sessions: Vec::new(),
            rooms: RoomIndex::default(),
            #[cfg(unix)]
            read_buffer: vec![0; config::READ_BUFFER],
            recipients: Vec::new(),
            watchers: FxHashMap::default(),
            lingering: FxHashMap::default(),
            new_readers: Vec::new(),
            #[cfg(unix)]
            plain: Vec::new(),
            opened: Vec::new(),
            held: Vec::new(),
        }
    }

    pub(super) fn handle(&mut self, command: Command, barriers: &mut Vec<Arc<Barrier>>) {
        match command {
            Command::Send { key, tick, volatile, packets } => {
                self.with(key, |session, ctx| session.send(ctx, packets, volatile, tick));
            }
            Command::Broadcast(broadcast) => self.broadcast(&broadcast),
            Command::Poll { key, port, handle, request } => {
                if self.with(key, |session, ctx| session.on_poll(ctx, request)).is_none() {
                    self.refuse(port, handle, request);
                }
            }
            Command::Post(post) => {
                let (port, handle, request) = (post.port, post.handle, post.request);
                let done = self.with(post.key, |session, ctx| {
                    session.on_post(ctx, request, post.body, post.binary);
                });
                if done.is_none() {
                    self.refuse(port, handle, request);
                }
            }
            Command::PollAborted { key, request } => {
                // Nobody waits for its answer any more.
                self.ctx.replies.remove(&request);
                self.with(key, |session, ctx| session.on_poll_aborted(ctx, request));
            }
            Command::Join { key, ordinal, room } => {
                if let Some(member) = self.member(key, ordinal) {
                    self.rooms.join(member, room);
                }
            }
            Command::Leave { key, ordinal, room } => {
                if let Some(member) = self.member(key, ordinal) {
                    self.rooms.leave(member, room);
                }
            }
            Command::Attach { key, ordinal } => self.attach(key, ordinal),
            Command::Connect { key, ordinal, namespace, name } => {
                self.attach(key, ordinal);
                if let Some(member) = self.member(key, ordinal) {
                    self.rooms.connect(member, namespace);
                    self.with(key, |session, _| session.inbound().connect(ordinal, name));
                }
            }
            Command::Detach { key, ordinal } => {
                if let Some(member) = self.member(key, ordinal) {
                    self.rooms.remove(member);
                }
                if let Some(entry) = self.entry(key) {
                    entry.members.retain(|(known, _)| *known != ordinal);
                }
                self.with(key, |session, _| session.inbound().disconnect(ordinal));
            }
            Command::Open(open) => self.open(*open),
            Command::Probe(upgrade) => self.probe(*upgrade),
            Command::Close { key, discard } => {
                self.with(key, |session, ctx| session.close(ctx, discard));
            }
            Command::ClosePolled { key, answer } => {
                let told = self.with(key, |session, ctx| session.close_polled(ctx));
                answer.give(told.unwrap_or(false));
            }
            Command::IsPolled { key, answer } => {
                answer.give(self.with(key, |session, _| session.is_polled()).unwrap_or(false));
            }
            Command::Fail { key, reason, description, close } => {
                self.with(key, |session, ctx| {
                    session.fail(ctx, reason, description.as_deref(), close);
                });
            }
            Command::Frame { key, frame } => {
                self.with(key, |session, ctx| session.send_frame(ctx, frame));
            }
            Command::WatchFrames { key } => {
                self.with(key, |session, _| session.inbound().watch_frames());
            }
            Command::Waiting { key, answer } => {
                let waiting = self.with(key, |session, ctx| session.waiting(ctx));
                let (bytes, packets) = waiting.unwrap_or_default();
                answer.give(Unwritten { bytes, packets });
            }
            Command::Beat { key } => {
                self.with(key, |session, ctx| session.inbound().on_heartbeat(ctx));
            }
            Command::CloseTimeout { key, timeout } => {
                self.with(key, |session, ctx| session.set_close_timeout(ctx, timeout));
            }
            Command::SetWatched { key, watched } => {
                self.with(key, |session, ctx| session.set_watched(ctx, watched));
            }
            Command::LeaveRequests { key } => {
                self.with(key, |session, ctx| session.leave_requests(ctx));
            }
            Command::SetRaw { key, raw } => {
                self.with(key, |session, ctx| session.inbound().set_raw(ctx, raw));
            }
            Command::NotifyDrain { key } => {
                self.with(key, |session, ctx| session.notify_drain(ctx));
            }
            Command::Release { key } => {
                if let Some(slot) = self.sessions.get_mut(key as usize) {
                    *slot = None;
                }
            }
            Command::BridgeData { key, link, mut data } => {
                self.with(key, |session, ctx| {
                    session.on_bytes(ctx, link, &mut data);
                });
                self.ctx.flush_large_events();
            }
            Command::BridgeEnd { key, link } | Command::Kill { key, link } => {
                match self.lingering.remove(&link) {
                    Some(task) => task.abort(),
                    None => {
                        self.with(key, |session, ctx| session.on_stream_end(ctx, link));
                        self.ctx.cut_farewell(link);
                    }
                }
            }
            Command::BridgeWritten { key, link, bytes } => {
                self.with(key, |session, ctx| session.on_bridge_written(ctx, link, bytes as usize));
            }
            Command::Call(call) => self.call(*call),
            Command::Run(Job(work)) => {
                if contained(work).is_none() {
                    self.ctx.metrics.panics.add(1);
                }
            }
            #[cfg(test)]
            Command::Panic { key: Some(key) } => {
                self.with(key, |_, _| panic!("asked for by a test"));
            }
            #[cfg(test)]
            Command::Panic { key: None } => panic!("asked for by a test"),
            Command::AddPort(id, port) => self.ctx.add_port(id, port),
            Command::RemovePort(id) => self.remove_port(id),
            Command::Flush(barrier) => barriers.push(barrier),
        }
    }

    pub(super) fn broadcast(&mut self, broadcast: &Broadcast) {
        let Broadcast { namespace, rooms, except, packets, volatile, tick, emits } = broadcast;
        let mut recipients = std::mem::take(&mut self.recipients);
        self.rooms.recipients(*namespace, rooms, except, |key| recipients.push(key));
        let (emits, count) = (u64::from(*emits), recipients.len() as u64);
        self.ctx.metrics.broadcasts.add(emits);
        self.ctx.metrics.deliveries.add(emits * count);
        self.ctx.codec.begin_broadcast();
        let parcel = Parcel::new(packets, emits);
        for key in recipients.drain(..) {
            self.with(key, |session, ctx| session.send_shared(ctx, &parcel, *volatile, *tick));
        }
        self.ctx.codec.end_broadcast();
        self.recipients = recipients;
    }

    /// Works on a session if it is open. What the work closed is cleaned up after it.
    pub(super) fn with<T>(
        &mut self,
        key: u32,
        work: impl FnOnce(&mut Session, &mut Context) -> T,
    ) -> Option<T> {
        let entry = self.sessions.get_mut(key as usize)?.as_deref_mut()?;
        if entry.session.is_closed() {
            return None;
        }
        let result = contained(|| work(&mut entry.session, &mut self.ctx));
        if result.is_none() {
            self.ctx.metrics.panics.add(1);
            // What the session was doing is unfinished: it ends, and nobody else notices.
            self.ctx.codec = Codec::default();
            let ended = contained(|| entry.session.collapse(&mut self.ctx));
            if ended.is_none() {
                entry.session.abandon(&mut self.ctx);
            }
        }
        self.sweep_closed();
        result
    }

    /// Works on the shard itself. After a panic its rooms and what was under way cannot be trusted:
    /// all its sessions end, and it goes on with new ones. Other shards do not notice.
    pub(super) fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if contained(|| work(self)).is_some() {
            return;
        }
        self.ctx.metrics.panics.add(1);
        self.rooms = RoomIndex::default();
        self.recipients = Vec::new();
        for key in 0..self.sessions.len() as u32 {
            if let Some(entry) = self.entry(key) {
                entry.members = SmallVec::new();
            }
            self.with(key, |session, ctx| session.collapse(ctx));
        }
    }

    fn sweep_closed(&mut self) {
        while let Some(key) = self.ctx.closed.pop() {
            let Some(entry) = self.entry(key) else { continue };
            let members = std::mem::take(&mut entry.members);
            entry.registration = None;
            for (_, member) in members {
                self.rooms.remove(member);
            }
        }
    }

    pub(super) fn entry(&mut self, key: u32) -> Option<&mut Entry> {
        self.sessions.get_mut(key as usize)?.as_deref_mut()
    }

    pub(super) fn member(&mut self, key: u32, ordinal: u32) -> Option<MemberId> {
        let members = &self.entry(key)?.members;
        members.iter().find(|(known, _)| *known == ordinal).map(|(_, member)| *member)
    }

    fn attach(&mut self, key: u32, ordinal: u32) {
        let Self { sessions, rooms, .. } = self;
        let Some(entry) = sessions.get_mut(key as usize).and_then(Option::as_deref_mut) else {
            return;
        };
        let known = entry.members.iter().any(|(known, _)| *known == ordinal);
        if !known && !entry.session.is_closed() {
            entry.members.push((ordinal, rooms.add(key)));
        }
    }

    fn refuse(&mut self, port: PortId, handle: u32, request: u32) {
        self.ctx.events(port).response(handle, request, 400, Body::Refused(UNKNOWN_SID));
    }

    pub(super) fn remove_port(&mut self, id: PortId) {
        for key in 0..self.sessions.len() as u32 {
            if self.entry(key).is_some_and(|entry| entry.session.port() == id) {
                // At once: nobody would hear of a session that still has something to wait for.
                self.with(key, |session, ctx| {
                    session.fail(ctx, CloseReason::ForcedClose, None, None);
                });
                self.handle(Command::Release { key }, &mut Vec::new());
                self.slots.lock().free.push(key);
            }
        }
        self.ctx.remove_port(id);
    }

    pub(super) fn run_timers(&mut self) {
        while let Some((due, key, kind)) = self.ctx.pop_due() {
            self.with(key, |session, ctx| session.on_timer(ctx, kind, due));
        }
    }

    /// Hands over what JavaScript has to hear of, before clients are written to: so it hears of a
    /// connection before its client does, and begins while others are still written to.
    pub(super) fn tell(&mut self) {
        self.ctx.flush_events();
        for opened in self.opened.drain(..) {
            // Whoever has waited may have left.
            let _ = opened.send(Owed::one());
        }
        self.held.clear();
    }

    /// Writes what is queued. Commands that come meanwhile are taken in after one session, two, four
    /// and so on: those that are still to be written to get the rest of a tick's emits with the same
    /// write, and however much comes, all are written to.
    pub(super) fn flush(&mut self, intake: &mut Intake) {
        let mut written: usize = 0;
        while !self.ctx.dirty.is_empty() {
            let mut dirty = std::mem::take(&mut self.ctx.dirty);
            let mut rest = dirty.drain(..);
            while let Some(key) = rest.next() {
                self.with(key, |session, ctx| session.flush(ctx));
                written += 1;
                if written.is_power_of_two() && rest.len() > 0 {
                    intake.take(self);
                }
            }
            drop(rest);
            if self.ctx.dirty.is_empty() {
                self.ctx.dirty = dirty;
            }
        }
    }

    #[cfg(unix)]
    pub(super) fn watch(&mut self, link: u32, task: AbortHandle) {
        let tasks = self.watchers.entry(link).or_default();
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }

    #[cfg(unix)]
    pub(super) fn has_work(&self) -> bool {
        self.ctx.hurry
            || !self.ctx.dirty.is_empty()
            || !self.ctx.tasks.is_empty()
            || self.ctx.has_events()
    }
}

/// Runs something that must not take the thread down. `None` after a panic, which the panic hook
/// has reported by then. Whoever calls this answers for the state that is left.
fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}

/// Engine.IO error code "Session ID unknown".
const UNKNOWN_SID: u8 = 1;
