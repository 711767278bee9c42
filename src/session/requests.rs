//! The requests of polling: GETs that wait for packets, POSTs that bring them.

use std::ops::ControlFlow;

use crate::config;
use crate::event::{Body, CloseReason, Response, is_listeners};
use crate::owed::Owed;
use crate::proto::engine::{self, PacketType};
use crate::transport::{Packet, Polling};

use super::context::Context;
use super::farewell::Farewell;
use super::{Session, State, TOO_SLOW, Transport};

impl Session {
    /// Leaves requests of polling to JavaScript from now on: the GET that it has not seen is
    /// answered, and the client's next one goes there.
    pub fn leave_requests(&mut self, ctx: &mut Context) {
        self.leaves_requests = true;
        if matches!(&self.transport, Transport::Polling(Polling { pending: Some(request), .. })
                if is_listeners(*request))
        {
            self.send_noop(ctx);
        }
    }

    /// True while requests that the listener has read can be served: on polling, and nobody in
    /// JavaScript wants to see them.
    pub fn takes_requests(&self) -> bool {
        matches!(self.transport, Transport::Polling(_)) && !self.leaves_requests
    }

    /// A GET: wait for packets, or take what is queued.
    pub fn on_poll(&mut self, ctx: &mut Context, request: u32) {
        let Transport::Polling(polling) = &mut self.transport else {
            return self.respond(ctx, request, 400, Body::Refused(TRANSPORT_MISMATCH));
        };
        if polling.pending.is_some() {
            self.respond(ctx, request, 400, Body::Empty);
            return self.end(
                ctx,
                CloseReason::TransportError,
                Some("overlap from client"),
                Farewell::Drop,
            );
        }
        polling.pending = Some(request);
        if self.state == State::Closing {
            if !self.queue.is_empty() {
                // The close packet gets a payload of its own, for the reason given in `close`.
                self.answer_poll(ctx);
                return self.mark_dirty(ctx);
            }
            self.queue.push_back(Packet::bare(PacketType::Noop));
            self.queue.push_back(Packet::bare(PacketType::Close));
            self.answer_poll(ctx);
            return self.end(ctx, CloseReason::ForcedClose, None, Farewell::Drop);
        }
        if !self.queue.is_empty() {
            // What waits leaves before what is sent from now on: the open packet alone, for one.
            self.answer_poll(ctx);
        }
        self.mark_dirty(ctx);
    }

    /// A GET of a client that has not read so many bytes of earlier answers, each on a connection of its own.
    pub fn on_poll_behind(&mut self, ctx: &mut Context, request: u32, unread: usize) {
        if unread as u64 <= self.config.max_backpressure() {
            return self.on_poll(ctx, request);
        }
        ctx.metrics.slow.add(1);
        self.respond(ctx, request, 400, Body::Empty);
        self.end(ctx, CloseReason::LimitExceeded, Some(TOO_SLOW), Farewell::Drop);
    }

    /// A POST whose body arrived whole.
    pub fn on_post(&mut self, ctx: &mut Context, request: u32, body: Vec<u8>, binary: bool) {
        let Transport::Polling(polling) = &self.transport else {
            return self.respond(ctx, request, 400, Body::Refused(TRANSPORT_MISMATCH));
        };
        let is_jsonp = polling.jsonp.is_some();
        ctx.metrics.bytes_in.add(body.len() as u64);
        ctx.events(self.inbound.port).end_chunk();
        let is_open = self.state == State::Open;
        if self.state != State::Closed {
            let revision = self.inbound.revision;
            let inbound = &mut self.inbound;
            let queue = &mut self.queue;
            let before = queue.len();
            let mut closed_by_peer = false;
            let mut packets = 0;
            let on_packet = |packet: engine::Packet<'_>| {
                if packet.kind == PacketType::Close {
                    closed_by_peer = true;
                    return ControlFlow::Break(());
                }
                if !is_open {
                    // A session that closes hears nothing more, but that the client is gone.
                    return ControlFlow::Continue(());
                }
                packets += 1;
                if packets > config::MAX_PAYLOAD_PACKETS {
                    return inbound.finish(CloseReason::LimitExceeded, Some(TOO_MANY_PACKETS));
                }
                inbound.on_packet(ctx, queue, packet)
            };
            let decoded = if binary {
                engine::decode_payload(engine::Body::Binary(&body), revision, on_packet)
            } else {
                let text = String::from_utf8_lossy(&body);
                match is_jsonp.then(|| engine::jsonp_unwrap(&text)) {
                    None => engine::decode_payload(engine::Body::Text(&text), revision, on_packet),
                    Some(Some(inner)) => {
                        engine::decode_payload(engine::Body::Text(&inner), revision, on_packet)
                    }
                    Some(None) => Ok(()),
                }
            };
            if decoded.is_err() && is_open {
                self.end(ctx, CloseReason::ParseError, None, Farewell::Drop);
            } else if closed_by_peer {
                self.queue.clear();
                self.queue.push_back(Packet::bare(PacketType::Noop));
                self.answer_poll(ctx);
                self.end(ctx, CloseReason::TransportClose, None, Farewell::Drop);
            } else {
                let answers = self.queue.len() - before;
                if answers > 0 {
                    self.answers += answers;
                    self.mark_dirty(ctx);
                    self.limit_answers(ctx);
                }
                self.settle(ctx);
            }
        }
        self.respond(ctx, request, 200, Body::Ok);
    }

    /// The client aborted a GET that waits, or the one that was answered last: then the answer was on its
    /// way, and is lost. Others are a session's that had this key before.
    pub fn on_poll_aborted(&mut self, ctx: &mut Context, request: u32) {
        if let Transport::Polling(polling) = &mut self.transport
            && polling.pending.or(self.answered) == Some(request)
        {
            polling.pending = None;
            let why = Some("poll connection closed prematurely");
            self.end(ctx, CloseReason::TransportError, why, Farewell::Drop);
        }
    }

    /// Closes; what is queued is still sent. True when a GET that waited has told the client. One
    /// step: asked first and closed then, an answer to the GET might come between, and a client in
    /// the middle of an upgrade sends no other.
    pub fn close_polled(&mut self, ctx: &mut Context) -> bool {
        let waits = self.is_polled() && self.queue.is_empty();
        self.close(ctx, false);
        waits && self.is_closed()
    }

    /// True while a GET waits for something to be written.
    pub fn is_polled(&self) -> bool {
        matches!(&self.transport, Transport::Polling(polling) if polling.pending.is_some())
    }

    pub(super) fn answer_poll(&mut self, ctx: &mut Context) {
        if let Transport::Polling(polling) = &mut self.transport
            && let Some(request) = polling.pending.take()
        {
            let body = polling.encode(self.queue.make_contiguous(), self.inbound.revision);
            self.queue.clear();
            self.queued = 0;
            self.answered = Some(request);
            self.respond(ctx, request, 200, body);
        }
    }

    pub(super) fn respond(&self, ctx: &mut Context, request: u32, status: u16, body: Body) {
        if is_listeners(request) {
            if let Some(reply) = ctx.replies.remove(&request) {
                // A connection that is gone needs no answer.
                let _ = reply.send(Response { status, body, owed: Owed::one() });
            }
            return;
        }
        ctx.events(self.inbound.port).response(self.inbound.handle, request, status, body);
    }
}

/// What a session says that was closed for one payload.
const TOO_MANY_PACKETS: &str = "too many packets in a payload";
/// Engine.IO error code "Bad request", for a poll that reached a session on WebSocket.
const TRANSPORT_MISMATCH: u8 = 3;
