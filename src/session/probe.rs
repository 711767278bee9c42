//! The upgrade: the WebSocket that asks to take over from polling, until it does or fails.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::Instant;

use crate::config;
use crate::event::CloseReason;
use crate::proto::engine::PacketType;
use crate::proto::frame::{self, Message, OpCode};
use crate::transport::{Packet, WebSocket, WriteQueue};

use super::context::{Context, TimerKind};
use super::farewell::{Farewell, leave};
use super::{ANSWER_COST, Session, State, Transport, on_frame};

/// A probe under way. `deadline` is fixed when it starts.
#[derive(Debug)]
pub struct Probe {
    /// The candidate.
    pub ws: WebSocket,
    /// How far it came.
    pub step: ProbeStep,
    /// When it has to be through.
    pub deadline: Instant,
    /// When the GET that waits gets its next noop.
    noop: Option<Instant>,
}

/// ```text
/// client                     server
///   | -- 2probe (WebSocket) ---> |   Waiting → Answered
///   | <-- 3probe (WebSocket) --- |
///   | <-- 6 (pending GET) ------ |
///   | -- 5 (WebSocket) --------> |   Answered → Upgraded
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeStep {
    /// Nothing came yet.
    Waiting,
    /// The probe was answered.
    Answered,
    /// The client switched.
    Upgraded,
}

impl Probe {
    /// A probe whose WebSocket handshake is done.
    pub fn new(ws: WebSocket, deadline: Instant) -> Self {
        Self { ws, step: ProbeStep::Waiting, deadline, noop: None }
    }
}

impl ProbeStep {
    /// Takes one frame. `Break` when the client breaks the rules.
    pub fn advance(&mut self, message: &Message<'_>, out: &mut WriteQueue) -> ControlFlow<()> {
        match message {
            Message::Text { data, .. } => match data.as_bytes() {
                b"2probe" => {
                    *self = Self::Answered;
                    out.push(Packet::text(PacketType::Pong, &[b"probe"]).into_frame());
                }
                b"5" => *self = Self::Upgraded,
                _ => return ControlFlow::Break(()),
            },
            Message::Ping(data) => out.push(frame::encode_frame(OpCode::Pong, data)),
            Message::Pong(_) => {}
            Message::Binary { .. } | Message::Close { .. } => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }
}

impl Session {
    /// True while a WebSocket may probe.
    pub fn takes_probe(&self) -> bool {
        self.state == State::Open && self.probe.is_none() && self.takes_requests()
    }

    /// A WebSocket that asks to become this session's transport.
    pub fn on_probe(&mut self, ctx: &mut Context, mut ws: WebSocket, response: String) {
        ws.out.push(response.into());
        let (port, handle) = (self.inbound.port, self.inbound.handle);
        let takes = self.state == State::Open
            && self.probe.is_none()
            && matches!(self.transport, Transport::Polling(_));
        if !takes {
            // Two upgrade requests crossed, or the session has moved on meanwhile.
            ctx.events(port).probe_failed(handle, ws.link);
            return leave(ctx, port, handle, ws, Farewell::CloseFrame(None));
        }
        let deadline = ctx.now + self.config.upgrade_timeout();
        self.probe = Some(Box::new(Probe::new(ws, deadline)));
        ctx.timer(deadline, self.key, TimerKind::Probe);
        self.mark_dirty(ctx);
    }

    pub(super) fn on_probe_bytes(
        &mut self,
        ctx: &mut Context,
        link: u32,
        bytes: &mut [u8],
    ) -> bool {
        let Some(probe) = self.probe.as_deref_mut().filter(|probe| probe.ws.link == link) else {
            return false;
        };
        let Probe { ws, step, .. } = probe;
        let WebSocket { decoder, deflate, out, .. } = ws;
        let inbound = &mut self.inbound;
        let mut close = None;
        let mut failed = false;
        let mut fault = None;
        let was = *step;
        let (port, handle) = (inbound.port, inbound.handle);
        let fed = decoder.feed(bytes, |message| {
            let message = match ctx.codec.decode(message, deflate.as_deref_mut()) {
                Ok(message) => message,
                Err(error) => {
                    fault = Some(error);
                    return ControlFlow::Break(());
                }
            };
            if *step == ProbeStep::Upgraded {
                return on_frame(inbound, ctx, out, &mut close, message);
            }
            let before = *step;
            match step.advance(&message, out) {
                ControlFlow::Continue(()) => {
                    if before == ProbeStep::Waiting && *step == ProbeStep::Answered {
                        // Now: the switch may follow in the same read, and ends the probe.
                        ctx.events(port).upgrading(handle, link);
                    }
                    if *step == ProbeStep::Upgraded {
                        inbound.on_upgraded(ctx);
                    }
                    ControlFlow::Continue(())
                }
                ControlFlow::Break(()) => {
                    failed = true;
                    ControlFlow::Break(())
                }
            }
        });
        let fed = fault.map_or(fed, Err);
        let now = *step;
        if now == ProbeStep::Upgraded {
            self.complete_upgrade(ctx);
            return self.conclude(ctx, fed, close);
        }
        if failed || fed.is_err() {
            let code = fed.err().map(|error| error.close_code());
            self.drop_probe(ctx, Farewell::CloseFrame(code));
            return false;
        }
        if was != now {
            // The answer to the probe is on its way first; then the GET that the client waits for
            // before it switches is answered at once.
            self.flush(ctx);
            self.send_noop(ctx);
            self.schedule_noop(ctx, config::FIRST_NOOP_INTERVAL);
        } else {
            self.mark_dirty(ctx);
        }
        self.limit_probe(ctx)
    }

    /// Drops a probe that asks and does not read, as `limit_answers` ends a session. False then.
    fn limit_probe(&mut self, ctx: &mut Context) -> bool {
        let limit = self.config.max_backpressure();
        let is_too_much = |session: &Self| {
            let answers = session.probe.as_ref().map_or(0, |probe| probe.ws.out.count());
            (answers * ANSWER_COST) as u64 > limit
        };
        if is_too_much(self) {
            // It may only be that so much was asked in one read.
            self.flush(ctx);
        }
        if !is_too_much(self) {
            return self.probe.is_some();
        }
        ctx.metrics.slow.add(1);
        self.drop_probe(ctx, Farewell::Drop);
        false
    }

    pub(super) fn complete_upgrade(&mut self, ctx: &mut Context) {
        let Some(probe) = self.probe.take() else { return };
        let mut ws = probe.ws;
        if let Transport::Polling(polling) = &mut self.transport
            && let Some(request) = polling.pending.take()
        {
            let body = polling.encode(&[Packet::bare(PacketType::Close)], self.inbound.revision);
            self.respond(ctx, request, 200, body);
        }
        for packet in self.queue.drain(..) {
            ws.put(&mut ctx.codec, packet, self.inbound.revision);
        }
        self.transport = Transport::WebSocket(ws);
        self.queued = 0;
        ctx.metrics.pollings.sub(1);
        ctx.metrics.websockets.add(1);
        if self.state == State::Closing {
            // The close waited for a GET that will not come any more.
            return self.end(ctx, CloseReason::ForcedClose, None, Farewell::CloseFrame(None));
        }
        self.mark_dirty(ctx);
    }

    pub(super) fn on_noop_timer(&mut self, ctx: &mut Context, due: Instant) {
        let is_due = |probe: &Probe| probe.step == ProbeStep::Answered && probe.noop == Some(due);
        if self.probe.as_deref().is_some_and(is_due) {
            self.send_noop(ctx);
            self.schedule_noop(ctx, config::NOOP_INTERVAL);
        }
    }

    /// The probe knows which timer is its own: an earlier one may have left another.
    fn schedule_noop(&mut self, ctx: &mut Context, after: Duration) {
        if let Some(probe) = self.probe.as_deref_mut() {
            let due = ctx.now + after;
            probe.noop = Some(due);
            ctx.timer(due, self.key, TimerKind::Noop);
        }
    }

    pub(super) fn send_noop(&mut self, ctx: &mut Context) {
        if matches!(&self.transport, Transport::Polling(polling) if polling.pending.is_some()) {
            if self.queue.is_empty() {
                self.queue.push_back(Packet::bare(PacketType::Noop));
            }
            self.answer_poll(ctx);
        }
    }

    pub(super) fn drop_probe(&mut self, ctx: &mut Context, farewell: Farewell) {
        if let Some(probe) = self.probe.take() {
            let (port, handle) = (self.inbound.port, self.inbound.handle);
            ctx.events(port).probe_failed(handle, probe.ws.link);
            if probe.ws.blocked {
                // What waits for it is no concern of the session's any more.
                ctx.events(port).blocked(handle, 0);
            }
            leave(ctx, port, handle, probe.ws, farewell);
            if self.is_overdue(ctx) {
                self.end(ctx, CloseReason::ForcedClose, None, Farewell::Drop);
            }
        }
    }

    /// True when the client has all that it waits for before it switches: its next word comes over
    /// the WebSocket.
    pub(super) fn is_switching(&self) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.step == ProbeStep::Answered)
            && !self.is_polled()
    }
}
