//! One Engine.IO connection over whichever transport it uses now. Here is what both transports
//! share; the requests of polling are in `requests`, the upgrade in `probe`, the Socket.IO side of
//! what comes in in `inbound`.

mod context;
mod farewell;
mod heartbeat;
mod inbound;
mod probe;
mod rate;
mod requests;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::time::Instant;

use crate::config::{self, EngineConfig};
use crate::event::{Body, CloseReason, STALL};
use crate::proto::engine::{PacketType, Revision};
use crate::proto::frame::{self, FrameError, Message, NextRead, OpCode};
use crate::transport::{Flush, Group, Packet, Parcel, Polling, Stream, WebSocket, WriteQueue};

pub use context::{Context, PortId, Task, TimerKind};
use farewell::{Farewell, leave};
use inbound::{End, Inbound, Outbox};
use probe::Probe;

/// What a session is given at its start and keeps.
#[derive(Debug)]
pub struct Identity {
    /// Its slot on its shard.
    pub key: u32,
    /// What JavaScript calls it.
    pub handle: u32,
    /// The environment that hears of it.
    pub port: PortId,
    /// Options of its engine.
    pub config: Arc<EngineConfig>,
    /// Protocol revision.
    pub revision: Revision,
}

/// One Engine.IO connection. It lives on one shard; only that shard's thread touches it.
#[derive(Debug)]
pub struct Session {
    key: u32,
    config: Arc<EngineConfig>,
    transport: Transport,
    probe: Option<Box<Probe>>,
    inbound: Inbound,
    /// Packets that wait for a GET. Empty on WebSocket, where packets go to the write queue.
    queue: VecDeque<Packet>,
    /// Bytes in `queue` that were sent, as opposed to the engine's own small packets.
    queued: usize,
    state: State,
    dirty: bool,
    /// JavaScript wants to hear when everything queued was written.
    notify_drain: bool,
    /// The JavaScript tick of the last write: a volatile packet of the same tick is dropped.
    last_tick: u32,
    /// JavaScript wants to see the requests of polling.
    leaves_requests: bool,
    /// The stream that is not read because JavaScript is behind.
    paused: Option<u32>,
    /// How many of the packets that wait may be answers.
    answers: usize,
    /// The GET that was answered last.
    answered: Option<u32>,
    /// When the deferred close of a polling session is given up.
    close_deadline: Option<Instant>,
}

#[derive(Debug)]
enum Transport {
    Polling(Polling),
    WebSocket(WebSocket),
    /// Closed.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Closing, but the close packet waits for a GET.
    Closing,
    Closed,
}

impl Session {
    /// A session that starts on polling. Its open packet was the answer to the handshake.
    pub fn polling(ctx: &mut Context, identity: Identity, polling: Polling) -> Self {
        Self::new(ctx, identity, Transport::Polling(polling))
    }

    /// A session that starts on WebSocket. `response` is the HTTP answer to the upgrade request;
    /// empty if that has left already.
    pub fn websocket(
        ctx: &mut Context,
        identity: Identity,
        mut ws: WebSocket,
        response: String,
        open: &str,
    ) -> Self {
        if !response.is_empty() {
            ws.out.push(response.into());
        }
        let mut session = Self::new(ctx, identity, Transport::WebSocket(ws));
        session.push(ctx, Packet::text(PacketType::Open, &[open.as_bytes()]));
        session
    }

    fn new(ctx: &mut Context, identity: Identity, transport: Transport) -> Self {
        ctx.metrics.opened.add(1);
        match &transport {
            Transport::WebSocket(_) => ctx.metrics.websockets.add(1),
            _ => ctx.metrics.pollings.add(1),
        }
        Self {
            key: identity.key,
            config: identity.config.clone(),
            transport,
            probe: None,
            inbound: Inbound::new(ctx, identity),
            queue: VecDeque::new(),
            queued: 0,
            state: State::Open,
            dirty: false,
            notify_drain: false,
            last_tick: 0,
            leaves_requests: false,
            paused: None,
            answers: 0,
            answered: None,
            close_deadline: None,
        }
    }

    /// The Socket.IO side.
    pub fn inbound(&mut self) -> &mut Inbound {
        &mut self.inbound
    }

    /// The environment that hears of this session.
    pub fn port(&self) -> PortId {
        self.inbound.port
    }

    /// True once the close event was delivered.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// A stream is not read for a while.
    pub fn pause(&mut self, link: u32) {
        self.paused = Some(link);
    }

    /// It is read again.
    pub fn resume(&mut self, ctx: &mut Context, link: u32) {
        if self.paused.take_if(|paused| *paused == link).is_some() && self.speaks_over(link) {
            self.inbound.heartbeat.excuse(ctx.now, &self.config);
        }
    }

    /// True when a stream is that of the session's transport, and not of a probe.
    fn speaks_over(&self, link: u32) -> bool {
        matches!(&self.transport, Transport::WebSocket(ws) if ws.link == link)
    }

    /// Leaves pings and pongs to JavaScript, or takes them back. JavaScript has to see the GETs then.
    pub fn set_watched(&mut self, ctx: &mut Context, watched: bool) {
        self.inbound.set_watched(watched);
        if watched {
            self.leave_requests(ctx);
        }
    }

    /// Bytes a message may have.
    pub fn max_payload(&self) -> Option<u64> {
        self.config.max_payload()
    }

    /// Queues packets that belong together. A volatile group is dropped unless the transport is
    /// idle: nothing unwritten, nothing written in the same JavaScript tick.
    pub fn send(&mut self, ctx: &mut Context, packets: Group, volatile: bool, tick: u32) {
        if self.takes(ctx, 1, volatile, tick) {
            // Moved: a clone would have the memory counted, and allocate the count.
            packets.into_iter().for_each(|packet| self.push(ctx, packet));
        }
    }

    /// The same for packets that others get, too.
    pub fn send_shared(
        &mut self,
        ctx: &mut Context,
        parcel: &Parcel<'_>,
        volatile: bool,
        tick: u32,
    ) {
        if !self.takes(ctx, parcel.emits(), volatile, tick) {
            return;
        }
        match &mut self.transport {
            Transport::WebSocket(ws) => {
                ws.put_all(&mut ctx.codec, parcel, self.inbound.revision);
                self.mark_dirty(ctx);
            }
            _ => parcel.packets().iter().for_each(|packet| self.push(ctx, packet.clone())),
        }
    }

    /// True when the packets of so many emits are to be queued.
    fn takes(&mut self, ctx: &mut Context, emits: u64, volatile: bool, tick: u32) -> bool {
        if self.state != State::Open {
            return false;
        }
        if volatile && (self.last_tick == tick || !self.is_idle(ctx)) {
            return false;
        }
        if self.cuts_off(ctx) {
            return false;
        }
        self.last_tick = tick;
        ctx.metrics.packets_out.add(emits);
        true
    }

    /// Ends the session of a client that has not read for so long that nothing more should wait for
    /// it. Asked before something is added: one message may be as large as it likes.
    fn cuts_off(&mut self, ctx: &mut Context) -> bool {
        let is_too_slow = self.exceeds(ctx, Self::backlog);
        if is_too_slow {
            ctx.metrics.slow.add(1);
            self.end(ctx, CloseReason::LimitExceeded, Some(TOO_SLOW), Farewell::Drop);
        }
        is_too_slow
    }

    /// Ends the session when too many answers wait for a client that asks and does not read. What else
    /// waits is limited when it is sent.
    fn limit_answers(&mut self, ctx: &mut Context) {
        let cost = |session: &Self| (session.answers * ANSWER_COST) as u64;
        if self.state == State::Open && self.exceeds(ctx, cost) {
            ctx.metrics.slow.add(1);
            self.end(ctx, CloseReason::LimitExceeded, Some(TOO_SLOW), Farewell::Drop);
        }
    }

    fn exceeds(&mut self, ctx: &mut Context, cost: impl Fn(&Self) -> u64) -> bool {
        let limit = self.config.max_backpressure();
        if cost(self) <= limit {
            return false;
        }
        if matches!(&self.transport, Transport::WebSocket(ws) if !ws.blocked) {
            // It may only be that so much was sent in one tick.
            self.flush(ctx);
        }
        cost(self) > limit
    }

    /// Bytes that wait for the client behind the packet that is next.
    fn backlog(&self) -> u64 {
        let waiting = match &self.transport {
            Transport::WebSocket(ws) => ws.out.len_behind_first(),
            Transport::Polling(_) => {
                self.queued.saturating_sub(self.queue.front().map_or(0, Packet::data_len))
            }
            Transport::None => 0,
        };
        waiting as u64
    }

    /// Asks for one `drained` event when everything queued so far was written.
    pub fn notify_drain(&mut self, ctx: &mut Context) {
        self.notify_drain = true;
        self.mark_dirty(ctx);
    }

    /// How the next bytes of a stream are best read.
    pub fn next_read(&self, link: u32) -> NextRead {
        self.link(link).map_or(NextRead::All, |ws| ws.decoder.next_read())
    }

    /// Has `read` append to the message that is coming in on a stream, as `Decoder::read_payload`
    /// says. What is returned as read beyond it belongs to `on_bytes`.
    pub fn read_payload<T>(
        &mut self,
        link: u32,
        read: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> Option<(T, Vec<u8>)> {
        self.link_mut(link)?.decoder.read_payload(read)
    }

    /// Bytes arrived on a stream of this session. False when the stream is not read any more.
    pub fn on_bytes(&mut self, ctx: &mut Context, link: u32, bytes: &mut [u8]) -> bool {
        ctx.events(self.inbound.port).end_chunk();
        match &mut self.transport {
            Transport::WebSocket(ws) if ws.link == link => {
                let WebSocket { decoder, deflate, out, .. } = ws;
                let inbound = &mut self.inbound;
                let mut close = None;
                let mut fault = None;
                let before = out.count();
                let fed = decoder.feed(bytes, |message| {
                    match ctx.codec.decode(message, deflate.as_deref_mut()) {
                        Ok(message) => on_frame(inbound, ctx, out, &mut close, message),
                        Err(error) => {
                            fault = Some(error);
                            ControlFlow::Break(())
                        }
                    }
                });
                let answers = out.count() - before;
                if answers > 0 {
                    self.answers += answers;
                    self.mark_dirty(ctx);
                }
                let goes_on = self.conclude(ctx, fault.map_or(fed, Err), close);
                if answers > 0 && goes_on {
                    self.limit_answers(ctx);
                }
                goes_on && self.state != State::Closed
            }
            _ => self.on_probe_bytes(ctx, link, bytes),
        }
    }

    /// The peer closed a stream, or it failed.
    pub fn on_stream_end(&mut self, ctx: &mut Context, link: u32) {
        if self.speaks_over(link) {
            self.end(ctx, CloseReason::TransportClose, None, Farewell::Drop);
        } else if self.probe.as_ref().is_some_and(|probe| probe.ws.link == link) {
            self.drop_probe(ctx, Farewell::Drop);
        }
    }

    /// JavaScript wrote so many bytes of what a bridged stream was given.
    pub fn on_bridge_written(&mut self, ctx: &mut Context, link: u32, bytes: usize) {
        if let Some(WebSocket { stream: Stream::Bridge(flow), .. }) = self.link_mut(link) {
            flow.written(bytes);
            self.mark_dirty(ctx);
        }
    }

    /// Closes: what is queued is still sent unless `discard`.
    pub fn close(&mut self, ctx: &mut Context, discard: bool) {
        if self.state != State::Open && !(discard && self.state == State::Closing) {
            return;
        }
        if discard && self.is_switching() {
            // Only over the probing WebSocket does the client still hear that it is over: what ends
            // the probe ends the session.
            self.state = State::Closing;
            self.queue.clear();
            self.close_deadline = Some(ctx.now);
            return;
        }
        match &mut self.transport {
            Transport::Polling(polling)
                if !discard && (polling.pending.is_none() || !self.queue.is_empty()) =>
            {
                // What is queued goes out by itself: a client that reads a message and the close
                // packet in one payload would see the close first.
                self.state = State::Closing;
                self.answer_poll(ctx);
                let deadline = ctx.now + config::POLL_CLOSE_TIMEOUT;
                self.close_deadline = Some(deadline);
                ctx.timer(deadline, self.key, TimerKind::Close);
            }
            Transport::Polling(_) => {
                if !self.queue.is_empty() {
                    // With a GET there, what was sent is as good as written: it is too late to drop.
                    self.answer_poll(ctx);
                    self.queue.clear();
                }
                self.end(ctx, CloseReason::ForcedClose, None, Farewell::Drop);
            }
            _ => self.end(ctx, CloseReason::ForcedClose, None, Farewell::CloseFrame(None)),
        }
    }

    /// Changes how long a deferred close of a polling session waits.
    pub fn set_close_timeout(&mut self, ctx: &mut Context, timeout: std::time::Duration) {
        if self.close_deadline.is_some() {
            let deadline = ctx.now + timeout;
            self.close_deadline = Some(deadline);
            ctx.timer(deadline, self.key, TimerKind::Close);
        }
    }

    /// Ends the session for a fault that JavaScript found; `close` is what the close frame says.
    pub fn fail(
        &mut self,
        ctx: &mut Context,
        reason: CloseReason,
        description: Option<&str>,
        close: Option<Vec<u8>>,
    ) {
        let farewell = match close {
            Some(payload) => Farewell::Words(payload),
            None if reason == CloseReason::LimitExceeded => {
                // It does not read.
                ctx.metrics.slow.add(1);
                Farewell::Drop
            }
            None => Farewell::CloseFrame(None),
        };
        self.end(ctx, reason, description, farewell);
    }

    /// Ends the session after a panic, without touching what may be half done.
    pub fn collapse(&mut self, ctx: &mut Context) {
        self.queue = VecDeque::new();
        if let Transport::Polling(polling) = &mut self.transport
            && let Some(request) = polling.pending.take()
        {
            self.respond(ctx, request, 500, Body::Empty);
        }
        self.end(ctx, CloseReason::TransportError, Some(INTERNAL_ERROR), Farewell::Drop);
    }

    /// The last resort when even `collapse` has panicked: the session is closed and says so.
    pub fn abandon(&mut self, ctx: &mut Context) {
        self.probe = None;
        if self.state != State::Closed {
            self.state = State::Closed;
            self.count_closed(ctx, CloseReason::TransportError);
            let Inbound { port, handle, .. } = self.inbound;
            ctx.events(port).closed(handle, CloseReason::TransportError, Some(INTERNAL_ERROR));
            ctx.closed.push(self.key);
        }
        self.transport = Transport::None;
    }

    /// Queues a WebSocket frame as it is. Without a WebSocket there is nothing to send it over.
    pub fn send_frame(&mut self, ctx: &mut Context, frame: bytes::Bytes) {
        if self.cuts_off(ctx) {
            return;
        }
        if let Transport::WebSocket(ws) = &mut self.transport {
            ws.out.push(frame);
            self.mark_dirty(ctx);
        }
    }

    /// Bytes that the stream has not taken, and the length of each packet that waits, after all
    /// that can be written was.
    pub fn waiting(&mut self, ctx: &mut Context) -> (usize, Vec<u32>) {
        let blocked = matches!(&self.transport, Transport::WebSocket(ws) if ws.blocked);
        if !blocked {
            self.flush(ctx);
        }
        let packet = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        match &self.transport {
            Transport::WebSocket(ws) => (ws.out.len(), ws.out.data_lengths().map(packet).collect()),
            Transport::Polling(_) => {
                (0, self.queue.iter().map(|waiting| packet(waiting.data_len())).collect())
            }
            Transport::None => (0, Vec::new()),
        }
    }

    /// A timer of this session is due.
    pub fn on_timer(&mut self, ctx: &mut Context, kind: TimerKind, due: Instant) {
        match kind {
            TimerKind::Heartbeat => self.on_heartbeat_timer(ctx, due),
            TimerKind::Probe => {
                if self.probe.as_ref().is_some_and(|probe| probe.deadline <= ctx.now) {
                    self.drop_probe(ctx, Farewell::CloseFrame(None));
                }
            }
            TimerKind::Noop => self.on_noop_timer(ctx, due),
            TimerKind::Close => {
                if self.is_overdue(ctx) {
                    self.end(ctx, CloseReason::ForcedClose, None, Farewell::Drop);
                }
            }
        }
    }

    /// True when a deferred close has waited long enough.
    fn is_overdue(&self, ctx: &Context) -> bool {
        self.state == State::Closing
            && self.close_deadline.is_some_and(|deadline| deadline <= ctx.now)
    }

    /// Writes what is queued.
    pub fn flush(&mut self, ctx: &mut Context) {
        self.dirty = false;
        if let Some(probe) = &mut self.probe
            && flush_ws(ctx, self.key, self.inbound.port, self.inbound.handle, &mut probe.ws)
                .is_err()
        {
            self.drop_probe(ctx, Farewell::Drop);
        }
        let drained = match &mut self.transport {
            Transport::WebSocket(ws) => {
                match flush_ws(ctx, self.key, self.inbound.port, self.inbound.handle, ws) {
                    Ok(state) => state == Flush::Drained,
                    Err(_) => {
                        return self.end(ctx, CloseReason::TransportClose, None, Farewell::Drop);
                    }
                }
            }
            Transport::Polling(polling) => {
                if polling.pending.is_some() && !self.queue.is_empty() {
                    self.answer_poll(ctx);
                }
                self.queue.is_empty()
            }
            Transport::None => false,
        };
        let waiting = match &self.transport {
            Transport::WebSocket(ws) => ws.out.count(),
            _ => self.queue.len(),
        };
        self.answers = self.answers.min(waiting);
        if drained && self.notify_drain {
            self.notify_drain = false;
            ctx.events(self.inbound.port).drained(self.inbound.handle);
        }
    }

    /// The blocked stream takes bytes again. True when all was written.
    pub fn on_writable(&mut self, ctx: &mut Context, link: u32) -> bool {
        if self.link_mut(link).is_none() {
            return true;
        }
        // `blocked` stays set meanwhile, so the flush starts no second watcher.
        self.flush(ctx);
        match self.link_mut(link) {
            Some(ws) => {
                let done = ws.out.is_empty() && !ws.stream.holds_back();
                ws.blocked = !done;
                if done {
                    ctx.events(self.inbound.port).blocked(self.inbound.handle, 0);
                }
                done
            }
            None => true,
        }
    }

    fn on_heartbeat_timer(&mut self, ctx: &mut Context, due: Instant) {
        if self.state == State::Closed || !self.inbound.heartbeat.is_scheduled_for(due) {
            return;
        }
        match self.inbound.heartbeat.on_timer(ctx.now, &self.config) {
            heartbeat::Beat::Wait => {}
            heartbeat::Beat::SendPing => {
                if self.state == State::Open && !self.inbound.leaves(ctx, PacketType::Ping) {
                    self.push(ctx, Packet::bare(PacketType::Ping));
                }
            }
            heartbeat::Beat::TimedOut if self.excuses(ctx) => {}
            heartbeat::Beat::TimedOut => {
                return self.end(ctx, CloseReason::PingTimeout, None, Farewell::CloseFrame(None));
            }
        }
        self.inbound.heartbeat.schedule(ctx, self.key, &self.config);
    }

    /// True when the peer's answer may lie where nobody has looked for a while, which is not its
    /// fault: in a stream that is not read, or with JavaScript, which was too busy to look.
    fn excuses(&mut self, ctx: &Context) -> bool {
        let depends = self.depends_on_javascript();
        let is_unread = self.paused.is_some_and(|link| self.speaks_over(link));
        let heartbeat = &mut self.inbound.heartbeat;
        if is_unread {
            return heartbeat.excuse(ctx.now, &self.config);
        }
        let Some(port) = ctx.port(self.inbound.port).filter(|_| depends) else { return false };
        let stalls = port.stalls(ctx.now.into_std());
        // It may be busy with nothing of ours on its desk.
        port.nudge();
        stalls.is_some_and(|stalls| heartbeat.discount(ctx.now, stalls, &self.config))
            || heartbeat.doubt(ctx.now, STALL, &self.config)
    }

    /// True when JavaScript passes on what the peer sends, or pings it.
    fn depends_on_javascript(&self) -> bool {
        if self.inbound.is_watched() {
            return true;
        }
        match &self.transport {
            Transport::WebSocket(ws) => matches!(ws.stream, Stream::Bridge(_)),
            Transport::Polling(_) => true,
            Transport::None => false,
        }
    }

    /// Acts on what a read has brought: a violation, the peer's close frame, or what decoding
    /// decided. False when the stream is not read any more.
    fn conclude(
        &mut self,
        ctx: &mut Context,
        fed: Result<(), FrameError>,
        close: Option<Vec<u8>>,
    ) -> bool {
        if let Err(error) = fed {
            let farewell = Farewell::CloseFrame(Some(error.close_code()));
            let text = error.message();
            self.end(ctx, CloseReason::TransportError, Some(text.as_ref()), farewell);
        } else if let Some(payload) = close {
            self.end(ctx, CloseReason::TransportClose, None, Farewell::Words(payload));
        } else {
            self.settle(ctx);
        }
        self.state != State::Closed
    }

    /// Acts on what decoding decided.
    fn settle(&mut self, ctx: &mut Context) {
        if let Some(End { reason, description }) = self.inbound.end.take() {
            let code = (reason == CloseReason::LimitExceeded).then_some(POLICY_VIOLATION);
            self.end(ctx, reason, description, Farewell::CloseFrame(code));
        }
    }

    fn end(
        &mut self,
        ctx: &mut Context,
        reason: CloseReason,
        description: Option<&str>,
        farewell: Farewell,
    ) {
        if self.state == State::Closed {
            return;
        }
        if let Transport::Polling(polling) = &self.transport
            && polling.pending.is_some()
        {
            self.queue.push_back(Packet::bare(PacketType::Close));
            self.answer_poll(ctx);
        }
        self.state = State::Closed;
        self.count_closed(ctx, reason);
        self.drop_probe(ctx, Farewell::CloseFrame(None));
        let (port, handle) = (self.inbound.port, self.inbound.handle);
        self.inbound.clear();
        self.queue = VecDeque::new();
        ctx.events(port).closed(handle, reason, description);
        ctx.closed.push(self.key);
        if let Transport::WebSocket(ws) = std::mem::replace(&mut self.transport, Transport::None) {
            leave(ctx, port, handle, ws, farewell);
        }
    }

    fn count_closed(&self, ctx: &Context, reason: CloseReason) {
        ctx.metrics.closed(reason);
        match &self.transport {
            Transport::WebSocket(_) => ctx.metrics.websockets.sub(1),
            Transport::Polling(_) => ctx.metrics.pollings.sub(1),
            Transport::None => {}
        }
    }

    fn is_idle(&mut self, ctx: &mut Context) -> bool {
        if matches!(&self.transport, Transport::WebSocket(ws) if !ws.out.is_empty() && !ws.blocked)
        {
            // Queued in an earlier tick and not flushed yet: the reference had written it by now.
            self.flush(ctx);
        }
        match &self.transport {
            Transport::WebSocket(ws) => ws.out.is_empty() && !ws.blocked,
            Transport::Polling(polling) => polling.pending.is_some() && self.queue.is_empty(),
            Transport::None => false,
        }
    }

    fn push(&mut self, ctx: &mut Context, packet: Packet) {
        match &mut self.transport {
            Transport::WebSocket(ws) => ws.put(&mut ctx.codec, packet, self.inbound.revision),
            Transport::Polling(_) => {
                self.queued += packet.data_len();
                self.queue.push_back(packet);
            }
            Transport::None => return,
        }
        self.mark_dirty(ctx);
    }

    /// Has the stream flushed at the end of the round.
    pub fn mark_dirty(&mut self, ctx: &mut Context) {
        if !self.dirty {
            self.dirty = true;
            ctx.dirty.push(self.key);
        }
    }

    fn link(&self, link: u32) -> Option<&WebSocket> {
        match &self.transport {
            Transport::WebSocket(ws) if ws.link == link => Some(ws),
            _ => self.probe.as_ref().map(|probe| &probe.ws).filter(|ws| ws.link == link),
        }
    }

    fn link_mut(&mut self, link: u32) -> Option<&mut WebSocket> {
        match &mut self.transport {
            Transport::WebSocket(ws) if ws.link == link => Some(ws),
            _ => match &mut self.probe {
                Some(probe) if probe.ws.link == link => Some(&mut probe.ws),
                _ => None,
            },
        }
    }
}

/// What a frame means to an established WebSocket.
fn on_frame(
    inbound: &mut Inbound,
    ctx: &mut Context,
    out: &mut WriteQueue,
    close: &mut Option<Vec<u8>>,
    message: Message<'_>,
) -> ControlFlow<()> {
    match message {
        Message::Text { data, .. } => inbound.on_text(ctx, out, data),
        Message::Binary { data, .. } => inbound.on_binary(ctx, out, data),
        Message::Ping(data) => {
            out.push(frame::encode_frame(OpCode::Pong, data));
            inbound.on_control(ctx, OpCode::Ping, data);
            ControlFlow::Continue(())
        }
        Message::Pong(data) => {
            inbound.on_control(ctx, OpCode::Pong, data);
            ControlFlow::Continue(())
        }
        Message::Close { code, reason } => {
            let mut payload = Vec::new();
            if let Some(code) = code {
                payload.extend_from_slice(&code.to_be_bytes());
                payload.extend_from_slice(reason.as_bytes());
            }
            inbound.on_control(ctx, OpCode::Close, &payload);
            *close = Some(payload);
            ControlFlow::Break(())
        }
    }
}

impl Outbox for WriteQueue {
    fn put(&mut self, packet: Packet) {
        self.push(packet.into_frame());
    }
}

impl Outbox for VecDeque<Packet> {
    fn put(&mut self, packet: Packet) {
        self.push_back(packet);
    }
}

fn flush_ws(
    ctx: &mut Context,
    key: u32,
    port: PortId,
    handle: u32,
    ws: &mut WebSocket,
) -> std::io::Result<Flush> {
    let link = ws.link;
    let before = ws.out.len();
    let state = ws.stream.flush(&mut ws.out, |data| {
        ctx.events(port).bridge_write(handle, link, data);
    })?;
    ctx.metrics.bytes_out.add(before.saturating_sub(ws.out.len()) as u64);
    #[cfg(unix)]
    if state == Flush::Blocked
        && !ws.blocked
        && let Stream::Own(socket) = &ws.stream
    {
        ws.blocked = true;
        let waiting = ws.out.len() as u64;
        ctx.tasks.push(Task::WatchWrites { key, link, fd: socket.fd.clone() });
        ctx.events(port).blocked(handle, waiting);
    }
    // Elsewhere no stream is a socket of ours, which is the one that asks for its session again.
    #[cfg(not(unix))]
    let _ = key;
    Ok(state)
}

/// What an answer costs at most that waits: 127 bytes, and what it takes to keep them.
const ANSWER_COST: usize = 192;
/// What a session says that was closed for not reading.
pub const TOO_SLOW: &str = "backpressure limit exceeded";
/// Close code of RFC 6455, section 7.4.1.
const POLICY_VIOLATION: u16 = 1008;
/// What a session says that a panic has ended.
const INTERNAL_ERROR: &str = "internal error";
