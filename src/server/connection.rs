//! One accepted connection: looks at its first request without taking it, serves requests of
//! Engine.IO one after the other, and passes the connection on when one comes that is not.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use rustix::net::SocketAddrAny;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::transport::watch as watch_fd;

use super::acceptor::{Acceptor, Alive, Local, Phase};
use super::exchange::{self, Outcome};
use super::handshake::{self, Origin};
use super::policy::Policy;
use super::request::{Kind, Look, MAX_HEAD, Request, look};
use super::stream::{Read, peek, read_more, take};

/// Takes a connection that was just accepted. Most bring their first request along.
pub fn admit(
    acceptor: &Arc<Acceptor>,
    local: &Rc<Local>,
    fd: OwnedFd,
    peer: Option<SocketAddrAny>,
) {
    let policy = acceptor.policy();
    let mut scratch = local.scratch.borrow_mut();
    let seen = match peek(&fd, &mut scratch) {
        Read::Bytes(count) => look(scratch.get(..count).unwrap_or_default(), &policy),
        Read::Nothing => Look::More,
        Read::End => return,
    };
    match seen {
        Look::Foreign => acceptor.pass(fd, Vec::new()),
        Look::Ours(request) if matches!(request.kind, Kind::OpenWebSocket { .. }) => {
            let Some(head) = scratch.get_mut(..request.len) else { return };
            if take(&fd, head) {
                let origin = Origin { acceptor, peer: peer.as_ref(), head };
                handshake::open_web_socket(&origin, local, &policy, &request, fd);
            }
        }
        Look::More | Look::Ours(_) => {
            let Ok(fd) = watch_fd(fd) else { return };
            let connection = Connection {
                acceptor: acceptor.clone(),
                local: local.clone(),
                fd,
                peer,
                buffer: Vec::new(),
                _alive: Alive::new(acceptor),
            };
            tokio::task::spawn_local(connection.run());
        }
    }
}

/// A connection that is not decided about, or serves polling.
pub struct Connection {
    /// Where it was accepted.
    pub acceptor: Arc<Acceptor>,
    /// What is shared on this thread.
    pub local: Rc<Local>,
    /// The socket.
    pub fd: AsyncFd<OwnedFd>,
    /// The other end.
    pub peer: Option<SocketAddrAny>,
    /// What was read and not used.
    pub buffer: Vec<u8>,
    _alive: Alive,
}

/// What comes next on a connection.
enum Next {
    /// A request that is ours, and its head.
    Request(Arc<Policy>, Request, Vec<u8>),
    /// Something else: the connection is passed on.
    Foreign,
    /// Nothing.
    End,
}

impl Connection {
    async fn run(mut self) {
        let mut phase = self.acceptor.phase();
        let mut drops = self.acceptor.drops();
        let mut next = tokio::select! {
            next = self.first() => next,
            // Only what has begun is ended.
            () = closed(&mut phase, Phase::Draining) => {
                let policy = self.acceptor.policy();
                self.look_at_first(&policy).unwrap_or(Next::End)
            }
        };
        loop {
            let (policy, request, head) = match next {
                Next::Request(policy, request, head) => (policy, request, head),
                Next::Foreign => return self.pass(),
                Next::End => return,
            };
            if matches!(request.kind, Kind::OpenWebSocket { .. } | Kind::Upgrade { .. }) {
                return handshake::switch(self, &policy, &request, head).await;
            }
            let outcome = tokio::select! {
                outcome = exchange::serve(&mut self, &policy, &request, &head) => outcome,
                () = closed(&mut phase, Phase::Dropped) => return,
                _ = drops.changed() => return,
            };
            match outcome {
                Outcome::Answered if request.close => return,
                Outcome::Answered => {}
                Outcome::Declined => {
                    let rest = std::mem::replace(&mut self.buffer, head);
                    self.buffer.extend_from_slice(&rest);
                    return self.pass();
                }
                Outcome::Gone => return,
            }
            next = tokio::select! {
                next = self.following(&policy) => next,
                _ = drops.changed() => return,
                () = closed(&mut phase, Phase::Draining) => {
                    if self.buffer.is_empty() { Next::End } else { Next::Foreign }
                }
            };
        }
    }

    /// Looks at the first bytes until they tell what is asked for. The head of a request that is
    /// ours is taken; of all else nothing is.
    async fn first(&mut self) -> Next {
        let deadline = Instant::now() + self.acceptor.limits.first_bytes;
        loop {
            let ended = match timeout_at(deadline, self.fd.readable()).await {
                Ok(Ok(mut ready)) => {
                    let ended = ready.ready().is_read_closed();
                    // Cleared before looking: what comes from now on is news again. The end is
                    // never cleared, so it must not be waited for once more.
                    ready.clear_ready();
                    ended
                }
                Ok(Err(_)) => return Next::End,
                // Node has its own ideas of how long a connection may stay silent.
                Err(_) => return Next::Foreign,
            };
            let policy = self.acceptor.policy();
            match self.look_at_first(&policy) {
                Some(next) => return next,
                None if ended => return Next::Foreign,
                None => {}
            }
        }
    }

    /// Nothing while more has to come.
    fn look_at_first(&mut self, policy: &Arc<Policy>) -> Option<Next> {
        let mut scratch = self.local.scratch.borrow_mut();
        let count = match peek(self.fd.get_ref(), &mut scratch) {
            Read::Bytes(count) => count,
            Read::Nothing => return None,
            Read::End => return Some(Next::End),
        };
        match look(scratch.get(..count).unwrap_or_default(), policy) {
            Look::More => None,
            Look::Foreign => Some(Next::Foreign),
            Look::Ours(request) => {
                let mut head = vec![0; request.len];
                if take(self.fd.get_ref(), &mut head) {
                    Some(Next::Request(policy.clone(), request, head))
                } else {
                    Some(Next::End)
                }
            }
        }
    }

    /// Reads the request that follows on a connection that was kept.
    async fn following(&mut self, policy: &Policy) -> Next {
        let idle = policy.keep_alive + KEEP_ALIVE_GRACE;
        let mut deadline = Instant::now() + idle;
        let mut begun = false;
        loop {
            let policy = self.acceptor.policy();
            match (self.buffer.is_empty(), look(&self.buffer, &policy)) {
                (true, _) => {}
                (_, Look::Foreign) => return Next::Foreign,
                (_, Look::Ours(request)) => {
                    let rest = self.buffer.split_off(request.len.min(self.buffer.len()));
                    let head = std::mem::replace(&mut self.buffer, rest);
                    return Next::Request(policy, request, head);
                }
                (_, Look::More) => {
                    if !std::mem::replace(&mut begun, true) {
                        deadline = Instant::now() + self.acceptor.limits.first_bytes;
                    }
                }
            }
            match timeout_at(deadline, read_more(&self.fd, &mut self.buffer)).await {
                Ok(Read::Bytes(_)) => {}
                Ok(Read::Nothing | Read::End) => return Next::End,
                Err(_) if self.buffer.is_empty() => return Next::End,
                Err(_) => return Next::Foreign,
            }
        }
    }

    /// Gives the connection, with what was read of it, to the owner of the HTTP server.
    pub fn pass(self) {
        self.acceptor.pass(self.fd.into_inner(), self.buffer);
    }

    /// Reads what comes while an answer is awaited, and returns when the peer has left. Of what
    /// comes too early only so much is read.
    pub async fn gone(fd: &AsyncFd<OwnedFd>, buffer: &mut Vec<u8>) {
        while buffer.len() < MAX_HEAD {
            if read_more(fd, buffer).await == Read::End {
                return;
            }
        }
        std::future::pending().await
    }
}

/// Completes when the acceptor has come to a phase.
async fn closed(phase: &mut watch::Receiver<Phase>, at: Phase) {
    // An acceptor that is gone has closed.
    let _ = phase.wait_for(|now| *now >= at).await;
}

/// A request that leaves the client just before its time is up still finds the connection.
const KEEP_ALIVE_GRACE: std::time::Duration = std::time::Duration::from_secs(1);
