//! The shards of the process, and the slots of their sessions.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::config::MAX_SHARDS;
use crate::event::Port;
use crate::session::PortId;

use super::command::{Command, CommandQueue};
use super::worker;

/// All I/O threads of the process. Threads start when first used and stay; they hold nothing that
/// keeps a process alive.
#[derive(Debug)]
pub struct Pool {
    shards: [OnceLock<ShardRef>; MAX_SHARDS],
    next: AtomicUsize,
    ports: Mutex<Vec<Option<Arc<Port>>>>,
}

/// The other side of a shard: its queue, and which of its session slots are taken.
#[derive(Debug)]
struct ShardRef {
    queue: Arc<CommandQueue>,
    slots: Mutex<Slots>,
}

/// Slots are given out here, on the thread that opens a session, so that it can name the session
/// at once; they come back when that thread has heard that the session is closed.
#[derive(Debug, Default)]
struct Slots {
    free: Vec<u32>,
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
        Self { shard: (handle & (MAX_SHARDS as u32 - 1)) as usize, key: handle >> SHARD_BITS }
    }
}

impl Pool {
    /// The process's pool.
    pub fn global() -> &'static Self {
        static POOL: OnceLock<Pool> = OnceLock::new();
        POOL.get_or_init(|| Self {
            shards: [const { OnceLock::new() }; MAX_SHARDS],
            next: AtomicUsize::new(0),
            ports: Mutex::new(Vec::new()),
        })
    }

    /// Registers an environment.
    pub fn add_port(&self, port: Arc<Port>) -> PortId {
        let id = {
            let mut ports = self.ports.lock();
            match ports.iter().position(Option::is_none) {
                Some(free) => {
                    ports[free] = Some(port.clone());
                    free
                }
                None => {
                    ports.push(Some(port.clone()));
                    ports.len() - 1
                }
            }
        };
        for shard in self.running() {
            shard.queue.push(Command::AddPort(id, port.clone()));
        }
        id
    }

    /// Forgets an environment and drops its sessions. Their slots are not reused: nobody can say
    /// any more that they are free.
    pub fn remove_port(&self, id: PortId) {
        for shard in self.running() {
            shard.queue.push(Command::RemovePort(id));
        }
        if let Some(slot) = self.ports.lock().get_mut(id) {
            *slot = None;
        }
    }

    /// Takes a slot for a new session, on one of the first `shards` shards in turn.
    pub fn reserve(&self, shards: usize) -> SessionRef {
        let shards = shards.clamp(1, MAX_SHARDS);
        let shard = self.next.fetch_add(1, Ordering::Relaxed) % shards;
        let mut slots = self.shard(shard).slots.lock();
        let key = slots.free.pop().unwrap_or_else(|| {
            slots.count += 1;
            slots.count - 1
        });
        SessionRef { shard, key }
    }

    /// Gives a slot back after the shard was told to release the session.
    pub fn release(&self, session: SessionRef) {
        let shard = self.shard(session.shard);
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

    /// Sends a command to every shard that runs. `make` is called once for each.
    pub fn send_all(&self, mut make: impl FnMut() -> Command) {
        for shard in self.running() {
            shard.queue.push(make());
        }
    }

    fn running(&self) -> impl Iterator<Item = &ShardRef> {
        self.shards.iter().filter_map(OnceLock::get)
    }

    fn shard(&self, index: usize) -> &ShardRef {
        self.shards[index % MAX_SHARDS].get_or_init(|| {
            let queue = Arc::new(CommandQueue::default());
            for (id, port) in self.ports.lock().iter().enumerate() {
                if let Some(port) = port {
                    queue.push(Command::AddPort(id, port.clone()));
                }
            }
            worker::spawn(index, queue.clone());
            ShardRef { queue, slots: Mutex::new(Slots::default()) }
        })
    }
}

const SHARD_BITS: u32 = MAX_SHARDS.trailing_zeros();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_its_session() {
        for (shard, key) in [(0, 0), (3, 1), (63, 33_000_000)] {
            let session = SessionRef { shard, key };
            assert_eq!(SessionRef::from_handle(session.handle()), session);
            assert!(session.handle() < 1 << 31, "small integers are fastest in JavaScript");
        }
    }
}
