//! What JavaScript asks of a shard, and the queue that carries it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use smallvec::SmallVec;
use tokio::sync::Notify;

use crate::event::{CloseReason, Port};
use crate::proto::deflate::Agreement;
use crate::session::{Identity, PortId};
pub use crate::transport::Group;
use crate::transport::Packet;

use super::call::{Accepted, Call};
use super::rooms::RoomId;

/// One request to a shard. `key` is a session's slot on that shard, `ordinal` one of its sockets,
/// `link` one of its streams.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields that all share are explained above")]
pub enum Command {
    /// Make an environment known.
    AddPort(PortId, Arc<Port>),
    /// Drop an environment and all its sessions.
    RemovePort(PortId),
    /// Start a session.
    Open(Box<Open>),
    /// A WebSocket for a session that is on polling.
    Probe(Box<Upgrade>),
    /// A GET.
    Poll { key: u32, port: PortId, handle: u32, request: u32 },
    /// A POST with its whole body.
    Post(Box<Post>),
    /// The client gave up a GET.
    PollAborted { key: u32, request: u32 },
    /// Packets that belong together, for one session.
    Send { key: u32, tick: u32, volatile: bool, packets: Group },
    /// Packets that belong together, for many.
    Broadcast(Box<Broadcast>),
    /// A socket of a session: registered before it is connected when it joins rooms early.
    Attach { key: u32, ordinal: u32 },
    /// The socket is connected to a namespace.
    Connect { key: u32, ordinal: u32, namespace: RoomId, name: Arc<str> },
    /// The socket is gone.
    Detach { key: u32, ordinal: u32 },
    /// The socket joins a room.
    Join { key: u32, ordinal: u32, room: RoomId },
    /// The socket leaves a room.
    Leave { key: u32, ordinal: u32, room: RoomId },
    /// Close a session.
    Close { key: u32, discard: bool },
    /// Close a polling session, and say whether a GET that waited has told the client.
    ClosePolled { key: u32, answer: Arc<Answer<bool>> },
    /// Say whether a GET waits.
    IsPolled { key: u32, answer: Arc<Answer<bool>> },
    /// Close a session for a fault found in JavaScript.
    Fail { key: u32, reason: CloseReason, description: Option<String>, close: Option<Vec<u8>> },
    /// A WebSocket frame as it is, if the session is on WebSocket.
    Frame { key: u32, frame: Bytes },
    /// Report control frames from now on.
    WatchFrames { key: u32 },
    /// Count what waits to be written.
    Waiting { key: u32, answer: Arc<Answer<Unwritten>> },
    /// Start the heartbeat's interval anew.
    Beat { key: u32 },
    /// How long a deferred close may take.
    CloseTimeout { key: u32, timeout: Duration },
    /// Deliver packets undecoded, or decoded again.
    SetRaw { key: u32, raw: bool },
    /// Leave pings and pongs to JavaScript, or take them back.
    SetWatched { key: u32, watched: bool },
    /// Leave requests to JavaScript that the listener has read.
    LeaveRequests { key: u32 },
    /// Report once when everything is written.
    NotifyDrain { key: u32 },
    /// JavaScript has heard that the session is closed; its slot is free.
    Release { key: u32 },
    /// Bytes of a bridged stream.
    BridgeData { key: u32, link: u32, data: Vec<u8> },
    /// A bridged stream ended.
    BridgeEnd { key: u32, link: u32 },
    /// A bridged stream took so many bytes.
    BridgeWritten { key: u32, link: u32, bytes: u32 },
    /// Drop the stream of a session, or one that lingers.
    Kill { key: u32, link: u32 },
    /// An HTTP request that the listener has read.
    Call(Box<Call>),
    /// Start something beside the shard's loop.
    Run(Job),
    /// Panic: while working on a session, or on the shard itself.
    #[cfg(test)]
    Panic { key: Option<u32> },
    /// Tell when everything before this is written.
    Flush(Arc<Barrier>),
}

/// A new session.
#[derive(Debug)]
pub struct Open {
    /// Who it is.
    pub identity: Identity,
    /// Body of the open packet, for a start on WebSocket.
    pub open: String,
    /// What it starts on.
    pub start: Start,
    /// Present when JavaScript has not heard of the session yet.
    pub accepted: Option<Box<Accepted>>,
}

/// Work for a shard's thread. It may start tasks, and must not block.
pub struct Job(pub Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// The transport a session starts on.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of `Polling`")]
pub enum Start {
    /// HTTP long-polling.
    Polling { supports_binary: bool, jsonp: Option<String> },
    /// WebSocket.
    WebSocket(Link),
}

/// A stream on which a WebSocket handshake is to be completed.
#[derive(Debug)]
pub struct Link {
    /// Its name in JavaScript.
    pub id: u32,
    /// Its descriptor; bridged through JavaScript without one.
    #[cfg(unix)]
    pub fd: Option<std::os::fd::OwnedFd>,
    /// What is spoken on the descriptor, if that is not plain.
    #[cfg(unix)]
    pub tls: Option<Box<crate::transport::Tls>>,
    /// Bytes that were read with the request.
    pub head: Vec<u8>,
    /// The HTTP answer.
    pub response: String,
    /// What it says about compression.
    pub agreement: Option<Agreement>,
    /// The client takes binary data as base64 in text frames only.
    pub base64: bool,
}

/// A WebSocket for an existing session.
#[derive(Debug)]
pub struct Upgrade {
    /// The session.
    pub key: u32,
    /// Who hears of it when the session is gone.
    pub port: PortId,
    /// The session's name in JavaScript.
    pub handle: u32,
    /// The stream.
    pub link: Link,
}

/// A POST.
#[derive(Debug)]
pub struct Post {
    /// The session.
    pub key: u32,
    /// Who hears of it when the session is gone.
    pub port: PortId,
    /// The session's name in JavaScript.
    pub handle: u32,
    /// The request's number.
    pub request: u32,
    /// The body.
    pub body: Vec<u8>,
    /// Content type `application/octet-stream`.
    pub binary: bool,
}

/// A fan-out. Every shard gets one and walks its own members.
#[derive(Debug, Clone)]
pub struct Broadcast {
    /// The namespace.
    pub namespace: RoomId,
    /// Rooms; none means all.
    pub rooms: SmallVec<[RoomId; 4]>,
    /// Rooms whose members are left out.
    pub except: SmallVec<[RoomId; 4]>,
    /// What is sent.
    pub packets: Group,
    /// Drop where the transport is not idle.
    pub volatile: bool,
    /// The JavaScript tick.
    pub tick: u32,
    /// How many emits this is; more than one when they were joined.
    pub emits: u32,
}

impl Broadcast {
    /// True when the other one may travel with this one: who gets it is the same, and together they
    /// stay small. What is larger gains nothing, and would slip past the limit on what may wait for
    /// a client.
    pub fn takes(&self, other: &Self) -> bool {
        let bytes = |broadcast: &Self| broadcast.packets.iter().map(Packet::len).sum::<usize>();
        !self.volatile
            && !other.volatile
            && self.namespace == other.namespace
            && self.rooms == other.rooms
            && self.except == other.except
            && bytes(self) + bytes(other) <= MAX_JOINED
    }

    /// Appends the packets of another one.
    pub fn join(&mut self, other: Self) {
        self.packets.extend(other.packets);
        self.tick = other.tick;
        self.emits += other.emits;
    }
}

/// Bytes of frames that are joined at most.
const MAX_JOINED: usize = 16 * 1024;

/// Lets a thread wait, for a bounded time, until a shard came to some point.
#[derive(Debug, Default)]
pub struct Barrier {
    reached: Mutex<bool>,
    changed: Condvar,
}

impl Barrier {
    /// The point is reached.
    pub fn reach(&self) {
        *self.reached.lock() = true;
        self.changed.notify_all();
    }

    /// Waits for the point. False when time ran out.
    pub fn wait(&self, limit: Duration) -> bool {
        let mut reached = self.reached.lock();
        if !*reached {
            self.changed.wait_for(&mut reached, limit);
        }
        *reached
    }
}

/// What a shard says about a session, for a thread that waits to know.
#[derive(Debug, Default)]
pub struct Answer<T> {
    given: Mutex<Option<T>>,
    changed: Condvar,
}

/// What a session has not written yet.
#[derive(Debug, Default)]
pub struct Unwritten {
    /// Bytes that the stream has not taken.
    pub bytes: usize,
    /// Length of each packet, oldest first.
    pub packets: Vec<u32>,
}

impl<T: Default> Answer<T> {
    /// Gives the answer.
    pub fn give(&self, answer: T) {
        *self.given.lock() = Some(answer);
        self.changed.notify_all();
    }

    /// Waits for the answer. The default when time ran out.
    pub fn wait(&self, limit: Duration) -> T {
        let mut given = self.given.lock();
        if given.is_none() {
            self.changed.wait_for(&mut given, limit);
        }
        given.take().unwrap_or_default()
    }
}

/// Commands on their way to one shard. JavaScript pushes, the shard drains.
#[derive(Debug, Default)]
pub struct CommandQueue {
    waiting: Mutex<Waiting>,
    ready: Notify,
    /// The environment that drains it, where that is no thread of ours.
    owner: Mutex<Option<Arc<Port>>>,
}

#[derive(Debug, Default)]
struct Waiting {
    commands: Vec<Command>,
    /// The shard was woken since it last took the commands.
    woken: bool,
    /// Nobody drains it.
    is_closed: bool,
}

impl CommandQueue {
    /// Adds a command. The shard is woken once for all that it has not taken yet, and not for
    /// commands that show no effect before another does.
    pub fn push(&self, command: Command) {
        let urgent = command.is_urgent();
        let wake = {
            let mut waiting = self.waiting.lock();
            if waiting.is_closed {
                drop(waiting);
                return command.give_up();
            }
            waiting.commands.push(command);
            urgent && !std::mem::replace(&mut waiting.woken, true)
        };
        if wake {
            self.wake();
        }
    }

    /// Swaps the waiting commands with `empty`.
    pub fn swap(&self, empty: &mut Vec<Command>) {
        let mut waiting = self.waiting.lock();
        waiting.woken = false;
        std::mem::swap(&mut waiting.commands, empty);
    }

    /// True when the shard was woken for commands that it has not taken.
    pub fn is_called(&self) -> bool {
        self.waiting.lock().woken
    }

    /// Completes when there may be commands.
    pub async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Wakes the shard's loop without a command.
    pub fn wake(&self) {
        // Not held while the environment is called.
        let owner = self.owner.lock().clone();
        match owner {
            Some(port) => port.wake(),
            None => self.ready.notify_one(),
        }
    }

    /// An environment drains it from now on.
    pub fn open(&self, owner: Arc<Port>) {
        *self.owner.lock() = Some(owner);
        self.waiting.lock().is_closed = false;
    }

    /// Nobody drains it any more: what waits, and what comes, is dropped.
    pub fn close(&self) {
        *self.owner.lock() = None;
        let mut waiting = self.waiting.lock();
        waiting.is_closed = true;
        let dropped = std::mem::take(&mut waiting.commands);
        drop(waiting);
        dropped.into_iter().for_each(Command::give_up);
    }
}

impl Command {
    /// Nobody will do it: whoever waits for all that came before need not.
    fn give_up(self) {
        if let Self::Flush(barrier) = self {
            barrier.reach();
        }
    }

    /// False for bookkeeping, which has to be done before the next command but not now. (A socket that
    /// is connected is waited for: what its client sends is read by the core from then on.)
    fn is_urgent(&self) -> bool {
        !matches!(
            self,
            Self::Attach { .. }
                | Self::Detach { .. }
                | Self::Join { .. }
                | Self::Leave { .. }
                | Self::Release { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::engine::PacketType;

    fn broadcast(rooms: &[RoomId], text: &str) -> Broadcast {
        Broadcast {
            namespace: 1,
            rooms: SmallVec::from_slice(rooms),
            except: SmallVec::new(),
            packets: smallvec::smallvec![Packet::text(PacketType::Message, &[text.as_bytes()])],
            volatile: false,
            tick: 1,
            emits: 1,
        }
    }

    #[test]
    fn broadcasts_are_joined_when_the_same_clients_get_them_and_they_are_small() {
        let mut first = broadcast(&[2], "a");
        let next = Broadcast { tick: 2, ..broadcast(&[2], "b") };
        assert!(first.takes(&next));
        assert!(!first.takes(&broadcast(&[3], "b")));
        assert!(!first.takes(&broadcast(&[], "b")));
        assert!(!first.takes(&Broadcast { namespace: 2, ..broadcast(&[2], "b") }));
        assert!(
            !first.takes(&Broadcast { except: smallvec::smallvec![2], ..broadcast(&[2], "b") })
        );
        assert!(!first.takes(&Broadcast { volatile: true, ..broadcast(&[2], "b") }));
        assert!(!first.takes(&broadcast(&[2], &"b".repeat(MAX_JOINED))));
        first.join(next);
        assert_eq!((first.packets.len(), first.emits, first.tick), (2, 2, 2));
    }
}
