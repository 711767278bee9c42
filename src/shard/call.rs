//! HTTP requests that the listener has read itself, and how a shard answers them: the answer goes
//! back to the connection instead of to JavaScript.

use tokio::sync::oneshot;

use crate::event::{CloseReason, Response};
use crate::owed::Owed;
use crate::session::{Context, Session};

use super::command::Upgrade;
use super::registry::{Registration, Sid};
use super::state::Shard;

/// A request that names a session.
#[derive(Debug)]
pub struct Call {
    /// The session's slot.
    pub key: u32,
    /// The sid that was asked for: the slot may be another session's by now.
    pub sid: Sid,
    /// What is asked, and where the answer goes.
    pub kind: CallKind,
}

/// What a request asks of a session. A sender that is dropped declines: the session cannot serve
/// the request here, and JavaScript has to serve or to refuse it.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of the requests in `Command`")]
pub enum CallKind {
    /// A GET, and how many bytes of earlier answers the client has not read.
    Poll { request: u32, unread: usize, reply: oneshot::Sender<Response> },
    /// A POST with its whole body.
    Post { request: u32, body: Vec<u8>, reply: oneshot::Sender<Response> },
    /// The request broke a rule: the session ends with a transport error.
    Fail(&'static str),
    /// A WebSocket that wants to take over.
    Upgrade { takeover: Box<Takeover>, decline: Decline },
}

/// What a WebSocket is given to that a session declines, on the shard's thread.
pub struct Decline(pub Box<dyn FnOnce(Box<Takeover>) + Send>);

impl std::fmt::Debug for Decline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decline").finish_non_exhaustive()
    }
}

/// What lives until JavaScript has been told of a connection: the listener that it came from, which is
/// else known to have ended before, and then nobody knows whose the connection is.
pub struct Hold(pub Box<dyn Send>);

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

/// The WebSocket of an upgrade request.
#[derive(Debug)]
pub struct Takeover {
    /// The stream and the session.
    pub upgrade: Upgrade,
    /// Whose stream it is and what the request was, as fields of a record for JavaScript.
    pub details: String,
}

/// What JavaScript is told of a session that it has not asked for.
#[derive(Debug)]
pub struct Accepted {
    /// Fields of the record, in JSON.
    pub details: String,
    /// Present when further requests may name the session.
    pub registration: Option<Registration>,
    /// Who waits until JavaScript is told, and holds the listener meanwhile.
    pub told: Option<oneshot::Sender<Owed>>,
    /// The listener, where nobody waits.
    pub hold: Option<Hold>,
}

impl Shard {
    /// A request that the listener has read. What does not fit the session's state is declined:
    /// JavaScript knows what to answer.
    pub(super) fn call(&mut self, call: Call) {
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
            CallKind::Poll { request, unread, reply } => {
                let work = |session: &mut Session, ctx: &mut Context| {
                    session.on_poll_behind(ctx, request, unread);
                };
                self.serve(key, request, reply, work);
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
}
