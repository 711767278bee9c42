//! How sessions begin, and WebSockets that want to take one over.

#[cfg(unix)]
use std::cell::RefCell;
#[cfg(unix)]
use std::rc::Rc;

use smallvec::SmallVec;

use crate::session::{Context, Session};
use crate::transport::{BridgeFlow, Polling, Stream, WebSocket};

use super::command::{Link, Open, Start, Upgrade};
use super::state::{Entry, Shard};

/// What a reader reads.
#[cfg(unix)]
pub type Source = crate::transport::Socket;
/// There are no readers: streams are JavaScript's.
#[cfg(not(unix))]
pub type Source = std::convert::Infallible;

impl Shard {
    pub(super) fn open(&mut self, open: Open) {
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

    pub(super) fn probe(&mut self, upgrade: Upgrade) {
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
