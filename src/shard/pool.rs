//! The shards of the process, and the slots of their sessions.

use std::io;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::config::{MAX_INLINE, MAX_SHARDS};
use crate::event::Port;
use crate::metrics::Metrics;
use crate::session::PortId;

use super::command::{Command, CommandQueue, Job};
use super::worker::{self, Inline};

/// All I/O threads of the process. Threads start when first used and stay; they hold nothing that
/// keeps a process alive.
#[derive(Debug)]
pub struct Pool {
    /// First those with a thread, then those without.
    shards: [OnceLock<ShardRef>; MAX_SHARDS + MAX_INLINE],
    /// Which of those without a thread nobody has.
    spare: Mutex<Vec<usize>>,
    next: AtomicUsize,
    /// Whose turn it is to run something. Apart from `next`: in step, one thread would get all work
    /// of one kind.
    next_run: AtomicUsize,
    ports: Mutex<Vec<Option<Arc<Port>>>>,
}

/// The other side of a shard: its queue, and which of its session slots are taken.
#[derive(Debug, Default)]
struct ShardRef {
    queue: Arc<CommandQueue>,
    slots: Arc<Mutex<Slots>>,
    metrics: Arc<Metrics>,
}

/// Slots are given out here, on the thread that opens a session, so that it can name the session
/// at once; they come back when that thread has heard that the session is closed, or is gone.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) free: Vec<u32>,
    count: u32,
}

/// Names a session: its shard and its slot there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRef {
    /// Index of the shard.
    pub shard: usize,
    /// Slot on the shard.
    pub key: u32,
}

impl SessionRef {
    /// The session's name in JavaScript, a small integer.
    pub fn handle(self) -> u32 {
        self.key << SHARD_BITS | self.shard as u32
    }

    /// The session of that name.
    pub fn from_handle(handle: u32) -> Self {
        Self { shard: (handle & ((1 << SHARD_BITS) - 1)) as usize, key: handle >> SHARD_BITS }
    }
}

impl Pool {
    /// The process's pool.
    pub fn global() -> &'static Self {
        static POOL: OnceLock<Pool> = OnceLock::new();
        POOL.get_or_init(Self::new)
    }

    fn new() -> Self {
        Self {
            shards: [const { OnceLock::new() }; MAX_SHARDS + MAX_INLINE],
            spare: Mutex::new((MAX_SHARDS..MAX_SHARDS + MAX_INLINE).rev().collect()),
            next: AtomicUsize::new(0),
            next_run: AtomicUsize::new(0),
            ports: Mutex::new(Vec::new()),
        }
    }

    /// Registers an environment.
    pub fn add_port(&self, port: Arc<Port>) -> PortId {
        // Held to the end: a shard that is being started has read the list, or will.
        let mut ports = self.ports.lock();
        // A number is not used again: what still comes for an environment that is gone must not
        // reach another.
        let id = ports.len();
        ports.push(Some(port.clone()));
        for shard in self.running() {
            shard.queue.push(Command::AddPort(id, port.clone()));
        }
        id
    }

    /// Forgets an environment and drops its sessions. The shards free their slots: whoever would
    /// have done so is gone.
    pub fn remove_port(&self, id: PortId) {
        // Held to the end, as above.
        let mut ports = self.ports.lock();
        for shard in self.running() {
            shard.queue.push(Command::RemovePort(id));
        }
        if let Some(slot) = ports.get_mut(id) {
            *slot = None;
        }
    }

    /// Makes sure that there is a shard.
    ///
    /// # Errors
    ///
    /// What the system says when it has no thread or descriptor to spare.
    pub fn start(&self) -> io::Result<()> {
        self.ensure(0).map(|_| ())
    }

    /// Takes a slot for a new session, on one of the first `shards` shards in turn. A shard that
    /// cannot start is stood in for by the first.
    ///
    /// # Errors
    ///
    /// As `start`.
    pub fn reserve(&self, shards: usize) -> io::Result<SessionRef> {
        let shards = shards.clamp(1, MAX_SHARDS);
        let wanted = self.next.fetch_add(1, Ordering::Relaxed) % shards;
        let (shard, found) = match self.ensure(wanted) {
            Ok(found) => (wanted, found),
            Err(_) => (0, self.ensure(0)?),
        };
        Ok(SessionRef { shard, key: found.take_slot() })
    }

    /// Takes a slot for a new session on an environment's own shard.
    pub fn reserve_inline(&self, inline: &Inline) -> Option<SessionRef> {
        let shard = inline.index();
        Some(SessionRef { shard, key: self.shards.get(shard)?.get()?.take_slot() })
    }

    /// A shard for the thread of an environment. None when there are no more.
    pub fn lend(&self, port: &Arc<Port>, id: PortId) -> Option<Inline> {
        let index = self.spare.lock().pop()?;
        let ShardRef { queue, slots, metrics } =
            self.shards.get(index)?.get_or_init(ShardRef::default);
        queue.open(port.clone());
        queue.push(Command::AddPort(id, port.clone()));
        Some(Inline::new(index, port, queue.clone(), slots.clone(), metrics.clone()))
    }

    /// Takes the shard of an environment back that is gone.
    pub fn take_back(&self, inline: Inline) {
        // Drops its sessions, if the environment was forgotten before.
        inline.round();
        let index = inline.index();
        if let Some(shard) = self.shards.get(index).and_then(OnceLock::get) {
            shard.queue.close();
            self.spare.lock().push(index);
        }
    }

    /// Gives a slot back after the shard was told to release the session.
    pub fn release(&self, session: SessionRef) {
        let Some(shard) = self.shards.get(session.shard).and_then(OnceLock::get) else { return };
        // In the queue before the slot can be given out again, so the order is right on the shard.
        shard.queue.push(Command::Release { key: session.key });
        shard.slots.lock().free.push(session.key);
    }

    /// Sends a command to one shard.
    pub fn send(&self, shard: usize, command: Command) {
        // A name that was never given out must not start a thread.
        if let Some(shard) = self.shards.get(shard).and_then(OnceLock::get) {
            shard.queue.push(command);
        }
    }

    /// Runs something on the first shard's thread, which is started if need be.
    ///
    /// # Errors
    ///
    /// As `start`.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.ensure(0)?.queue.push(Command::Run(Job(Box::new(work))));
        Ok(())
    }

    /// Runs something on the thread of one of the first `shards` shards in turn. A shard that cannot
    /// start is stood in for by the first.
    ///
    /// # Errors
    ///
    /// As `start`.
    pub fn run_in_turn(
        &self,
        shards: usize,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let wanted = self.next_run.fetch_add(1, Ordering::Relaxed) % shards.clamp(1, MAX_SHARDS);
        let shard = self.ensure(wanted).or_else(|_| self.ensure(0))?;
        shard.queue.push(Command::Run(Job(Box::new(work))));
        Ok(())
    }

    /// Sends a command to every shard that runs. `make` is called once for each.
    pub fn send_all(&self, mut make: impl FnMut() -> Command) {
        for shard in self.running() {
            shard.queue.push(make());
        }
    }

    /// How many threads of ours run.
    pub fn threads(&self) -> usize {
        self.shards.iter().take(MAX_SHARDS).filter(|shard| shard.get().is_some()).count()
    }

    /// The counters of every shard that runs, in order: those with a thread first.
    pub fn metrics(&self) -> Vec<Arc<Metrics>> {
        self.running().map(|shard| shard.metrics.clone()).collect()
    }

    fn running(&self) -> impl Iterator<Item = &ShardRef> {
        self.shards.iter().filter_map(OnceLock::get)
    }

    fn ensure(&self, index: usize) -> io::Result<&ShardRef> {
        let cell = &self.shards[index % MAX_SHARDS];
        if let Some(shard) = cell.get() {
            return Ok(shard);
        }
        // Until the shard is in its place, so that no environment is added behind its back.
        let ports = self.ports.lock();
        if let Some(shard) = cell.get() {
            return Ok(shard);
        }
        let queue = Arc::new(CommandQueue::default());
        for (id, port) in ports.iter().enumerate() {
            if let Some(port) = port {
                queue.push(Command::AddPort(id, port.clone()));
            }
        }
        let slots = Arc::new(Mutex::new(Slots::default()));
        let metrics = Arc::new(Metrics::default());
        worker::spawn(index, queue.clone(), slots.clone(), metrics.clone())?;
        Ok(cell.get_or_init(|| ShardRef { queue, slots, metrics }))
    }
}

impl ShardRef {
    fn take_slot(&self) -> u32 {
        let mut slots = self.slots.lock();
        slots.free.pop().unwrap_or_else(|| {
            slots.count += 1;
            slots.count - 1
        })
    }
}

/// A name for a stream, unique in the process.
pub fn next_link() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

const SHARD_BITS: u32 = (MAX_SHARDS + MAX_INLINE).trailing_zeros();

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::{self, error::TryRecvError};

    use super::*;
    use crate::config::EngineConfig;
    use crate::event::{Extra, next_request};
    use crate::proto::engine::{PacketType, Revision};
    use crate::session::Identity;
    use crate::shard::{Accepted, Answer, Barrier, Call, CallKind, Open, Registry, Start};
    use crate::transport::Packet;

    #[test]
    fn a_handle_names_its_session() {
        for (shard, key) in [(0, 0), (3, 1), (63, 16_000_000), (127, 16_000_000)] {
            let session = SessionRef { shard, key };
            assert_eq!(SessionRef::from_handle(session.handle()), session);
            assert!(session.handle() < 1 << 31, "small integers are fastest in JavaScript");
        }
    }

    #[test]
    fn what_alternates_is_spread_evenly_all_the_same() {
        let pool = Pool::new();
        let (named, names) = std::sync::mpsc::channel();
        let mut sessions = [0; 2];
        for _ in 0..10 {
            let named = named.clone();
            pool.run_in_turn(2, move || {
                let name = std::thread::current().name().map(str::to_owned);
                named.send(name).expect("a receiver");
            })
            .expect("a thread");
            sessions[pool.reserve(2).expect("a thread").shard] += 1;
        }
        drop(named);
        let names: Vec<_> = names.iter().flatten().collect();
        let on_first = names.iter().filter(|name| name.ends_with("-0")).count();
        assert_eq!((names.len(), on_first, sessions), (10, 5, [5, 5]));
    }

    /// Opens a session on polling, on the first shard.
    fn open(pool: &Pool, port: PortId) -> SessionRef {
        let session = pool.reserve(1).expect("a thread");
        open_at(pool, port, session);
        session
    }

    fn open_at(pool: &Pool, port: PortId, session: SessionRef) {
        open_with(pool, port, session, None);
    }

    fn open_with(pool: &Pool, port: PortId, session: SessionRef, accepted: Option<Accepted>) {
        let identity = Identity {
            key: session.key,
            handle: session.handle(),
            port,
            config: Arc::new(EngineConfig::new()),
            revision: Revision::V4,
        };
        let start = Start::Polling { supports_binary: true, jsonp: None };
        let accepted = accepted.map(Box::new);
        let open = Open { identity, open: "{}".into(), start, accepted };
        pool.send(session.shard, Command::Open(Box::new(open)));
    }

    /// An environment, and how often it was woken.
    fn counting_port() -> (Arc<Port>, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        let port = Port::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        (Arc::new(port), wakes)
    }

    /// A pool with one environment and some sessions.
    fn with_sessions(count: usize) -> (Pool, Arc<Port>, Vec<SessionRef>) {
        let pool = Pool::new();
        let port = Arc::new(Port::new(|| {}));
        let id = pool.add_port(port.clone());
        let sessions = (0..count).map(|_| open(&pool, id)).collect();
        (pool, port, sessions)
    }

    /// What the environment was told once the shard has done everything so far.
    fn told(pool: &Pool, port: &Port) -> String {
        let barrier = Arc::new(Barrier::default());
        pool.send(0, Command::Flush(barrier.clone()));
        assert!(barrier.wait(std::time::Duration::from_secs(10)), "the shard has not answered");
        port.drain().into_parts().0
    }

    fn poll(pool: &Pool, session: SessionRef, request: u32) {
        let (key, handle) = (session.key, session.handle());
        pool.send(session.shard, Command::Poll { key, port: 0, handle, request });
        let packets = smallvec::smallvec![Packet::text(PacketType::Message, &[b"2[]"])];
        pool.send(session.shard, Command::Send { key, tick: 1, volatile: false, packets });
    }

    #[test]
    fn a_panic_in_a_session_ends_that_session_alone() {
        let (pool, port, sessions) = with_sessions(3);
        pool.send(0, Command::Panic { key: Some(sessions[1].key) });
        let text = told(&pool, &port);
        let name = -i64::from(sessions[1].handle()) - 1;
        assert_eq!(text, format!(r#"[{name},4,"transport error","internal error"]"#));
        poll(&pool, sessions[0], 7);
        poll(&pool, sessions[2], 8);
        let text = told(&pool, &port);
        assert!(text.contains("10,7,200") && text.contains("10,8,200"), "{text}");
    }

    #[test]
    fn a_panic_in_a_shard_ends_its_sessions_and_it_takes_new_ones() {
        let (pool, port, sessions) = with_sessions(2);
        pool.send(0, Command::Panic { key: None });
        let text = told(&pool, &port);
        assert_eq!(text.matches(r#"4,"transport error","internal error""#).count(), 2, "{text}");
        for session in sessions {
            pool.release(session);
        }
        let again = open(&pool, 0);
        poll(&pool, again, 9);
        let text = told(&pool, &port);
        assert!(text.contains("10,9,200"), "{text}");
    }

    #[test]
    fn what_was_sent_to_a_get_leaves_before_a_close_that_drops_the_rest() {
        for _ in 0..20 {
            let (pool, port, sessions) = with_sessions(1);
            poll(&pool, sessions[0], 7);
            pool.send(0, Command::Close { key: sessions[0].key, discard: true });
            let barrier = Arc::new(Barrier::default());
            pool.send(0, Command::Flush(barrier.clone()));
            assert!(barrier.wait(std::time::Duration::from_secs(10)), "the shard has not answered");
            let (_, extras) = port.drain().into_parts();
            assert!(matches!(&extras[..], [Extra::Text(text)] if text == "42[]"), "{extras:?}");
        }
    }

    #[test]
    fn closing_says_whether_a_get_has_told_the_client() {
        let (pool, port, sessions) = with_sessions(1);
        let close = |session: SessionRef| {
            let answer = Arc::new(Answer::default());
            pool.send(0, Command::ClosePolled { key: session.key, answer: answer.clone() });
            answer.wait(std::time::Duration::from_secs(10))
        };
        let get = |session: SessionRef, request| {
            let (key, handle) = (session.key, session.handle());
            pool.send(0, Command::Poll { key, port: 0, handle, request });
        };
        let session = sessions[0];
        // Used up by what was sent: the next one tells, and the session waits for it.
        poll(&pool, session, 7);
        assert!(!close(session));
        assert!(!told(&pool, &port).contains("forced close"));
        get(session, 8);
        let text = told(&pool, &port);
        assert!(text.contains("10,8,200") && text.contains("forced close"), "{text}");

        let other = open(&pool, 0);
        get(other, 9);
        assert!(close(other));
        let text = told(&pool, &port);
        assert!(text.contains("10,9,200") && text.contains("forced close"), "{text}");
    }

    #[test]
    fn nothing_is_kept_of_a_get_whose_client_has_left() {
        let (pool, port, _) = with_sessions(0);
        let session = pool.reserve(1).expect("a thread");
        let sid = [b'a'; 20];
        let registration = Some(Arc::new(Registry::default()).add(sid, session));
        open_with(
            &pool,
            0,
            session,
            Some(Accepted { details: "0".into(), registration, told: None, hold: None }),
        );
        let (reply, mut answer) = oneshot::channel();
        let (key, request) = (session.key, next_request());
        let kind = CallKind::Poll { request, unread: 0, reply };
        pool.send(0, Command::Call(Box::new(Call { key, sid, kind })));
        told(&pool, &port);
        assert!(matches!(answer.try_recv(), Err(TryRecvError::Empty)), "it waits");
        pool.send(0, Command::PollAborted { key, request });
        assert!(told(&pool, &port).contains("poll connection closed prematurely"));
        assert!(matches!(answer.try_recv(), Err(TryRecvError::Closed)), "nobody will answer");
    }

    #[test]
    fn a_shard_that_is_lent_runs_where_it_was_lent_to_until_it_is_taken_back() {
        let pool = Pool::new();
        let (port, wakes) = counting_port();
        let id = pool.add_port(port.clone());
        let inline = pool.lend(&port, id).expect("a shard");
        let session = pool.reserve_inline(&inline).expect("a slot");
        open_at(&pool, id, session);
        assert_eq!(wakes.load(Ordering::Relaxed), 1, "woken once for all that waits");
        port.hold();
        inline.round();
        poll(&pool, session, 7);
        pool.send(session.shard, Command::Close { key: session.key, discard: true });
        inline.round();
        let (text, _) = port.drain().into_parts();
        assert!(text.contains("10,7,200") && text.contains("forced close"), "{text}");
        assert_eq!(wakes.load(Ordering::Relaxed), 1, "it was about to drain");
        pool.remove_port(id);
        pool.take_back(inline);
        poll(&pool, session, 8);
        assert!(port.drain().is_empty(), "nobody runs it");
        let again = pool.add_port(port.clone());
        let inline = pool.lend(&port, again).expect("a shard");
        assert_eq!(inline.index(), session.shard);
        assert_eq!(pool.reserve_inline(&inline).expect("a slot").key, session.key, "free again");
    }

    #[test]
    fn who_asks_a_lent_shard_while_it_is_about_to_drain_is_heard() {
        let pool = Arc::new(Pool::new());
        let (port, wakes) = counting_port();
        let id = pool.add_port(port.clone());
        let inline = pool.lend(&port, id).expect("a shard");
        let (index, barrier) = (inline.index(), Arc::new(Barrier::default()));
        // As another thread would, after the round has taken its commands.
        let (later, asked) = (pool.clone(), barrier.clone());
        let ask = move || later.send(index, Command::Flush(asked));
        pool.send(index, Command::Run(Job(Box::new(ask))));
        let before = wakes.load(Ordering::Relaxed);
        inline.drain(&port);
        assert!(!barrier.wait(std::time::Duration::ZERO), "not in this round");
        assert_eq!(wakes.load(Ordering::Relaxed), before + 1, "so there has to be another");
        inline.drain(&port);
        assert!(barrier.wait(std::time::Duration::ZERO));
        assert_eq!(wakes.load(Ordering::Relaxed), before + 1, "and no third");
    }

    #[test]
    fn what_is_asked_of_a_shard_that_nobody_runs_is_given_up() {
        let pool = Pool::new();
        let port = Arc::new(Port::new(|| {}));
        let id = pool.add_port(port.clone());
        let inline = pool.lend(&port, id).expect("a shard");
        let index = inline.index();
        pool.remove_port(id);
        pool.take_back(inline);
        let barrier = Arc::new(Barrier::default());
        pool.send(index, Command::Flush(barrier.clone()));
        assert!(barrier.wait(std::time::Duration::ZERO));
    }

    #[test]
    fn sessions_that_come_after_their_environment_has_gone_are_dropped() {
        let (pool, _, _) = with_sessions(0);
        pool.remove_port(0);
        let late = open(&pool, 0);
        let other = Arc::new(Port::new(|| {}));
        assert_eq!(pool.add_port(other.clone()), 1, "numbers are not used again");
        assert_eq!(told(&pool, &other), "[]");
        assert_eq!(pool.reserve(1).expect("a thread").key, late.key, "the slot is free");
    }

    #[test]
    fn the_slots_of_an_environment_that_is_gone_are_free_again() {
        let pool = Pool::new();
        let stays = pool.add_port(Arc::new(Port::new(|| {})));
        let goes = pool.add_port(Arc::new(Port::new(|| {})));
        let open = |port| open(&pool, port).key;
        let kept: Vec<_> = (0..2).map(|_| open(stays)).collect();
        let mut freed: Vec<_> = (0..3).map(|_| open(goes)).collect();
        pool.remove_port(goes);
        let barrier = Arc::new(Barrier::default());
        pool.send(0, Command::Flush(barrier.clone()));
        assert!(barrier.wait(std::time::Duration::from_secs(10)), "the shard has not answered");
        let mut reused: Vec<_> = (0..3).map(|_| pool.reserve(1).expect("a thread").key).collect();
        reused.sort_unstable();
        freed.sort_unstable();
        assert_eq!(reused, freed);
        assert!(kept.iter().all(|key| !reused.contains(key)));
    }
}
