//! The WebSocket that asks to take over from polling, until it does or fails.

use std::ops::ControlFlow;

use tokio::time::Instant;

use crate::proto::engine::PacketType;
use crate::proto::frame::{self, Message, OpCode};
use crate::transport::{Packet, WebSocket, WriteQueue};

/// A probe under way. `deadline` is fixed when it starts.
#[derive(Debug)]
pub struct Probe {
    /// The candidate.
    pub ws: WebSocket,
    /// How far it came.
    pub step: ProbeStep,
    /// When it has to be through.
    pub deadline: Instant,
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
        Self { ws, step: ProbeStep::Waiting, deadline }
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
