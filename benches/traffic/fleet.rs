//! Sessions on a shard of their own thread, as the addon runs them, with socket pairs in place of
//! TCP connections. The part of JavaScript is played by the caller.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ferrio::config::{ConfigKey, EngineConfig};
use ferrio::event::{EventBatch, Port};
use ferrio::proto::engine::{PacketType, Revision};
use ferrio::session::Identity;
use ferrio::shard::{
    Barrier, Broadcast, Command, Link, Open, Pool, RoomId, SessionRef, Start, next_link,
};
use ferrio::transport::Packet;

/// Clients with a WebSocket each, connected to the main namespace, all in one room.
pub struct Fleet {
    id: usize,
    port: Arc<Port>,
    due: Arc<Due>,
    sessions: Vec<SessionRef>,
    clients: Vec<UnixStream>,
    tick: u32,
}

/// A drain is due.
#[derive(Default)]
struct Due {
    is_due: Mutex<bool>,
    changed: Condvar,
}

impl Fleet {
    /// Connects so many clients.
    pub fn new(count: usize) -> Self {
        let due = Arc::new(Due::default());
        let port = Arc::new(Port::new({
            let due = due.clone();
            move || due.set()
        }));
        let id = Pool::global().add_port(port.clone());
        let config = Arc::new(EngineConfig::new());
        // Nothing happens that was not asked for.
        config.set(ConfigKey::PingInterval, u64::MAX);
        let connect = |_| {
            let (session, mut client) = connect(id, &config);
            // One after the other, so that how many a shard finds at once is not left to chance.
            settle();
            client.read_exact(&mut [0; WELCOME.len()]).expect("the handshake");
            (session, client)
        };
        let (sessions, clients) = (0..count).map(connect).unzip();
        Self { id, port, due, sessions, clients, tick: 0 }
    }

    /// Emits a text to the room, and waits until it was written.
    pub fn broadcast(&mut self, text: &str) {
        self.tick += 1;
        let broadcast = Broadcast {
            namespace: NAMESPACE,
            rooms: [ROOM].into_iter().collect(),
            except: [].into_iter().collect(),
            packets: [message(text)].into_iter().collect(),
            volatile: false,
            tick: self.tick,
            emits: 1,
        };
        Pool::global().send_all(|| Command::Broadcast(Box::new(broadcast.clone())));
        settle();
    }

    /// A client sends bytes; returns the events that came of it.
    pub fn send(&mut self, client: usize, bytes: &[u8]) -> EventBatch {
        self.clients[client].write_all(bytes).expect("a write");
        self.due.wait();
        self.port.drain()
    }

    /// Sends a text to a client, so many times in a tick, and has it read `buffer` full.
    pub fn answer(&mut self, client: usize, text: &str, times: usize, buffer: &mut [u8]) {
        self.tick += 1;
        let tick = self.tick;
        let SessionRef { shard, key } = self.sessions[client];
        for _ in 0..times {
            let packets = [message(text)].into_iter().collect();
            Pool::global().send(shard, Command::Send { key, tick, volatile: false, packets });
        }
        self.clients[client].read_exact(buffer).expect("an answer");
    }

    /// Has all clients read so much.
    pub fn read(&mut self, buffer: &mut [u8]) {
        for client in &mut self.clients {
            client.read_exact(buffer).expect("what was sent");
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        Pool::global().remove_port(self.id);
    }
}

impl Due {
    fn set(&self) {
        *self.is_due.lock().expect("no panic") = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let is_due = self.is_due.lock().expect("no panic");
        *self.changed.wait_while(is_due, |is_due| !*is_due).expect("no panic") = false;
    }
}

/// Waits until the shard has done all that it was asked for.
fn settle() {
    let barrier = Arc::new(Barrier::default());
    Pool::global().send_all(|| Command::Flush(barrier.clone()));
    assert!(barrier.wait(Duration::from_secs(60)), "the shard has not answered");
}

/// The packet of a Socket.IO text.
fn message(text: &str) -> Packet {
    Packet::text(PacketType::Message, &[text.as_bytes()])
}

fn connect(port: usize, config: &Arc<EngineConfig>) -> (SessionRef, UnixStream) {
    let (client, server) = UnixStream::pair().expect("a pair of sockets");
    server.set_nonblocking(true).expect("a socket that does not block");
    let session = Pool::global().reserve(1).expect("a thread");
    let SessionRef { shard, key } = session;
    let config = config.clone();
    let handle = session.handle();
    let link = Link {
        id: next_link(),
        fd: Some(server.into()),
        tls: None,
        head: Vec::new(),
        response: String::new(),
        agreement: None,
        base64: false,
    };
    let open = Open {
        identity: Identity { key, handle, port, config, revision: Revision::V4 },
        open: "{}".into(),
        start: Start::WebSocket(link),
        accepted: None,
    };
    let ordinal = 0;
    for command in [
        Command::Open(Box::new(open)),
        Command::Connect { key, ordinal, namespace: NAMESPACE, name: "/".into() },
        Command::Join { key, ordinal, room: ROOM },
    ] {
        Pool::global().send(shard, command);
    }
    (session, client)
}

/// The open packet, which is all that a client gets before it sends.
const WELCOME: [u8; 5] = *b"\x81\x030{}";
const NAMESPACE: RoomId = 1;
const ROOM: RoomId = 2;
