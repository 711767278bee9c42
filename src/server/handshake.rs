//! Opens connections of Engine.IO: sessions that JavaScript hears of when they are there.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use rustix::net::SocketAddrAny;
use tokio::sync::oneshot;

use crate::owed::Owed;
use crate::proto::engine::Revision;
use crate::session::Identity;
use crate::shard::{
    Accepted, Call, CallKind, Command, Decline, Hold, Link, Open, Pool, SessionRef, Sid, Start,
    Takeover, Upgrade, next_link,
};

use super::acceptor::{Acceptor, Alive, Local};
use super::address::{write_address, write_latin1};
use super::policy::{Policy, Route};
use super::relay;
use super::request::{Kind, Request};
use super::response;
use super::wire::Parts;

/// Where a request comes from.
pub struct Origin<'a> {
    /// Where the connection was accepted.
    pub acceptor: &'a Arc<Acceptor>,
    /// The other end.
    pub peer: Option<&'a SocketAddrAny>,
    /// The request's head.
    pub head: &'a [u8],
}

/// A connection whose request asks for a WebSocket.
pub struct Switching<'a> {
    /// Where it was accepted.
    pub acceptor: &'a Arc<Acceptor>,
    /// What is shared on this thread.
    pub local: &'a Rc<Local>,
    /// The other end.
    pub peer: Option<SocketAddrAny>,
    /// The request's head.
    pub head: &'a [u8],
    /// What was read behind the head: clients wait for the answer before they send, so there hardly
    /// ever is any.
    pub rest: &'a [u8],
    /// Where bytes come from and go.
    pub parts: Parts,
}

/// Makes a WebSocket of a connection.
pub fn switch(switching: Switching<'_>, policy: &Policy, request: &Request) {
    let Some(route) = policy.routes.get(request.route) else { return };
    match &request.kind {
        Kind::OpenWebSocket { key } => {
            let response = response::switching(route, request, key);
            open_web_socket(switching, route, response);
        }
        Kind::Upgrade { sid, key } => match route.registry.find(sid) {
            Some(known) => {
                let response = response::switching(route, request, key);
                upgrade(switching, known.session, sid, response);
            }
            None => {
                let Switching { acceptor, peer, head, rest, parts, .. } = switching;
                relay::pass(acceptor, peer.as_ref(), parts, [head, rest].concat());
            }
        },
        _ => {}
    }
}

fn open_web_socket(mut switching: Switching<'_>, route: &Route, response: String) {
    if !switching.acceptor.begin_handshake() {
        // One try: who is overloaded does not wait for a peer.
        return switching.parts.write_once(&response::overloaded());
    }
    let Switching { acceptor, local, peer, head, rest, parts } = switching;
    let Some(sid) = local.sids.borrow_mut().next() else { return acceptor.heard(1) };
    let link = next_link();
    let Parts { fd, tls } = parts;
    let origin = Origin { acceptor, peer: peer.as_ref(), head };
    let details = origin.details(route, &sid, Some(link), &fd);
    let start = Start::WebSocket(Link {
        id: link,
        fd: Some(fd),
        tls,
        head: rest.to_vec(),
        response,
        agreement: None,
        base64: false,
    });
    let packet = open_packet(&sid, &route.websocket_open);
    let hold = Some(Hold(Box::new(Alive::new(acceptor))));
    let accepted = |_| Accepted { details, registration: None, told: None, hold };
    if open(acceptor, route, packet, start, accepted).is_none() {
        acceptor.heard(1);
    }
}

/// Has a session take a WebSocket that asks to take over from polling. What the session declines is
/// for the http server.
fn upgrade(switching: Switching<'_>, session: SessionRef, sid: &Sid, response: String) {
    let Switching { acceptor, peer, head, rest, parts, .. } = switching;
    let Parts { fd, tls } = parts;
    let origin = Origin { acceptor, peer: peer.as_ref(), head };
    let mut details = String::with_capacity(head.len() + 96);
    origin.write(&mut details, &fd);
    let link = Link {
        id: next_link(),
        fd: Some(fd),
        tls,
        head: rest.to_vec(),
        response,
        agreement: None,
        base64: false,
    };
    let upgrade =
        Upgrade { key: session.key, port: acceptor.port_id, handle: session.handle(), link };
    let takeover = Box::new(Takeover { upgrade, details });
    let bytes = [head, rest].concat();
    let acceptor = acceptor.clone();
    let alive = Alive::new(&acceptor);
    let decline = Decline(Box::new(move |takeover| {
        if let Link { fd: Some(fd), tls, .. } = takeover.upgrade.link {
            relay::pass(&acceptor, peer.as_ref(), Parts { fd, tls }, bytes);
        }
        drop(alive);
    }));
    let kind = CallKind::Upgrade { takeover, decline };
    let call = Call { key: session.key, sid: *sid, kind };
    Pool::global().send(session.shard, Command::Call(Box::new(call)));
}

/// Opens a connection over polling. Returns its sid, what the open packet says, and that this is owed,
/// once JavaScript has been told of it.
pub async fn open_polling(
    origin: &Origin<'_>,
    local: &Rc<Local>,
    route: &Route,
    fd: &OwnedFd,
) -> Option<(Sid, String, Option<Owed>)> {
    let sid = local.sids.borrow_mut().next()?;
    let details = origin.details(route, &sid, None, fd);
    let packet = open_packet(&sid, &route.polling_open);
    let start = Start::Polling { supports_binary: true, jsonp: None };
    let (told, hears) = oneshot::channel();
    open(origin.acceptor, route, String::new(), start, |session| Accepted {
        details,
        registration: Some(route.registry.add(sid, session)),
        told: Some(told),
        hold: None,
    })?;
    // Fails where there is nobody to tell any more.
    let owed = hears.await.ok();
    Some((sid, packet, owed))
}

fn open(
    acceptor: &Acceptor,
    route: &Route,
    open: String,
    start: Start,
    accepted: impl FnOnce(SessionRef) -> Accepted,
) -> Option<()> {
    // The thread that runs this is there to be used, whatever has become of the others.
    let session = Pool::global().reserve(route.shards).ok()?;
    let identity = Identity {
        key: session.key,
        handle: session.handle(),
        port: acceptor.port_id,
        config: route.config.clone(),
        revision: Revision::V4,
    };
    let accepted = Some(Box::new(accepted(session)));
    let open = Open { identity, open, start, accepted };
    Pool::global().send(session.shard, Command::Open(Box::new(open)));
    Some(())
}

fn open_packet(sid: &Sid, rest: &str) -> String {
    let mut packet = String::with_capacity(rest.len() + 32);
    packet.push_str("{\"sid\":\"");
    packet.extend(sid.iter().map(|c| char::from(*c)));
    packet.push_str("\",");
    packet.push_str(rest);
    packet
}

impl Origin<'_> {
    /// The fields of a record that tells of a new session.
    fn details(&self, route: &Route, sid: &Sid, link: Option<u32>, fd: &OwnedFd) -> String {
        let mut out = String::with_capacity(self.head.len() + 128);
        let number = |out: &mut String, value: u32| {
            out.push_str(itoa::Buffer::new().format(value));
            out.push(',');
        };
        number(&mut out, route.engine);
        out.push('"');
        out.extend(sid.iter().map(|c| char::from(*c)));
        out.push_str("\",");
        number(&mut out, u32::from(link.is_some()));
        number(&mut out, link.unwrap_or(0));
        self.write(&mut out, fd);
        out
    }

    fn write(&self, out: &mut String, fd: &OwnedFd) {
        out.push_str(itoa::Buffer::new().format(self.acceptor.id));
        out.push(',');
        write_address(out, self.peer);
        out.push(',');
        write_address(out, self.acceptor.local_address(fd).as_ref());
        out.push(',');
        write_latin1(out, self.head);
    }
}
