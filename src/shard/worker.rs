//! A shard's thread: drains commands, runs timers, flushes what became dirty, hands events over;
//! one task beside it for every stream that is read.

use std::cell::{Cell, RefCell};
#[cfg(unix)]
use std::future::poll_fn;
#[cfg(unix)]
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, LocalSet};
use tokio::time::Instant;

use crate::config;
use crate::event::{Body, CloseReason, EventBatch, Port, Response};
use crate::metrics::Metrics;
use crate::owed::Owed;
#[cfg(unix)]
use crate::proto::frame::{HEAD_READ, NextRead};
use crate::session::{Context, PortId, Session, Task};
#[cfg(unix)]
use crate::transport::Flush;
use crate::transport::{BridgeFlow, Codec, Parcel, Polling, Stream, WebSocket};

use super::call::{Call, CallKind, Hold, Takeover};
use super::command::{
    Barrier, Broadcast, Command, CommandQueue, Job, Link, Open, Start, Unwritten, Upgrade,
};
use super::pool::{Pool, Slots};
use super::registry::Registration;
use super::rooms::{MemberId, RoomIndex};

/// Starts the thread of a shard.
///
/// # Errors
///
/// What the system says when it has no thread or descriptor to spare.
pub fn spawn(
    index: usize,
    queue: Arc<CommandQueue>,
    slots: Arc<Mutex<Slots>>,
    metrics: Arc<Metrics>,
) -> std::io::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let run = move || LocalSet::new().block_on(&runtime, run(queue, slots, metrics));
    std::thread::Builder::new().name(format!("ferrio-io-{index}")).spawn(run)?;
    Ok(())
}

async fn run(queue: Arc<CommandQueue>, slots: Arc<Mutex<Slots>>, metrics: Arc<Metrics>) {
    let shard = Shared::new(queue.clone(), slots, metrics);
    let mut intake = Intake::new(queue.clone());
    loop {
        let next_timer = shard.state.borrow().ctx.next_timer();
        match next_timer {
            Some(at) => {
                let _ = tokio::time::timeout_at(at, queue.ready()).await;
            }
            None => queue.ready().await,
        }
        shard.round(&mut intake);
    }
}

/// A shard without a thread: an environment's own thread runs it, one round after the other. For
/// sessions whose bytes pass through that thread anyway, so that they do not change threads twice.
/// Streams of our own cannot be read here.
pub struct Inline {
    index: usize,
    shard: Shared,
    port: Weak<Port>,
    intake: RefCell<Intake>,
    /// When the environment is woken for timers.
    alarm: Cell<Option<Instant>>,
}

impl Inline {
    /// An empty shard.
    pub(super) fn new(
        index: usize,
        port: &Arc<Port>,
        queue: Arc<CommandQueue>,
        slots: Arc<Mutex<Slots>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            index,
            shard: Shared::new(queue.clone(), slots, metrics),
            port: Arc::downgrade(port),
            intake: RefCell::new(Intake::new(queue)),
            alarm: Cell::new(None),
        }
    }

    /// Its place among the shards.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Does a round, then takes what waits for the environment. The environment has to be the one
    /// that the shard was lent to.
    pub fn drain(&self, port: &Port) -> EventBatch {
        // What the round itself has to say needs no further wake-up.
        port.hold();
        self.round();
        let batch = port.drain();
        if self.shard.queue.is_called() {
            // Another thread has asked for something since the round, and was not heard.
            port.wake();
        }
        batch
    }

    /// Does all that is to be done now.
    pub fn round(&self) {
        self.shard.round(&mut self.intake.borrow_mut());
        self.set_alarm();
    }

    /// Has the environment woken when the next timer is due, by a thread that has a clock.
    fn set_alarm(&self) {
        let Some(at) = self.shard.state.borrow().ctx.next_timer() else { return };
        if self.alarm.get().is_some_and(|alarm| alarm <= at && alarm > Instant::now()) {
            return;
        }
        self.alarm.set(Some(at));
        let port = self.port.clone();
        let ring = async move {
            tokio::time::sleep_until(at).await;
            if let Some(port) = port.upgrade() {
                port.nudge();
            }
        };
        // Without that thread there is no session either.
        let _ = Pool::global().run(move || drop(tokio::task::spawn_local(ring)));
    }
}

impl std::fmt::Debug for Inline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inline").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Takes commands in.
struct Intake {
    queue: Arc<CommandQueue>,
    /// Empty between two calls; its memory is used again.
    commands: Vec<Command>,
    /// What is to be reached once everything is written.
    barriers: Vec<Arc<Barrier>>,
}

impl Intake {
    fn new(queue: Arc<CommandQueue>) -> Self {
        Self { queue, commands: Vec::new(), barriers: Vec::new() }
    }

    /// Handles all commands that wait, and tells what has come of it. Broadcasts in a row that go to the
    /// same clients become one: each of them is looked for and visited once.
    fn take(&mut self, state: &mut Shard) {
        let Self { queue, commands, barriers } = self;
        queue.swap(commands);
        let mut waiting = commands.drain(..).peekable();
        while let Some(mut command) = waiting.next() {
            if let Command::Broadcast(broadcast) = &mut command {
                while let Some(Command::Broadcast(next)) = waiting.next_if(
                    |next| matches!(next, Command::Broadcast(next) if broadcast.takes(next)),
                ) {
                    broadcast.join(*next);
                }
            }
            state.guarded(|shard| shard.handle(command, barriers));
        }
        state.tell();
    }
}

/// A shard's state as its tasks share it. They run one at a time, and no borrow lives across an
/// await.
#[derive(Clone)]
struct Shared {
    state: Rc<RefCell<Shard>>,
    queue: Arc<CommandQueue>,
}

struct Shard {
    ctx: Context,
    /// Where slots come back to when the environment of their sessions is gone.
    slots: Arc<Mutex<Slots>>,
    sessions: Vec<Option<Box<Entry>>>,
    rooms: RoomIndex,
    #[cfg(unix)]
    read_buffer: Vec<u8>,
    recipients: Vec<u32>,
    /// The tasks that hold a stream open, by link.
    watchers: FxHashMap<u32, SmallVec<[AbortHandle; 1]>>,
    lingering: FxHashMap<u32, AbortHandle>,
    new_readers: Vec<(u32, u32, Source)>,
    /// What a read of TLS says.
    #[cfg(unix)]
    plain: Vec<u8>,
    /// Who waits until JavaScript is told of a session that the listener has opened.
    opened: Vec<oneshot::Sender<Owed>>,
    /// What lives until JavaScript is told of what came from it.
    held: Vec<Hold>,
}

/// A session and its sockets' places in the room index, with their ordinals.
struct Entry {
    session: Session,
    members: SmallVec<[(u32, MemberId); 1]>,
    /// Present when requests that the listener reads may name the session.
    registration: Option<Registration>,
}

#[cfg(unix)]
type Source = crate::transport::Socket;
#[cfg(not(unix))]
type Source = std::convert::Infallible;
#[cfg(unix)]
type Fd = Rc<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>>;

impl Shard {
    fn new(ctx: Context, slots: Arc<Mutex<Slots>>) -> Self {
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

    fn handle(&mut self, command: Command, barriers: &mut Vec<Arc<Barrier>>) {
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

    fn broadcast(&mut self, broadcast: &Broadcast) {
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
    fn with<T>(
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
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
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

    fn entry(&mut self, key: u32) -> Option<&mut Entry> {
        self.sessions.get_mut(key as usize)?.as_deref_mut()
    }

    fn member(&mut self, key: u32, ordinal: u32) -> Option<MemberId> {
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

    fn open(&mut self, open: Open) {
        let Open { identity, open, start, accepted } = open;
        let key = identity.key;
        if self.ctx.port(identity.port).is_none() {
            // The listener was still accepting when its environment ended.
            self.slots.lock().free.push(key);
            return;
        }
        let Self { ctx, opened, held, .. } = self;
        let registration = accepted.and_then(|accepted| {
            ctx.events(identity.port).accepted(identity.handle, &accepted.details);
            opened.extend(accepted.told);
            held.extend(accepted.hold);
            accepted.registration
        });
        let (session, begun) = match start {
            Start::Polling { supports_binary, jsonp } => {
                let polling = Polling { pending: None, supports_binary, jsonp };
                (Session::polling(ctx, identity, polling), None)
            }
            Start::WebSocket(link) => {
                let limit = identity.config.max_payload();
                let (ws, head, response, source, is_over) = web_socket_of(link, limit);
                let begun = (ws.link, head, is_over);
                self.new_readers.extend(source.map(|source| (key, ws.link, source)));
                (Session::websocket(ctx, identity, ws, response, &open), Some(begun))
            }
        };
        let index = key as usize;
        if self.sessions.len() <= index {
            self.sessions.resize_with(index + 1, || None);
        }
        if let Some(slot) = self.sessions.get_mut(index) {
            *slot = Some(Box::new(Entry { session, members: SmallVec::new(), registration }));
        }
        if let Some((link, head, is_over)) = begun {
            self.with(key, |session, ctx| begin(session, ctx, link, head, is_over));
        }
    }

    fn probe(&mut self, upgrade: Upgrade) {
        let Upgrade { key, port, handle, link } = upgrade;
        let Some(limit) = self.with(key, |session, _| session.max_payload()) else {
            self.ctx.events(port).probe_failed(handle, link.id);
            return self.ctx.events(port).stream_gone(handle, link.id);
        };
        let (ws, head, response, source, is_over) = web_socket_of(link, limit);
        let id = ws.link;
        self.new_readers.extend(source.map(|source| (key, id, source)));
        self.with(key, |session, ctx| {
            session.on_probe(ctx, ws, response);
            begin(session, ctx, id, head, is_over);
        });
    }

    /// A request that the listener has read. What does not fit the session's state is declined:
    /// JavaScript knows what to answer.
    fn call(&mut self, call: Call) {
        let Call { key, sid, kind } = call;
        let known = self.entry(key).is_some_and(|entry| {
            entry.registration.as_ref().is_some_and(|registration| registration.is_for(&sid))
        });
        let serves = known
            && self.with(key, |session, _| match &kind {
                CallKind::Upgrade { .. } => session.takes_probe(),
                _ => session.takes_requests(),
            }) == Some(true);
        match kind {
            CallKind::Upgrade { takeover, decline } if !serves => decline.0(takeover),
            _ if !serves => {}
            CallKind::Fail(words) => {
                self.with(key, |session, ctx| {
                    session.fail(ctx, CloseReason::TransportError, Some(words), None);
                });
            }
            CallKind::Upgrade { takeover, decline } => {
                self.held.push(Hold(Box::new(decline)));
                let Takeover { upgrade, details } = *takeover;
                let events = self.ctx.events(upgrade.port);
                events.probing(upgrade.handle, upgrade.link.id, &details);
                self.probe(upgrade);
            }
            CallKind::Poll { request, reply } => {
                self.serve(key, request, reply, |session, ctx| session.on_poll(ctx, request));
            }
            CallKind::Post { request, body, reply } => {
                let work = |session: &mut Session, ctx: &mut Context| {
                    session.on_post(ctx, request, body, false);
                };
                self.serve(key, request, reply, work);
            }
        }
    }

    /// Has a session work on a request whose answer is awaited. One that could not gets none.
    fn serve(
        &mut self,
        key: u32,
        request: u32,
        reply: oneshot::Sender<Response>,
        work: impl FnOnce(&mut Session, &mut Context),
    ) {
        self.ctx.replies.insert(request, reply);
        if self.with(key, work).is_none() {
            self.ctx.replies.remove(&request);
        }
    }

    /// Reads once, to where the session wants the bytes: the end of the message that is coming in, or
    /// else the buffer. In the first case also returns what was read beyond that message.
    #[cfg(unix)]
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
    #[cfg(unix)]
    fn take_in(
        &mut self,
        key: u32,
        link: u32,
        tls: &RefCell<crate::transport::Tls>,
        bytes: &[u8],
    ) -> Option<bool> {
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

    fn refuse(&mut self, port: PortId, handle: u32, request: u32) {
        self.ctx.events(port).response(handle, request, 400, Body::Refused(UNKNOWN_SID));
    }

    fn remove_port(&mut self, id: PortId) {
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

    fn run_timers(&mut self) {
        while let Some((due, key, kind)) = self.ctx.pop_due() {
            self.with(key, |session, ctx| session.on_timer(ctx, kind, due));
        }
    }

    /// Hands over what JavaScript has to hear of, before clients are written to: so it hears of a
    /// connection before its client does, and begins while others are still written to.
    fn tell(&mut self) {
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
    fn flush(&mut self, intake: &mut Intake) {
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
    fn watch(&mut self, link: u32, task: AbortHandle) {
        let tasks = self.watchers.entry(link).or_default();
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }

    #[cfg(unix)]
    fn has_work(&self) -> bool {
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

/// Takes in what came with a WebSocket's handshake, and the end of the stream if that came, too.
fn begin(session: &mut Session, ctx: &mut Context, link: u32, mut head: Vec<u8>, is_over: bool) {
    if !head.is_empty() {
        session.on_bytes(ctx, link, &mut head);
    }
    if is_over {
        session.on_stream_end(ctx, link);
    }
}

/// Puts a WebSocket on a stream. Also returns what is to be done with it: bytes to take in, the
/// HTTP answer, the socket to read, and whether the stream is over already: because the peer has said over
/// TLS that it sends no more, or because the system cannot watch one more descriptor.
fn web_socket_of(
    link: Link,
    limit: Option<u64>,
) -> (WebSocket, Vec<u8>, String, Option<Source>, bool) {
    #[cfg(unix)]
    let is_own = link.fd.is_some();
    #[cfg(unix)]
    let source = link
        .fd
        .and_then(|fd| crate::transport::watch(fd).ok())
        .map(|fd| Source { fd: Rc::new(fd), tls: link.tls.map(|tls| Rc::new(RefCell::new(*tls))) });
    #[cfg(unix)]
    let is_over = source
        .as_ref()
        .map_or(is_own, |source| source.tls.as_ref().is_some_and(|tls| tls.borrow().has_ended()));
    #[cfg(not(unix))]
    let (source, is_over): (Option<Source>, bool) = (None, false);
    let stream = match &source {
        #[cfg(unix)]
        Some(socket) => Stream::Own(socket.clone()),
        _ => Stream::Bridge(BridgeFlow::default()),
    };
    let mut ws = WebSocket::new(link.id, stream, limit, link.agreement);
    ws.base64 = link.base64;
    (ws, link.head, link.response, source, is_over)
}

impl Shared {
    fn new(queue: Arc<CommandQueue>, slots: Arc<Mutex<Slots>>, metrics: Arc<Metrics>) -> Self {
        let context = Context::new(Instant::now(), metrics);
        Self { state: Rc::new(RefCell::new(Shard::new(context, slots))), queue }
    }

    /// Handles what was asked for, and what is due, then writes and tells what has come of it.
    fn round(&self, intake: &mut Intake) {
        let mut state = self.state.borrow_mut();
        state.ctx.now = Instant::now();
        state.ctx.metrics.rounds.add(1);
        intake.take(&mut state);
        state.guarded(Shard::run_timers);
        state.guarded(|state| state.flush(intake));
        // Readers first: a session may have ended in the round it began in, and parting with a
        // stream stops its reader.
        for (key, link, source) in std::mem::take(&mut state.new_readers) {
            self.start_reader(&mut state, key, link, source);
        }
        for task in std::mem::take(&mut state.ctx.tasks) {
            self.start(&mut state, task);
        }
        state.ctx.flush_events();
        state.ctx.hurry = false;
        for barrier in intake.barriers.drain(..) {
            barrier.reach();
        }
    }

    fn start(&self, state: &mut Shard, task: Task) {
        match task {
            #[cfg(unix)]
            Task::WatchWrites { key, link, fd } => {
                let task = tokio::task::spawn_local(self.clone().watch_writes(key, link, fd));
                state.watch(link, task.abort_handle());
            }
            Task::Linger { port, handle, ws, wait } => {
                let link = ws.link;
                for watcher in state.watchers.remove(&link).into_iter().flatten() {
                    watcher.abort();
                }
                let shared = self.clone();
                let task = tokio::task::spawn_local(async move {
                    let farewell = linger(ws, wait);
                    let _ = tokio::time::timeout(config::CLOSE_HANDSHAKE_TIMEOUT, farewell).await;
                });
                state.lingering.insert(link, task.abort_handle());
                tokio::task::spawn_local(async move {
                    // Ends when the task above is done or aborted; its stream is closed by then.
                    let _ = task.await;
                    let mut state = shared.state.borrow_mut();
                    state.lingering.remove(&link);
                    state.ctx.events(port).stream_gone(handle, link);
                    drop(state);
                    shared.queue.wake();
                });
            }
        }
    }

    #[cfg(unix)]
    fn start_reader(&self, state: &mut Shard, key: u32, link: u32, source: Source) {
        let task = tokio::task::spawn_local(self.clone().read(key, link, source));
        state.watch(link, task.abort_handle());
    }

    #[cfg(not(unix))]
    fn start_reader(&self, _: &mut Shard, _: u32, _: u32, source: Source) {
        match source {}
    }

    /// Reads a stream until it ends or the session lets go of it.
    ///
    /// Every connection holds this future, so it is kept small: an `async fn` would hold its arguments
    /// twice, and `readable()` an entry for a list of those who wait.
    #[cfg(unix)]
    #[allow(clippy::manual_async_fn)]
    fn read(self, key: u32, link: u32, source: Source) -> impl Future<Output = ()> {
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

    #[cfg(unix)]
    fn resume(&self, key: u32, link: u32) {
        let mut state = self.state.borrow_mut();
        state.ctx.now = Instant::now();
        state.with(key, |session, ctx| session.resume(ctx, link));
    }

    /// Reads once and lets the session take the bytes in.
    #[cfg(unix)]
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

    #[cfg(unix)]
    async fn watch_writes(self, key: u32, link: u32, fd: Fd) {
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

/// What one read leaves to do.
#[cfg(unix)]
struct Round {
    /// The socket holds no more for now: the read was short.
    emptied: bool,
    flow: ControlFlow<()>,
    /// Whom to wait for before the next read.
    wait: Option<(Arc<Port>, u64)>,
}

/// How much one stream has brought that JavaScript has not drained.
#[cfg(unix)]
#[derive(Default)]
struct Backlog {
    bytes: usize,
    drains: u64,
}

#[cfg(unix)]
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

#[cfg(unix)]
enum ReadStep {
    Bytes(usize),
    NotReady,
    End,
}

/// What has come of a read.
#[cfg(unix)]
struct Read {
    step: ReadStep,
    /// The socket holds no more for now.
    emptied: bool,
}

/// One `read` into a buffer that has so much room.
#[cfg(unix)]
fn read_once(
    fd: &Fd,
    buffer: impl rustix::buffer::Buffer<u8, Output = usize>,
    room: usize,
) -> Read {
    use rustix::io::Errno;
    use std::os::fd::AsFd;
    let (step, emptied) = match rustix::io::read(fd.as_fd(), buffer) {
        Ok(0) => (ReadStep::End, true),
        Ok(count) => (ReadStep::Bytes(count), count < room),
        Err(Errno::AGAIN) => (ReadStep::NotReady, true),
        Err(Errno::INTR) => (ReadStep::NotReady, false),
        Err(_) => (ReadStep::End, true),
    };
    Read { step, emptied }
}

/// Writes the rest of a WebSocket that its session has left, then waits for the peer to close if
/// asked to. The stream closes when this ends.
#[cfg(unix)]
async fn linger(mut ws: WebSocket, wait: bool) {
    let Stream::Own(socket) = &ws.stream else { return };
    let Source { fd, tls } = socket.clone();
    if !wait {
        // One try: an alert may say why.
        let _ = ws.stream.flush(&mut ws.out, |_| {});
        return;
    }
    if !drain(&mut ws, &fd).await {
        return;
    }
    if let Some(tls) = tls {
        tls.borrow_mut().say_end();
        if !drain(&mut ws, &fd).await {
            return;
        }
    }
    // Our close frame is the last thing we say. The peer answers it and closes; half-closing tells
    // so even a peer whose frames we stopped reading in the middle.
    if rustix::net::shutdown(&*fd, rustix::net::Shutdown::Write).is_err() {
        return;
    }
    let mut buffer = vec![0; LINGER_BUFFER];
    while let Ok(mut ready) = fd.readable().await {
        let Read { step, emptied } = read_once(&fd, buffer.as_mut_slice(), LINGER_BUFFER);
        if emptied {
            ready.clear_ready();
        }
        if matches!(step, ReadStep::End) {
            return;
        }
    }
}

/// Writes all that waits. False when the stream is broken.
#[cfg(unix)]
async fn drain(ws: &mut WebSocket, fd: &Fd) -> bool {
    loop {
        match ws.stream.flush(&mut ws.out, |_| {}) {
            Ok(Flush::Drained) => return true,
            Ok(Flush::Blocked) => match fd.writable().await {
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => return false,
            },
            Err(_) => return false,
        }
    }
}

#[cfg(not(unix))]
async fn linger(_ws: WebSocket, _wait: bool) {}

#[cfg(unix)]
const LINGER_BUFFER: usize = 4096;
/// Engine.IO error code "Session ID unknown".
const UNKNOWN_SID: u8 = 1;
