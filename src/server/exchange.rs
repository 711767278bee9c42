//! Requests of polling: what is asked of a session, and the answer.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::event::{Body, Response, next_request};
use crate::owed::Owed;
use crate::proto::engine::{PacketType, Revision};
use crate::shard::{Call, CallKind, Command, Known, Pool, Sid};
use crate::transport::{Packet, Polling};

use super::connection::Connection;
use super::handshake::{self, Origin};
use super::policy::{Policy, Route};
use super::request::{Kind, Request};
use super::response;
use super::stream::Read;

/// What has become of a request.
pub enum Outcome {
    /// It was answered, and the next may come.
    Answered,
    /// It is JavaScript's to answer; nothing of it was used.
    Declined,
    /// The connection is gone.
    Gone,
}

/// Serves one request of polling.
pub async fn serve(
    connection: &mut Connection,
    policy: &Policy,
    request: &Request,
    head: &[u8],
) -> Outcome {
    let Some(route) = policy.routes.get(request.route) else { return Outcome::Declined };
    let answer = match &request.kind {
        Kind::OpenPolling => return open(connection, policy, request, route, head).await,
        Kind::Poll { sid } => poll(connection, route, sid).await,
        Kind::Post { sid, length } => post(connection, policy, route, sid, *length).await,
        Kind::OpenWebSocket { .. } | Kind::Upgrade { .. } => Err(Outcome::Declined),
    };
    match answer {
        Ok(Answer { response: Response { status, body, owed }, polled, unread }) => {
            let bytes = response::polling(policy, route, request, None, status, &body);
            let _answering = polled.as_ref().map(|known| known.begin_answer(bytes.len()));
            let outcome = write(connection, &bytes).await;
            drop(owed);
            match (outcome, unread) {
                (Outcome::Answered, 1..) => discard(connection, policy, unread).await,
                (outcome, _) => outcome,
            }
        }
        Err(outcome) => outcome,
    }
}

async fn open(
    connection: &mut Connection,
    policy: &Policy,
    request: &Request,
    route: &Route,
    head: &[u8],
) -> Outcome {
    let Connection { acceptor, local, wire, peer, .. } = &*connection;
    if !acceptor.begin_handshake() {
        let _ = write(connection, &response::overloaded()).await;
        return Outcome::Gone;
    }
    let origin = Origin { acceptor, peer: peer.as_ref(), head };
    let opened = handshake::open_polling(&origin, local, route, wire.fd.get_ref()).await;
    let Some((sid, packet, owed)) = opened else {
        acceptor.heard(1);
        return Outcome::Declined;
    };
    let polling = Polling { pending: None, supports_binary: true, jsonp: None };
    let open = Packet::text(PacketType::Open, &[packet.as_bytes()]);
    let body = polling.encode(&[open], Revision::V4);
    let sid = std::str::from_utf8(&sid).ok();
    let bytes = response::polling(policy, route, request, sid, 200, &body);
    let outcome = write(connection, &bytes).await;
    drop(owed);
    outcome
}

async fn poll(connection: &mut Connection, route: &Route, sid: &Sid) -> Result<Answer, Outcome> {
    let known = route.registry.find(sid).ok_or(Outcome::Declined)?;
    let request = next_request();
    let (reply, answer) = oneshot::channel();
    call(&known, sid, CallKind::Poll { request, unread: known.unread(), reply });
    let mut polling = Polled { known: &known, request, is_over: false };
    let Connection { wire, buffer, .. } = connection;
    let response = tokio::select! {
        biased;
        answer = answer => {
            polling.is_over = true;
            answer.map_err(|_| Outcome::Declined)?
        }
        () = Connection::gone(wire, buffer) => return Err(Outcome::Gone),
    };
    drop(polling);
    Ok(Answer { polled: Some(known), ..response.into() })
}

/// A GET that waits. Its session is told when the connection goes before the answer, whoever ends it.
struct Polled<'a> {
    known: &'a Known,
    request: u32,
    is_over: bool,
}

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let Self { known, request, .. } = *self;
            let key = known.session.key;
            Pool::global().send(known.session.shard, Command::PollAborted { key, request });
        }
    }
}

async fn post(
    connection: &mut Connection,
    policy: &Policy,
    route: &Route,
    sid: &Sid,
    length: usize,
) -> Result<Answer, Outcome> {
    let known = route.registry.find(sid).ok_or(Outcome::Declined)?;
    if !known.begin_post() {
        call(&known, sid, CallKind::Fail("data request overlap from client"));
        let response = Response { status: 400, body: Body::Empty, owed: Owed::one() };
        return Ok(Answer { unread: length, ..response.into() });
    }
    let mut posted = Posted { known: &known, sid, is_whole: false };
    let Connection { acceptor, wire, buffer, .. } = connection;
    // While JavaScript is behind, the body is left where it is.
    acceptor.uncrowded().await;
    let arrives = async {
        while buffer.len() < length {
            if wire.read_more(buffer).await == Read::End {
                return false;
            }
        }
        true
    };
    match timeout(policy.request_timeout, arrives).await {
        Ok(true) => {}
        Ok(false) => return Err(Outcome::Gone),
        Err(_) => {
            drop(posted);
            let _ = write(connection, response::TOO_LATE).await;
            return Err(Outcome::Gone);
        }
    }
    posted.is_whole = true;
    let (reply, answer) = oneshot::channel();
    let body = buffer.get(..length).unwrap_or_default().to_vec();
    call(&known, sid, CallKind::Post { request: next_request(), body, reply });
    // The buffer stays: it is needed whole when the session declines.
    let mut response = answer.await.map_err(|_| Outcome::Declined)?;
    buffer.drain(..length);
    // The client's next POST comes after this answer, so one client cannot fill the queue of all.
    if acceptor.is_behind() {
        let Response { status, body, owed } = response;
        // A process that exits takes nothing more, and must not wait for what waits for that.
        drop(owed);
        acceptor.caught_up().await;
        response = Response { status, body, owed: Owed::one() };
    }
    Ok(response.into())
}

/// An answer.
struct Answer {
    response: Response,
    /// Whose GET it answers, if it is one.
    polled: Option<Arc<Known>>,
    /// How much of the request's body is still to be read: that is no next request.
    unread: usize,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self { response, polled: None, unread: 0 }
    }
}

/// Reads the rest of a body that nobody wants.
async fn discard(connection: &mut Connection, policy: &Policy, mut unread: usize) -> Outcome {
    let Connection { wire, buffer, .. } = connection;
    let arrives = async {
        loop {
            let count = unread.min(buffer.len());
            buffer.drain(..count);
            unread -= count;
            if unread == 0 {
                return true;
            }
            if wire.read_more(buffer).await == Read::End {
                return false;
            }
        }
    };
    match timeout(policy.request_timeout, arrives).await {
        Ok(true) => Outcome::Answered,
        _ => Outcome::Gone,
    }
}

/// A POST under way. Its session is told when the connection goes before the body has come, whoever
/// ends it.
struct Posted<'a> {
    known: &'a Known,
    sid: &'a Sid,
    is_whole: bool,
}

impl Drop for Posted<'_> {
    fn drop(&mut self) {
        self.known.end_post();
        if !self.is_whole {
            let words = "data request connection closed prematurely";
            call(self.known, self.sid, CallKind::Fail(words));
        }
    }
}

fn call(known: &Known, sid: &Sid, kind: CallKind) {
    let call = Call { key: known.session.key, sid: *sid, kind };
    Pool::global().send(known.session.shard, Command::Call(Box::new(call)));
}

async fn write(connection: &mut Connection, bytes: &[u8]) -> Outcome {
    let limit = connection.acceptor.limits.answer;
    match timeout(limit, connection.wire.write_all(bytes)).await {
        Ok(Ok(())) => Outcome::Answered,
        _ => Outcome::Gone,
    }
}
