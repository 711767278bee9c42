//! One accepted connection: reads its first request, serves requests of Engine.IO one after the
//! other, and passes the connection on when one comes that is not.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvFlags, SocketAddrAny};
use rustls::ServerConfig;
use tokio::time::{Instant, timeout, timeout_at};

use crate::shard::Pool;
use crate::transport::{Tls, watch as watch_fd};

use super::acceptor::{Acceptor, Alive, Ear, Local, Phase, Shaking};
use super::exchange::{self, Outcome};
use super::handshake::{self, Switching};
use super::policy::Policy;
use super::proxy_protocol::{self, Header};
use super::relay;
use super::request::{Look, MAX_HEAD, Request, look};
use super::stream::{Read, peek, receive, take, with_scratch};
use super::wire::{Parts, Wire};

/// Takes a connection that was just accepted. Most bring their first request along.
pub fn admit(
    acceptor: &Arc<Acceptor>,
    local: &Rc<Local>,
    fd: OwnedFd,
    peer: Option<SocketAddrAny>,
) {
    let tls = acceptor.tls();
    if tls.is_some() || acceptor.is_proxied() {
        return begin(acceptor, fd, peer, tls);
    }
    let policy = acceptor.policy();
    let parts = Parts { fd, tls: None };
    if policy.routes.is_empty() {
        // Somebody else has a part in all that comes.
        return relay::pass(acceptor, None, parts, Vec::new());
    }
    with_scratch(|scratch| {
        let bytes = match receive(&parts.fd, scratch, RecvFlags::empty()) {
            Read::Bytes(count) => scratch.get(..count).unwrap_or_default(),
            Read::Nothing => &[],
            Read::End => return,
        };
        admit_with(acceptor, local, &policy, parts, peer, bytes);
    });
}

/// Takes a connection of which so much was read.
fn admit_with(
    acceptor: &Arc<Acceptor>,
    local: &Rc<Local>,
    policy: &Policy,
    parts: Parts,
    peer: Option<SocketAddrAny>,
    bytes: &[u8],
) {
    match look(bytes, policy) {
        Look::Foreign => relay::pass(acceptor, None, parts, bytes.to_vec()),
        Look::Ours(request) if request.kind.is_for_web_socket() => {
            let Some((head, rest)) = bytes.split_at_checked(request.len) else { return };
            let switching = Switching { acceptor, local, peer, head, rest, parts };
            handshake::switch(switching, policy, &request);
        }
        Look::More | Look::Ours(_) => {
            let Parts { fd, .. } = parts;
            let Ok(fd) = watch_fd(fd) else { return };
            let connection = Connection {
                acceptor: acceptor.clone(),
                local: local.clone(),
                wire: Wire { fd, tls: None },
                peer,
                buffer: bytes.to_vec(),
                _alive: Alive::new(acceptor),
            };
            tokio::task::spawn_local(connection.run(acceptor.listen()));
        }
    }
}

/// Takes a connection that has more to say before its first request. It goes to one of the I/O
/// threads in turn: the arithmetic of many handshakes would hold up whoever is served by one.
fn begin(
    acceptor: &Arc<Acceptor>,
    fd: OwnedFd,
    peer: Option<SocketAddrAny>,
    tls: Option<Arc<ServerConfig>>,
) {
    let acceptor = acceptor.clone();
    let threads = acceptor.policy().threads();
    let alive = Alive::new(&acceptor);
    let work = move || {
        let tls = match tls.map(Tls::new).transpose() {
            Ok(tls) => tls.map(Box::new),
            Err(_) => return,
        };
        let Ok(fd) = watch_fd(fd) else { return };
        let ear = acceptor.listen();
        let connection = Connection {
            acceptor,
            local: Local::of_thread(),
            wire: Wire { fd, tls },
            peer,
            buffer: Vec::new(),
            _alive: alive,
        };
        tokio::task::spawn_local(connection.run(ear));
    };
    // A connection for which there is no thread is closed.
    let _ = Pool::global().run_in_turn(threads, work);
}

/// A connection that is not decided about, or serves polling.
pub struct Connection {
    /// Where it was accepted.
    pub acceptor: Arc<Acceptor>,
    /// What is shared on this thread.
    pub local: Rc<Local>,
    /// Where bytes come from and go.
    pub wire: Wire,
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
    async fn run(mut self, mut ear: Ear) {
        let mut next = tokio::select! {
            // A request that has come is served, whatever else there is to hear.
            biased;
            next = self.begin() => next,
            // Only what has begun is ended.
            is_dropped = ear.hears(Phase::Draining) => {
                if is_dropped {
                    return;
                }
                if !self.has_preface() {
                    self.read_at_once();
                }
                self.last()
            }
        };
        loop {
            let (policy, request, head) = match next {
                Next::Request(policy, request, head) => (policy, request, head),
                Next::Foreign => return self.pass(),
                Next::End => return,
            };
            if request.kind.is_for_web_socket() {
                let Self { acceptor, local, wire, peer, buffer, _alive } = self;
                let (acceptor, local, parts) = (&acceptor, &local, wire.into_parts());
                let (head, rest) = (&head, &buffer);
                let switching = Switching { acceptor, local, peer, head, rest, parts };
                return handshake::switch(switching, &policy, &request);
            }
            let outcome = tokio::select! {
                biased;
                outcome = exchange::serve(&mut self, &policy, &request, &head) => outcome,
                _ = ear.hears(Phase::Dropped) => return,
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
            let idle = policy.keep_alive + KEEP_ALIVE_GRACE;
            ear.forget_idle();
            next = tokio::select! {
                biased;
                next = self.following(idle) => next,
                is_dropped = ear.hears_idle() => {
                    if is_dropped {
                        return;
                    }
                    self.last()
                }
            };
        }
    }

    /// True when something comes before the first request.
    fn has_preface(&self) -> bool {
        self.wire.tls.is_some() || self.acceptor.is_proxied()
    }

    /// Takes what comes before the first request, then that.
    async fn begin(&mut self) -> Next {
        if !self.has_preface() {
            return self.first().await;
        }
        let limits = self.acceptor.limits;
        if self.acceptor.is_proxied() {
            match timeout(self.head_timeout(), self.take_proxy_header()).await {
                Ok(true) => {}
                Ok(false) | Err(_) => return Next::End,
            }
        }
        if self.wire.tls.is_some() {
            let Some(_shaking) = Shaking::begin(&self.acceptor) else { return Next::End };
            let shaken = self.wire.shake_hands(&mut self.buffer);
            if timeout(limits.tls_handshake, shaken).await != Ok(true) {
                return Next::End;
            }
        }
        self.first().await
    }

    /// Takes the header that tells where the connection comes from. False without a sound one.
    async fn take_proxy_header(&mut self) -> bool {
        let fd = &self.wire.fd;
        loop {
            let Ok(mut ready) = fd.readable().await else { return false };
            let ended = ready.ready().is_read_closed();
            let (header, is_taken) = with_scratch(|scratch| {
                let count = match peek(fd.get_ref(), scratch) {
                    Read::Bytes(count) => count,
                    Read::Nothing => return (Header::More, false),
                    Read::End => return (Header::Invalid, false),
                };
                let header = proxy_protocol::header(scratch.get(..count).unwrap_or_default());
                let mut take =
                    |len| scratch.get_mut(..len).is_some_and(|head| take(fd.get_ref(), head));
                let is_taken = matches!(header, Header::Whole { len, .. } if take(len));
                (header, is_taken)
            });
            match header {
                Header::More if ended => return false,
                Header::More => ready.clear_ready(),
                Header::Invalid => return false,
                Header::Whole { source, .. } => {
                    // Still ready: what comes behind the header may have come with it.
                    if let Some(source) = source {
                        self.peer = Some(source.into());
                    }
                    return is_taken;
                }
            }
        }
    }

    /// Reads the first request.
    async fn first(&mut self) -> Next {
        let deadline = Instant::now() + self.head_timeout();
        loop {
            if let Some(next) = self.buffered() {
                return next;
            }
            match timeout_at(deadline, self.wire.read_more(&mut self.buffer)).await {
                Ok(Read::Bytes(_)) => {}
                Ok(_) if self.buffer.is_empty() => return Next::End,
                // Node has its own ideas of what to say to half a request, and of how long a
                // connection may stay silent.
                Ok(_) | Err(_) => return Next::Foreign,
            }
        }
    }

    /// How long the head of a request may take, before Node has a say.
    fn head_timeout(&self) -> Duration {
        self.acceptor.limits.first_bytes.min(self.acceptor.policy().head_timeout)
    }

    /// What becomes of the connection when no more of it is read.
    fn last(&self) -> Next {
        if self.buffer.is_empty() { Next::End } else { Next::Foreign }
    }

    /// Reads what has come, if anything has.
    fn read_at_once(&mut self) {
        with_scratch(|scratch| {
            let read = receive(self.wire.fd.get_ref(), scratch, RecvFlags::empty());
            if let Read::Bytes(count) = read {
                self.buffer.extend_from_slice(scratch.get(..count).unwrap_or_default());
            }
        });
    }

    /// What the bytes that were read ask for. Nothing while more have to come.
    fn buffered(&mut self) -> Option<Next> {
        if self.buffer.is_empty() {
            return None;
        }
        let policy = self.acceptor.policy();
        match look(&self.buffer, &policy) {
            Look::More => None,
            Look::Foreign => Some(Next::Foreign),
            Look::Ours(request) => {
                let rest = self.buffer.split_off(request.len.min(self.buffer.len()));
                let head = std::mem::replace(&mut self.buffer, rest);
                Some(Next::Request(policy, request, head))
            }
        }
    }

    /// Reads the next request on a connection that was kept. It may stay silent for so long.
    async fn following(&mut self, idle: Duration) -> Next {
        let mut deadline = Instant::now() + idle;
        let mut begun = false;
        loop {
            if let Some(next) = self.buffered() {
                return next;
            }
            if !self.buffer.is_empty() && !std::mem::replace(&mut begun, true) {
                deadline = Instant::now() + self.head_timeout();
            }
            match timeout_at(deadline, self.wire.read_more(&mut self.buffer)).await {
                Ok(Read::Bytes(_)) => {}
                Ok(Read::Nothing | Read::End) => return Next::End,
                Err(_) if self.buffer.is_empty() => return Next::End,
                Err(_) => return Next::Foreign,
            }
        }
    }

    /// Gives the connection, with what was read of it, to the owner of the HTTP server.
    pub fn pass(self) {
        let Self { acceptor, wire, peer, buffer, .. } = self;
        relay::pass(&acceptor, peer.as_ref(), wire.into_parts(), buffer);
    }

    /// Reads what comes while an answer is awaited, and returns when the peer has left. Of what
    /// comes too early only so much is read.
    pub async fn gone(wire: &mut Wire, buffer: &mut Vec<u8>) {
        while buffer.len() < MAX_HEAD {
            if wire.read_more(buffer).await == Read::End {
                return;
            }
        }
        std::future::pending().await
    }
}

/// A request that leaves the client just before its time is up still finds the connection.
const KEEP_ALIVE_GRACE: Duration = Duration::from_secs(1);
