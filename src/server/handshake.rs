//! Opens connections of Engine.IO: sessions that JavaScript hears of when they are there.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use rustix::net::SocketAddrAny;
use tokio::sync::oneshot;

use crate::proto::engine::Revision;
use crate::session::Identity;
use crate::shard::{
    Accepted, Call, CallKind, Command, Link, Open, Pool, SessionRef, Sid, Start, Takeover, Upgrade,
    next_link,
};

use super::acceptor::{Acceptor, Local};
use super::address::{write_address, write_latin1};
use super::connection::Connection;
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

/// Opens a connection over WebSocket. `rest` was read behind the head: clients wait for the answer
/// before they send, so there hardly ever is any.
pub fn open_web_socket(
    origin: &Origin<'_>,
    local: &Rc<Local>,
    policy: &Policy,
    request: &Request,
    mut parts: Parts,
    rest: Vec<u8>,
) {
    let Some(route) = policy.routes.get(request.route) else { return };
    let Kind::OpenWebSocket { key } = &request.kind else { return };
    if !origin.acceptor.begin_handshake() {
        // One try: who is overloaded does not wait for a peer.
        return parts.write_once(&response::overloaded());
    }
    let Some(sid) = local.sids.borrow_mut().next() else { return };
    let link = next_link();
    let Parts { fd, tls } = parts;
    let details = origin.details(route, &sid, Some(link), &fd);
    let start = Start::WebSocket(Link {
        id: link,
        fd: Some(fd),
        tls,
        head: rest,
        response: response::switching(route, request, key),
        agreement: None,
        base64: false,
    });
    let packet = open_packet(&sid, &route.websocket_open);
    let accepted = |_| Accepted { details, registration: None };
    if open(origin.acceptor, route, packet, start, accepted).is_none() {
        origin.acceptor.heard(1);
    }
}

/// Opens a connection over polling. Returns its sid and what the open packet says.
pub fn open_polling(
    origin: &Origin<'_>,
    local: &Rc<Local>,
    route: &Route,
    fd: &OwnedFd,
) -> Option<(Sid, String)> {
    let sid = local.sids.borrow_mut().next()?;
    let details = origin.details(route, &sid, None, fd);
    let packet = open_packet(&sid, &route.polling_open);
    let start = Start::Polling { supports_binary: true, jsonp: None };
    open(origin.acceptor, route, String::new(), start, |session| Accepted {
        details,
        registration: Some(route.registry.add(sid, session)),
    })?;
    Some((sid, packet))
}

/// Makes a WebSocket of a connection.
pub async fn switch(connection: Connection, policy: &Policy, request: &Request, head: Vec<u8>) {
    match &request.kind {
        Kind::OpenWebSocket { .. } => {
            let Connection { acceptor, local, wire, peer, buffer, .. } = connection;
            let origin = Origin { acceptor: &acceptor, peer: peer.as_ref(), head: &head };
            open_web_socket(&origin, &local, policy, request, wire.into_parts(), buffer);
        }
        Kind::Upgrade { sid, key } => {
            let Some(route) = policy.routes.get(request.route) else { return };
            match route.registry.find(sid) {
                Some(known) => {
                    let response = response::switching(route, request, key);
                    upgrade(connection, known.session, sid, response, head).await;
                }
                None => pass(connection, head),
            }
        }
        _ => {}
    }
}

async fn upgrade(
    connection: Connection,
    session: SessionRef,
    sid: &Sid,
    response: String,
    head: Vec<u8>,
) {
    let Connection { acceptor, wire, peer, buffer, .. } = connection;
    let Parts { fd, tls } = wire.into_parts();
    let origin = Origin { acceptor: &acceptor, peer: peer.as_ref(), head: &head };
    let mut details = String::with_capacity(head.len() + 96);
    origin.write(&mut details, &fd);
    let link = Link {
        id: next_link(),
        fd: Some(fd),
        tls,
        head: buffer.clone(),
        response,
        agreement: None,
        base64: false,
    };
    let upgrade =
        Upgrade { key: session.key, port: acceptor.port_id, handle: session.handle(), link };
    let takeover = Box::new(Takeover { upgrade, details });
    let (reply, declined) = oneshot::channel();
    let kind = CallKind::Upgrade { takeover, reply };
    let call = Call { key: session.key, sid: *sid, kind };
    Pool::global().send(session.shard, Command::Call(Box::new(call)));
    if let Ok(Some(takeover)) = declined.await
        && let Link { fd: Some(fd), tls, .. } = takeover.upgrade.link
    {
        let mut bytes = head;
        bytes.extend_from_slice(&buffer);
        relay::pass(&acceptor, peer.as_ref(), Parts { fd, tls }, bytes);
    }
}

fn pass(mut connection: Connection, head: Vec<u8>) {
    let rest = std::mem::replace(&mut connection.buffer, head);
    connection.buffer.extend_from_slice(&rest);
    connection.pass();
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
