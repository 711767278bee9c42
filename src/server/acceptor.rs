//! One listening socket: accepts on an I/O thread, or is offered what Node has accepted, and keeps what
//! all its connections share.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_nodelay;
use rustix::net::{
    RecvFlags, SocketAddrAny, SocketFlags, acceptfrom_with, getpeername, getsockname,
};
use rustls::ServerConfig;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use crate::config;
use crate::event::{EventBatch, Port};
use crate::session::PortId;
use crate::shard::{Barrier, Pool};
use crate::transport::{duplicate, watch as watch_fd};

use super::connection;
use super::listening::lengthen_queue;
use super::passed::{Passed, Queue};
use super::policy::Policy;
use super::request::{Look, look};
use super::sid::Sids;
use super::stream::{Read, receive, with_scratch};

/// A listening socket and its connections. JavaScript holds one too.
#[derive(Debug)]
pub struct Acceptor {
    /// Its name in JavaScript.
    pub id: u32,
    /// The environment that it belongs to.
    pub port_id: PortId,
    /// The limits that it was opened with.
    pub limits: Limits,
    port: Arc<Port>,
    policy: Mutex<Arc<Policy>>,
    tls: Mutex<Option<Arc<ServerConfig>>>,
    is_proxied: bool,
    /// Where it listens, if that is one address: all its connections have it.
    address: OnceLock<SocketAddrAny>,
    passed: Queue,
    pending: AtomicUsize,
    shaking: AtomicUsize,
    alive: AtomicUsize,
    signal: watch::Sender<Signal>,
    unlistened: Barrier,
    /// Keeps an acceptor alive that has no listening socket of its own.
    standing: Mutex<Option<Alive>>,
}

/// Bounds of what peers can make an acceptor do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Handshakes that JavaScript has not heard of; more are answered with 503. While as many
    /// connections are on their way to JavaScript, no more are accepted, but for a burst.
    pub max_pending: usize,
    /// How long a connection may take to say what it wants before Node gets it.
    pub first_bytes: Duration,
    /// How long an answer may take to leave.
    pub answer: Duration,
    /// How long the handshake of TLS may take.
    pub tls_handshake: Duration,
}

/// What an acceptor's connections may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Everything.
    Open,
    /// End what they have begun.
    Draining,
    /// Nothing.
    Dropped,
}

/// What connections are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// What they may still do.
    pub phase: Phase,
    /// Changes when those over HTTP have to go.
    drops: u32,
    /// Changes when those of them have to go that wait for a request.
    idle_drops: u32,
}

/// Hears of changes that concern a connection.
#[derive(Debug)]
pub struct Ear {
    signal: watch::Receiver<Signal>,
    /// What there was when it began to listen.
    before: Signal,
}

impl Ear {
    /// Completes when a phase has come, or the connections of before have to go. True for the latter.
    pub async fn hears(&mut self, at: Phase) -> bool {
        self.hears_if(|now, _| now.phase >= at).await
    }

    /// The same for a connection that waits for a request: also when such have to end.
    pub async fn hears_idle(&mut self) -> bool {
        let ends = |now: &Signal, before: &Signal| {
            now.phase >= Phase::Draining || now.idle_drops != before.idle_drops
        };
        self.hears_if(ends).await
    }

    async fn hears_if(&mut self, concerns: impl Fn(&Signal, &Signal) -> bool) -> bool {
        let Self { signal, before } = self;
        let any = |now: &Signal| now.drops != before.drops || concerns(now, before);
        match signal.wait_for(any).await {
            Ok(now) => now.drops != before.drops || now.phase == Phase::Dropped,
            // An acceptor that is gone has closed.
            Err(_) => true,
        }
    }

    /// Forgets that idle connections had to go while this one was not.
    pub fn forget_idle(&mut self) {
        self.before.idle_drops = self.signal.borrow().idle_drops;
    }
}

/// What connections share on their thread.
#[derive(Debug)]
pub struct Local {
    /// Makes the ids of sessions.
    pub sids: RefCell<Sids>,
}

/// Counts as a connection while it lives.
#[derive(Debug)]
pub struct Alive(Arc<Acceptor>);

impl Local {
    /// That of the thread that asks.
    pub fn of_thread() -> Rc<Self> {
        thread_local! {
            static LOCAL: Rc<Local> = Rc::new(Local { sids: RefCell::new(Sids::new()) });
        }
        LOCAL.with(Rc::clone)
    }
}

impl Acceptor {
    /// Makes an acceptor for an environment. It does nothing before `start`.
    ///
    /// With `is_proxied`, each of its connections begins with a header of the PROXY protocol.
    pub fn new(
        id: u32,
        port: Arc<Port>,
        port_id: PortId,
        limits: Limits,
        is_proxied: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            port_id,
            limits,
            port,
            policy: Mutex::new(Arc::new(Policy::default())),
            tls: Mutex::new(None),
            is_proxied,
            address: OnceLock::new(),
            passed: Queue::default(),
            pending: AtomicUsize::new(0),
            shaking: AtomicUsize::new(0),
            alive: AtomicUsize::new(0),
            signal: watch::Sender::new(Signal { phase: Phase::Open, drops: 0, idle_drops: 0 }),
            unlistened: Barrier::default(),
            standing: Mutex::new(None),
        })
    }

    /// Stands without a listening socket: Node accepts, and offers what it has accepted.
    pub fn stand(self: &Arc<Self>) {
        self.unlistened.reach();
        *self.standing.lock() = Some(Alive::new(self));
    }

    /// Takes a connection that Node has accepted, if what it has sent so far is a whole request of
    /// Engine.IO's. The descriptor stays Node's, and has not been read from; the connection lives on
    /// in a duplicate. False when it is left to Node.
    pub fn offer(self: &Arc<Self>, fd: BorrowedFd<'_>) -> bool {
        let policy = self.policy();
        let is_ours = with_scratch(|scratch| match receive(fd, scratch, RecvFlags::PEEK) {
            Read::Bytes(count) => {
                let bytes = scratch.get(..count).unwrap_or_default();
                matches!(look(bytes, &policy), Look::Ours(_))
            }
            Read::Nothing | Read::End => false,
        });
        is_ours && self.adopt(fd).is_ok()
    }

    fn adopt(self: &Arc<Self>, fd: BorrowedFd<'_>) -> std::io::Result<()> {
        let own = duplicate(fd)?;
        let acceptor = self.clone();
        let alive = Alive::new(self);
        Pool::global().run(move || {
            let _alive = alive;
            // Node may leave it off.
            let _ = set_tcp_nodelay(&own, true);
            let peer = getpeername(&own).ok().flatten();
            connection::admit(&acceptor, &Local::of_thread(), own, peer);
        })
    }

    /// Accepts connections of a listening socket from now on.
    ///
    /// # Errors
    ///
    /// What the system says when it has no thread to spare.
    pub fn start(self: &Arc<Self>, listener: OwnedFd, backlog: Option<i32>) -> std::io::Result<()> {
        if let Some(backlog) = backlog {
            lengthen_queue(listener.as_fd(), backlog);
        }
        if let Ok(address) = getsockname(&listener)
            && SocketAddr::try_from(address.clone()).is_ok_and(|own| !own.ip().is_unspecified())
        {
            let _ = self.address.set(address);
        }
        let acceptor = self.clone();
        let alive = Alive::new(self);
        Pool::global().run(move || {
            tokio::task::spawn_local(accept(acceptor, listener, alive));
        })
    }

    /// Replaces what it may serve by itself.
    pub fn set_policy(&self, policy: Policy) {
        *self.policy.lock() = Arc::new(policy);
    }

    /// What it may serve by itself.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.lock().clone()
    }

    /// Speaks TLS with the connections that are accepted from now on.
    pub fn set_tls(&self, config: Arc<ServerConfig>) {
        *self.tls.lock() = Some(config);
    }

    /// What TLS is spoken with, if it is.
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.lock().clone()
    }

    /// True when each connection begins with a header of the PROXY protocol.
    pub fn is_proxied(&self) -> bool {
        self.is_proxied
    }

    /// Our own address on one of its connections.
    pub fn local_address(&self, fd: &OwnedFd) -> Option<SocketAddrAny> {
        self.address.get().cloned().or_else(|| getsockname(fd).ok())
    }

    /// Stops accepting; connections end what they have begun, or at once when `now`.
    pub fn close(&self, now: bool) {
        let next = if now { Phase::Dropped } else { Phase::Draining };
        self.signal.send_if_modified(|signal| {
            let changes = signal.phase < next;
            signal.phase = next.max(signal.phase);
            changes
        });
        let standing = self.standing.lock().take();
        drop(standing);
    }

    /// Waits, for a bounded time, until nothing is accepted any more: then the port is free.
    pub fn wait_unlistened(&self) {
        self.unlistened.wait(UNLISTEN_LIMIT);
    }

    /// Listens to what concerns a connection of now.
    pub fn listen(&self) -> Ear {
        let signal = self.signal.subscribe();
        let before = *signal.borrow();
        Ear { signal, before }
    }

    /// Drops the connections that it serves over HTTP, or those of them that wait for a request, and
    /// goes on.
    pub fn drop_connections(self: &Arc<Self>, only_idle: bool) {
        let acceptor = self.clone();
        // Behind the connections that were offered before. Without that thread there are none.
        let _ = Pool::global().run(move || {
            acceptor.signal.send_modify(|Signal { drops, idle_drops, .. }| {
                let count = if only_idle { idle_drops } else { drops };
                *count = count.wrapping_add(1);
            });
        });
    }

    /// Gives a connection to JavaScript.
    pub fn pass(&self, passed: Passed) {
        if self.passed.push(passed) {
            self.tell(|events| events.passed(self.id));
        }
    }

    /// The connections that wait for JavaScript.
    pub fn take_passed(&self) -> Vec<Passed> {
        self.passed.take()
    }

    /// Counts a handshake that JavaScript has to hear of. False when there are too many.
    pub fn begin_handshake(&self) -> bool {
        if self.pending.load(Ordering::Relaxed) >= self.limits.max_pending {
            return false;
        }
        self.pending.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// JavaScript has heard of so many handshakes.
    pub fn heard(&self, count: usize) {
        let pending = |pending: usize| Some(pending.saturating_sub(count));
        let _ = self.pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pending);
    }

    /// Waits while so much is queued for JavaScript that nothing should be added.
    pub async fn uncrowded(&self) {
        while self.port.is_crowded() {
            self.port.drained_since(self.port.drains()).await;
        }
    }

    /// True while more is queued for JavaScript than one connection should add to.
    pub fn is_behind(&self) -> bool {
        self.port.queued() >= config::MAX_BACKLOG
    }

    /// Waits until JavaScript has taken what is queued for it by now.
    pub async fn caught_up(&self) {
        self.port.caught_up().await;
    }

    fn tell(&self, write: impl FnOnce(&mut EventBatch)) {
        let mut batch = EventBatch::new();
        write(&mut batch);
        self.port.submit(batch);
    }
}

/// Counts as a handshake of TLS while it lives.
#[derive(Debug)]
pub struct Shaking(Arc<Acceptor>);

impl Shaking {
    /// Counts one more; nothing when there are too many.
    pub fn begin(acceptor: &Arc<Acceptor>) -> Option<Self> {
        let shaking = Self(acceptor.clone());
        let others = acceptor.shaking.fetch_add(1, Ordering::Relaxed);
        (others < acceptor.limits.max_pending).then_some(shaking)
    }
}

impl Drop for Shaking {
    fn drop(&mut self) {
        self.0.shaking.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Alive {
    /// Counts one more.
    pub fn new(acceptor: &Arc<Acceptor>) -> Self {
        acceptor.alive.fetch_add(1, Ordering::Relaxed);
        Self(acceptor.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // The accepting task counts too, so the last one goes only after that has ended.
        if self.0.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.tell(|events| events.unlistened(self.0.id));
        }
    }
}

async fn accept(acceptor: Arc<Acceptor>, listener: OwnedFd, alive: Alive) {
    let mut signal = acceptor.signal.subscribe();
    let local = Local::of_thread();
    // Connections inherit it. A unix socket has no such option.
    let _ = set_tcp_nodelay(&listener, true);
    let Ok(listener) = watch_fd(listener) else { return acceptor.unlistened.reach() };
    while signal.borrow_and_update().phase == Phase::Open {
        let next = tokio::select! {
            next = accept_some(&acceptor, &local, &listener) => next,
            _ = signal.changed() => continue,
        };
        if let Next::After(pause) = next {
            tokio::time::sleep(pause).await;
        }
    }
    drop(listener);
    acceptor.unlistened.reach();
    drop(alive);
}

enum Next {
    AtOnce,
    After(Duration),
}

/// Accepts what waits, a bounded number at a time.
async fn accept_some(
    acceptor: &Arc<Acceptor>,
    local: &Rc<Local>,
    listener: &AsyncFd<OwnedFd>,
) -> Next {
    // Node would not accept them either while its thread is busy: they stay in the kernel's queue.
    acceptor.passed.room(acceptor.limits.max_pending).await;
    let Ok(mut ready) = listener.readable().await else { return Next::After(BACK_OFF) };
    for _ in 0..BURST {
        match acceptfrom_with(listener.as_fd(), SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok((fd, peer)) => connection::admit(acceptor, local, fd, peer),
            Err(Errno::AGAIN) => {
                ready.clear_ready();
                return Next::AtOnce;
            }
            // Out of descriptors or memory: the connection stays in the kernel's queue meanwhile.
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                return Next::After(BACK_OFF);
            }
            // The peer has left already, or the network has an error to report of it.
            Err(_) => {}
        }
    }
    tokio::task::yield_now().await;
    Next::AtOnce
}

/// Connections accepted before others get a turn.
const BURST: usize = 64;
/// How long whoever closes waits for the I/O thread.
const UNLISTEN_LIMIT: Duration = Duration::from_millis(250);
/// How long to wait when the system has no descriptor to give.
const BACK_OFF: Duration = Duration::from_millis(100);
