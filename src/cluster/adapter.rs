//! An adapter: the rooms that its namespace has here, and what becomes of a broadcast for them.

use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use super::message::Message;
use crate::proto::engine::PacketType;
use crate::session::PortId;
use crate::shard::{Broadcast, Command, Pool, RoomId};
use crate::transport::Packet;

/// Where the messages of one namespace go.
#[derive(Debug)]
pub struct Adapter {
    /// JavaScript's number of the adapter.
    pub id: u32,
    /// The name of this server: its own messages come back and are ignored.
    pub uid: String,
    /// The namespace.
    pub name: String,
    /// Start of the channels for broadcasts.
    pub channel: String,
    /// Channels of requests and responses.
    pub others: Vec<String>,
    port: PortId,
    /// Messages that JavaScript has not handled yet. Until it has, all that follow are its own
    /// too: they must not overtake these.
    pending: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Nobody in JavaScript has to see broadcasts.
    is_direct: bool,
    /// The core's number of the namespace, while it has sockets.
    namespace: Option<u32>,
    rooms: FxHashMap<String, u32>,
}

impl Adapter {
    /// One without rooms; all of its messages are JavaScript's at first.
    pub fn new(
        id: u32,
        port: PortId,
        uid: String,
        name: String,
        channel: String,
        others: Vec<String>,
    ) -> Self {
        Self {
            id,
            uid,
            name,
            channel,
            others,
            port,
            pending: AtomicU32::new(0),
            state: Mutex::default(),
        }
    }

    /// Takes broadcasts past JavaScript, or no longer.
    pub fn set_direct(&self, is_direct: bool) {
        self.state.lock().is_direct = is_direct;
    }

    /// The core's number of the namespace; none while it has no sockets.
    pub fn set_namespace(&self, number: Option<u32>) {
        self.state.lock().namespace = number;
    }

    /// Gives a room its number, or forgets it.
    pub fn set_room(&self, name: String, number: Option<u32>) {
        let mut state = self.state.lock();
        match number {
            Some(number) => state.rooms.insert(name, number),
            None => state.rooms.remove(&name),
        };
    }

    /// One more message is JavaScript's.
    pub fn hand_over(&self) {
        self.pending.fetch_add(1, Ordering::AcqRel);
    }

    /// JavaScript has handled a message.
    pub fn settle(&self) {
        self.pending.fetch_sub(1, Ordering::AcqRel);
    }

    /// Takes a message. False when it is JavaScript's.
    pub fn receive(&self, channel: &str, payload: &[u8]) -> bool {
        if self.pending.load(Ordering::Acquire) > 0 {
            return false;
        }
        let Some(room) = channel.strip_prefix(self.channel.as_str()) else { return true };
        // A channel of no room ends with that of its namespace.
        let room = match room.strip_suffix('#') {
            None if room.is_empty() => "",
            None => return true,
            Some(room) => room,
        };
        {
            let state = self.state.lock();
            if !state.is_direct {
                return false;
            }
            if !room.is_empty() && !state.rooms.contains_key(room) {
                return true;
            }
        }
        let Some(message) = Message::read(payload) else { return false };
        if message.uid == self.uid || message.namespace.unwrap_or("/") != self.name {
            return true;
        }
        let packet = self.encode(&message);
        // Held until the shards have it: the numbers of rooms may be given to others later.
        let state = self.state.lock();
        if !state.is_direct {
            return false;
        }
        if let Some(broadcast) = self.address(&state, &message, packet) {
            Pool::global().send_all(|| Command::Broadcast(Box::new(broadcast.clone())));
        }
        true
    }

    fn encode(&self, message: &Message<'_>) -> Packet {
        let parts: &[&[u8]] = if self.name == "/" {
            &[b"2", &message.data]
        } else {
            &[b"2", self.name.as_bytes(), b",", &message.data]
        };
        let packet = Packet::text(PacketType::Message, parts);
        if message.compress { packet } else { packet.uncompressed() }
    }

    /// Nothing when there are no recipients here.
    fn address(&self, state: &State, message: &Message<'_>, packet: Packet) -> Option<Broadcast> {
        let known = |names: &[&str]| -> SmallVec<[RoomId; 4]> {
            names.iter().filter_map(|name| state.rooms.get(*name)).map(|n| self.room(*n)).collect()
        };
        let rooms = known(&message.rooms);
        if rooms.is_empty() && !message.rooms.is_empty() {
            return None;
        }
        Some(Broadcast {
            namespace: self.room(state.namespace?),
            rooms,
            except: known(&message.except),
            packets: smallvec![packet],
            volatile: message.volatile,
            tick: next_tick(),
            emits: 1,
        })
    }

    fn room(&self, number: u32) -> RoomId {
        (self.port as u64) << 32 | u64::from(number)
    }
}

/// Every message is a tick of its own; JavaScript's are far from these numbers.
fn next_tick() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1 << 31);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
