//! What comes in on a session: Engine.IO packets, and the Socket.IO packets that are plain enough
//! to be read here. Everything else goes to the full decoder in JavaScript as it came, which so
//! yields the reference's exact answer to it.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::config::{self, EngineConfig, RateLimit};
use crate::event::CloseReason;
use crate::proto::engine::{self, Data, PacketType, Revision};
use crate::proto::frame::{OpCode, Payload};
use crate::proto::socket::{self, Kind};
use crate::transport::Packet;

use super::Identity;
use super::context::{Context, PortId};
use super::heartbeat::Heartbeat;
use super::rate::Rate;

/// Receives the few packets that decoding itself answers.
pub trait Outbox {
    /// Queues a packet.
    fn put(&mut self, packet: Packet);
}

/// Decoding state of one session.
#[derive(Debug)]
pub struct Inbound {
    /// The session's slot on its shard.
    key: u32,
    /// What JavaScript calls this session.
    pub handle: u32,
    /// Whom it talks to.
    pub port: PortId,
    /// Protocol revision.
    pub revision: Revision,
    /// Ping and pong.
    pub heartbeat: Heartbeat,
    /// Set when decoding found a reason to close.
    pub end: Option<End>,
    config: Arc<EngineConfig>,
    /// Deliver packets undecoded, pings and pongs included: somebody listens to them.
    raw: bool,
    /// Report the control frames of the WebSocket.
    watches_frames: bool,
    /// JavaScript sends pings and pongs itself: somebody watches what is written.
    watched: bool,
    /// Namespaces this session is connected to, with the ordinals of its sockets there.
    sockets: SmallVec<[(u32, Arc<str>); 1]>,
    partial: Option<Box<Partial>>,
    /// Only of use while there is a limit.
    rate: Option<Box<Rate>>,
    /// Attachments still to come of an event that was dropped.
    unwanted: usize,
    /// Attachments still to come of a packet that was delivered undecoded.
    owed: usize,
    /// Those of the packet at hand count: it is an event.
    counts: bool,
}

/// Why decoding closes the session.
#[derive(Debug)]
pub struct End {
    /// The reason.
    pub reason: CloseReason,
    /// More words, where the reference has them.
    pub description: Option<&'static str>,
}

/// A binary packet whose attachments have not all come.
#[derive(Debug)]
struct Partial {
    text: String,
    expected: usize,
    attachments: Vec<Vec<u8>>,
}

impl Inbound {
    /// State at the handshake.
    pub fn new(ctx: &mut Context, identity: Identity) -> Self {
        let Identity { key, handle, port, config, revision } = identity;
        let mut heartbeat = Heartbeat::new(revision, ctx.now, &config);
        heartbeat.schedule(ctx, key, &config);
        Self {
            key,
            handle,
            port,
            revision,
            heartbeat,
            end: None,
            config,
            raw: false,
            watched: false,
            watches_frames: false,
            sockets: SmallVec::new(),
            partial: None,
            rate: None,
            unwanted: 0,
            owed: 0,
            counts: false,
        }
    }

    /// Switches between decoded and raw delivery, for the packets that follow.
    pub fn set_raw(&mut self, ctx: &mut Context, raw: bool) {
        if raw && !self.raw {
            self.surrender_partial(ctx);
        }
        self.raw = raw;
    }

    /// Reports control frames from now on.
    pub fn watch_frames(&mut self) {
        self.watches_frames = true;
    }

    /// A control frame.
    pub fn on_control(&self, ctx: &mut Context, opcode: OpCode, data: &[u8]) {
        if self.watches_frames {
            ctx.events(self.port).control(self.handle, opcode.bits(), data);
        }
    }

    /// Leaves pings and pongs to JavaScript, or takes them back.
    pub fn set_watched(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// True when JavaScript sends pings and pongs itself.
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// True when the heartbeat packet was left to JavaScript.
    pub fn leaves(&self, ctx: &mut Context, kind: PacketType) -> bool {
        if self.watched {
            ctx.events(self.port).send_due(self.handle, kind.number());
        }
        self.watched
    }

    /// Packets of `nsp` may be delivered decoded from now on, as those of `ordinal`.
    pub fn connect(&mut self, ordinal: u32, nsp: Arc<str>) {
        self.sockets.push((ordinal, nsp));
    }

    /// Packets of this ordinal's namespace go to the full decoder again.
    pub fn disconnect(&mut self, ordinal: u32) {
        self.sockets.retain(|(known, _)| *known != ordinal);
    }

    /// Frees what a closed session does not need.
    pub fn clear(&mut self) {
        self.sockets = SmallVec::new();
        self.partial = None;
    }

    /// The client switched transports.
    pub fn on_upgraded(&mut self, ctx: &mut Context) {
        ctx.events(self.port).upgraded(self.handle);
    }

    /// A text frame.
    pub fn on_text(
        &mut self,
        ctx: &mut Context,
        out: &mut impl Outbox,
        data: Payload<'_>,
    ) -> ControlFlow<()> {
        let Some(text) = data.as_str() else {
            return self.finish(CloseReason::ParseError, None);
        };
        match engine::decode_text(text, self.revision) {
            Ok(packet) => self.on_packet(ctx, out, packet),
            Err(_) => self.finish(CloseReason::ParseError, None),
        }
    }

    /// A binary frame.
    pub fn on_binary(
        &mut self,
        ctx: &mut Context,
        out: &mut impl Outbox,
        data: Payload<'_>,
    ) -> ControlFlow<()> {
        if self.revision == Revision::V4 {
            self.heartbeat.on_packet(ctx.now, &self.config);
            return self.on_binary_message(ctx, Cow::Owned(data.into_vec()));
        }
        match engine::decode_binary(data.as_bytes(), self.revision) {
            Ok(packet) => self.on_packet(ctx, out, packet),
            Err(_) => self.finish(CloseReason::ParseError, None),
        }
    }

    /// An Engine.IO packet.
    pub fn on_packet(
        &mut self,
        ctx: &mut Context,
        out: &mut impl Outbox,
        packet: engine::Packet<'_>,
    ) -> ControlFlow<()> {
        match (packet.kind, self.revision) {
            (PacketType::Message, _) => {
                self.heartbeat.on_packet(ctx.now, &self.config);
                match packet.data {
                    Data::Text(text) => self.on_text_message(ctx, &text),
                    Data::None => self.on_text_message(ctx, ""),
                    Data::Binary(data) => self.on_binary_message(ctx, data),
                }
            }
            (PacketType::Pong, Revision::V4) => {
                if let Some(time) = self.heartbeat.round_trip(ctx.now, &self.config) {
                    ctx.metrics.heartbeat(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
                }
                self.on_heartbeat(ctx);
                self.report_heartbeat(ctx, PacketType::Pong);
                ControlFlow::Continue(())
            }
            (PacketType::Ping, Revision::V3) => {
                self.on_heartbeat(ctx);
                if !self.leaves(ctx, PacketType::Pong) {
                    out.put(Packet::bare(PacketType::Pong));
                }
                self.report_heartbeat(ctx, PacketType::Ping);
                ControlFlow::Continue(())
            }
            (PacketType::Ping | PacketType::Pong, _) => {
                self.finish(CloseReason::TransportError, Some("invalid heartbeat direction"))
            }
            (kind, _) => {
                self.heartbeat.on_packet(ctx.now, &self.config);
                if self.raw {
                    ctx.events(self.port).engine_packet(self.handle, kind.number());
                }
                ControlFlow::Continue(())
            }
        }
    }

    /// Starts the heartbeat's interval anew.
    pub fn on_heartbeat(&mut self, ctx: &mut Context) {
        self.heartbeat.restart(ctx.now, &self.config);
        self.heartbeat.schedule(ctx, self.key, &self.config);
    }

    fn report_heartbeat(&self, ctx: &mut Context, kind: PacketType) {
        if self.raw {
            ctx.events(self.port).engine_packet(self.handle, kind.number());
            ctx.events(self.port).heartbeat(self.handle);
        }
    }

    fn on_text_message(&mut self, ctx: &mut Context, text: &str) -> ControlFlow<()> {
        // JavaScript has begun with a packet: what to make of this instead of its attachment is its to say.
        let is_out_of_turn = self.owed > 0;
        (self.unwanted, self.owed) = (0, 0);
        if is_out_of_turn {
            return self.deliver_raw(ctx, text);
        }
        if let Some(limit) = self.config.rate_limit() {
            let (is_event, attachments) = socket::kind_and_attachments(text);
            self.counts = is_event;
            if is_event && !self.rate.get_or_insert_default().allows(limit, ctx.now, text.len()) {
                self.unwanted = attachments;
                return self.refuse(ctx, limit);
            }
        }
        if self.raw || self.partial.is_some() {
            return self.deliver_raw(ctx, text);
        }
        let Some(header) = socket::parse(text) else { return self.deliver_raw(ctx, text) };
        let Some(ordinal) = self.ordinal_of(header.nsp) else { return self.deliver_raw(ctx, text) };
        if header.args.len() > config::MAX_INLINE_ARGS {
            return self.deliver_raw(ctx, text);
        }
        match header.kind {
            Kind::Event | Kind::Ack => {
                ctx.metrics.events_in.add(1);
                let is_ack = matches!(header.kind, Kind::Ack);
                let events = ctx.events(self.port);
                events.packet(self.handle, is_ack, ordinal, header.id, header.args, Vec::new());
            }
            Kind::BinaryEvent | Kind::BinaryAck => {
                self.partial = Some(Box::new(Partial {
                    text: text.to_owned(),
                    expected: header.attachments as usize,
                    attachments: Vec::new(),
                }));
            }
        }
        ControlFlow::Continue(())
    }

    fn on_binary_message(&mut self, ctx: &mut Context, data: Cow<'_, [u8]>) -> ControlFlow<()> {
        if self.unwanted > 0 {
            self.unwanted -= 1;
            return ControlFlow::Continue(());
        }
        let is_owed = self.owed > 0;
        self.owed = self.owed.saturating_sub(1);
        if let Some(limit) = self.config.rate_limit() {
            // An attachment's bytes count if it is an event's; a message of a binary parser counts as an
            // event.
            let rate = self.rate.get_or_insert_default();
            let allowed = if is_owed || self.partial.is_some() {
                !self.counts || rate.allows_bytes(limit, ctx.now, data.len())
            } else {
                rate.allows(limit, ctx.now, data.len())
            };
            // JavaScript waits for the attachments of an event that it has begun to decode.
            if !allowed && (limit.disconnects || !is_owed) {
                let rest = |partial: Box<Partial>| partial.expected - partial.attachments.len() - 1;
                self.unwanted = self.partial.take().map_or(0, rest);
                return self.refuse(ctx, limit);
            }
        }
        let data = data.into_owned();
        let Some(partial) = &mut self.partial else {
            ctx.events(self.port).raw_binary(self.handle, data);
            return ControlFlow::Continue(());
        };
        partial.attachments.push(data);
        if partial.attachments.len() < partial.expected {
            return ControlFlow::Continue(());
        }
        let Some(partial) = self.partial.take() else { return ControlFlow::Continue(()) };
        let Partial { text, attachments, .. } = *partial;
        // The namespace may have been left since the header came.
        let known = socket::parse(&text)
            .and_then(|header| self.ordinal_of(header.nsp).map(|ordinal| (header, ordinal)));
        match known {
            Some((header, ordinal)) => {
                ctx.metrics.events_in.add(1);
                let is_ack = matches!(header.kind, Kind::BinaryAck);
                let events = ctx.events(self.port);
                events.packet(self.handle, is_ack, ordinal, header.id, header.args, attachments);
            }
            None => self.deliver_parts(ctx, text, attachments),
        }
        ControlFlow::Continue(())
    }

    /// Somebody has sent more than `rateLimit` allows.
    fn refuse(&mut self, ctx: &mut Context, limit: RateLimit) -> ControlFlow<()> {
        ctx.metrics.rate_limited.add(1);
        if limit.disconnects {
            self.finish(CloseReason::LimitExceeded, Some("rate limit exceeded"))
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Hands a packet over undecoded, after whatever was held back before it.
    fn deliver_raw(&mut self, ctx: &mut Context, text: &str) -> ControlFlow<()> {
        self.surrender_partial(ctx);
        self.owed = socket::kind_and_attachments(text).1;
        ctx.events(self.port).raw_text(self.handle, text.to_owned());
        ControlFlow::Continue(())
    }

    fn surrender_partial(&mut self, ctx: &mut Context) {
        if let Some(partial) = self.partial.take() {
            let Partial { text, expected, attachments } = *partial;
            self.owed = expected - attachments.len();
            self.deliver_parts(ctx, text, attachments);
        }
    }

    fn deliver_parts(&self, ctx: &mut Context, text: String, attachments: Vec<Vec<u8>>) {
        let events = ctx.events(self.port);
        events.raw_text(self.handle, text);
        for data in attachments {
            events.raw_binary(self.handle, data);
        }
    }

    fn ordinal_of(&self, nsp: &str) -> Option<u32> {
        self.sockets.iter().rev().find(|(_, name)| **name == *nsp).map(|(ordinal, _)| *ordinal)
    }

    /// Has the session closed after the packet at hand.
    pub fn finish(
        &mut self,
        reason: CloseReason,
        description: Option<&'static str>,
    ) -> ControlFlow<()> {
        self.end = Some(End { reason, description });
        ControlFlow::Break(())
    }
}
