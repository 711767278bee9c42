//! Socket.IO clients over WebSocket: handshake, namespace, pongs. What is sent and
//! checked once a client is live is the scenario's.

use crate::frame::{self, Frame};
use crate::histogram::Histogram;
use crate::net::{Handler, Net};

/// Any key will do: the answer to it is then known without computing a digest.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What was asked for on the command line.
#[derive(Clone, Debug)]
pub struct Plan {
    pub port: u16,
    pub clients: usize,
    /// How much the scenario does at a time; each says of what.
    pub window: usize,
    pub payload: usize,
    /// Nanoseconds between two questions of a broadcast; 0 for the next at once.
    pub pace: u64,
    /// How many of the clients send; the others only are there.
    pub active: usize,
    /// How many handshakes may be under way at a time.
    pub handshakes: usize,
    /// Connections a second while connecting at first; 0 for as fast as they go.
    pub rate: usize,
    /// For scenarios that end by count: how much before and in the measured part.
    pub warm_count: usize,
    pub count: usize,
    /// The server's heartbeat settings in milliseconds.
    pub ping_interval: u64,
    pub ping_timeout: u64,
}

/// What a run has counted since it was last cleared.
#[derive(Default)]
pub struct Tally {
    pub operations: u64,
    pub latency: Histogram,
    pub pings: u64,
    /// The longest time between two pings of one client, in nanoseconds.
    pub ping_gap: u64,
    pub lost: u64,
}

/// What the main program drives: clients of some kind, in phases.
pub trait Job: Handler {
    /// Opens what is due; true when everything that has to be open is live and set up.
    fn connect(&mut self, net: &mut Net) -> bool;
    fn start(&mut self, net: &mut Net, measured: bool);
    /// A job that ends by count says so; others run until the time is up.
    fn finished(&self) -> bool {
        false
    }
    /// Called after every look for events while running.
    fn tick(&mut self, _net: &mut Net) {}
    fn stop(&mut self, net: &mut Net);
    /// Nothing is under way any more.
    fn drained(&self) -> bool;
    fn tally(&mut self) -> &mut Tally;
    /// The first thing that went wrong.
    fn failure(&self) -> Option<&str>;
    fn lost_is_failure(&self) -> bool {
        true
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Http,
    Open,
    Connect,
    Live,
    Gone,
}

struct Client {
    conn: usize,
    stage: Stage,
    started: u64,
    last_ping: u64,
}

/// The fleet as a scenario sees it.
pub struct Fleet {
    clients: Vec<Client>,
    live: usize,
    pub tally: Tally,
    pub running: bool,
    pub failure: Option<String>,
}

impl Fleet {
    pub fn send(&self, net: &mut Net, client: usize, bytes: &[u8]) {
        net.write(self.clients[client].conn, bytes);
    }

    pub fn len(&self) -> usize {
        self.clients.len()
    }

    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    pub fn is_live(&self, client: usize) -> bool {
        self.clients[client].stage == Stage::Live
    }

    /// Keeps the first failure; the main program ends the run over it.
    pub fn fail(&mut self, message: impl FnOnce() -> String) {
        if self.failure.is_none() {
            self.failure = Some(message());
        }
    }

    fn open(&mut self, net: &mut Net, port: u16) {
        let client = self.clients.len();
        match net.connect(port, client) {
            Ok(conn) => {
                let now = net.now();
                self.clients.push(Client { conn, stage: Stage::Http, started: now, last_ping: 0 });
            }
            Err(error) => self.fail(|| format!("connect: {error}")),
        }
    }
}

/// What a scenario does with live clients. Texts are whole Engine.IO messages.
pub trait Scenario {
    /// Called once when all clients are live; `is_set_up` is asked until it is true.
    fn set_up(&mut self, _net: &mut Net, _fleet: &mut Fleet) {}
    fn is_set_up(&self) -> bool {
        true
    }
    /// The clients connect in the measured part, and that is what is measured.
    fn connects_only(&self) -> bool {
        false
    }
    fn start(&mut self, _net: &mut Net, _fleet: &mut Fleet, _measured: bool) {}
    fn tick(&mut self, _net: &mut Net, _fleet: &mut Fleet) {}
    fn stop(&mut self, _net: &mut Net, _fleet: &mut Fleet) {}
    fn text(&mut self, net: &mut Net, fleet: &mut Fleet, client: usize, text: &[u8]);
    fn binary(&mut self, _net: &mut Net, fleet: &mut Fleet, client: usize, _bytes: &[u8]) {
        fleet.fail(|| format!("client {client}: an attachment that was not asked for"));
    }
    fn drained(&self) -> bool;
    fn lost_is_failure(&self) -> bool {
        true
    }
}

pub struct Load<S> {
    plan: Plan,
    scenario: S,
    fleet: Fleet,
    request: Vec<u8>,
    set_up: bool,
    /// How many clients shall be open by now.
    target: usize,
    began: u64,
}

impl<S: Scenario> Load<S> {
    pub fn new(plan: Plan, scenario: S) -> Self {
        let request = upgrade_request(plan.port, "");
        let fleet = Fleet {
            clients: Vec::new(),
            live: 0,
            tally: Tally::default(),
            running: false,
            failure: None,
        };
        Self { plan, scenario, fleet, request, set_up: false, target: 0, began: 0 }
    }

    fn open_due(&mut self, net: &mut Net) {
        let mut allowed = self.target;
        if self.plan.rate > 0 {
            let elapsed = net.now() - self.began;
            let due = elapsed as u128 * self.plan.rate as u128 / 1_000_000_000;
            allowed = allowed.min(due as usize + 1);
        }
        while self.fleet.len() < allowed
            && self.fleet.len() - self.fleet.live < self.plan.handshakes
            && self.fleet.failure.is_none()
        {
            self.fleet.open(net, self.plan.port);
        }
    }

    fn text(&mut self, net: &mut Net, client: usize, text: &[u8]) {
        let stage = self.fleet.clients[client].stage;
        match (text.first(), stage) {
            (Some(b'2'), _) => self.ping(net, client),
            (Some(b'4'), Stage::Live) => {
                self.scenario.text(net, &mut self.fleet, client, text);
            }
            (Some(b'0'), Stage::Open) => {
                self.fleet.clients[client].stage = Stage::Connect;
                let mut bytes = Vec::new();
                frame::push_masked(&mut bytes, frame::TEXT, b"40");
                self.fleet.send(net, client, &bytes);
            }
            (Some(b'4'), Stage::Connect) if text.starts_with(b"40{\"sid\"") => {
                let now = net.now();
                let c = &mut self.fleet.clients[client];
                c.stage = Stage::Live;
                c.last_ping = now;
                self.fleet.live += 1;
                if self.scenario.connects_only() && self.fleet.running {
                    let took = now - self.fleet.clients[client].started;
                    self.fleet.tally.operations += 1;
                    self.fleet.tally.latency.record(took);
                }
                self.open_due(net);
            }
            _ => self.fleet.fail(|| {
                let shown = String::from_utf8_lossy(&text[..text.len().min(120)]).into_owned();
                format!("client {client} ({stage:?}) got {shown}")
            }),
        }
    }

    fn ping(&mut self, net: &mut Net, client: usize) {
        let mut bytes = Vec::new();
        frame::push_masked(&mut bytes, frame::TEXT, b"3");
        self.fleet.send(net, client, &bytes);
        let now = net.now();
        let c = &mut self.fleet.clients[client];
        let gap = now - c.last_ping;
        c.last_ping = now;
        self.fleet.tally.pings += 1;
        self.fleet.tally.ping_gap = self.fleet.tally.ping_gap.max(gap);
        if gap > self.patience() {
            self.lose(net, client, "a ping came too late");
        }
    }

    /// A client gives up when no ping has come for an interval and a timeout.
    fn patience(&self) -> u64 {
        (self.plan.ping_interval + self.plan.ping_timeout) * 1_000_000
    }

    fn lose(&mut self, net: &mut Net, client: usize, why: &str) {
        let c = &mut self.fleet.clients[client];
        if c.stage == Stage::Gone {
            return;
        }
        net.close(c.conn);
        let stage = std::mem::replace(&mut c.stage, Stage::Gone);
        self.fleet.tally.lost += 1;
        if self.scenario.lost_is_failure() || stage != Stage::Live {
            self.fleet.fail(|| format!("client {client} ({stage:?}): {why}"));
        }
    }

    fn give_up_silent(&mut self, net: &mut Net) {
        let patience = self.patience();
        let now = net.now();
        for client in 0..self.fleet.len() {
            let c = &self.fleet.clients[client];
            if c.stage == Stage::Live && now - c.last_ping > patience {
                self.lose(net, client, "no ping in time");
            }
        }
    }
}

impl<S: Scenario> Handler for Load<S> {
    fn opened(&mut self, net: &mut Net, conn: usize, _tag: usize) {
        net.write(conn, &self.request);
    }

    fn data(&mut self, net: &mut Net, _conn: usize, client: usize, bytes: &mut [u8]) -> usize {
        let mut used = 0;
        if self.fleet.clients[client].stage == Stage::Http {
            let Some(end) = head_end(bytes) else { return 0 };
            if !is_switched(&bytes[..end]) {
                self.lose(net, client, "the upgrade was refused");
                return end;
            }
            self.fleet.clients[client].stage = Stage::Open;
            used = end;
        }
        while let Some(frame) = Frame::take(&mut bytes[used..]) {
            let payload = &bytes[used + frame.start..used + frame.end];
            used += frame.end;
            match frame.opcode {
                frame::TEXT => self.text(net, client, payload),
                frame::BINARY => self.scenario.binary(net, &mut self.fleet, client, payload),
                _ => {
                    self.lose(net, client, "closed by a frame");
                    return used;
                }
            }
        }
        used
    }

    fn closed(&mut self, net: &mut Net, _conn: usize, client: usize) {
        self.lose(net, client, "closed by the server");
    }
}

impl<S: Scenario> Job for Load<S> {
    fn connect(&mut self, net: &mut Net) -> bool {
        if self.target == 0 {
            self.began = net.now();
            let connects_only = self.scenario.connects_only();
            self.target = if connects_only { self.plan.warm_count } else { self.plan.clients };
        }
        self.open_due(net);
        if self.fleet.live < self.target {
            return false;
        }
        if !self.set_up {
            self.set_up = true;
            self.scenario.set_up(net, &mut self.fleet);
        }
        self.scenario.is_set_up()
    }

    fn start(&mut self, net: &mut Net, measured: bool) {
        self.fleet.running = true;
        if self.scenario.connects_only() && measured {
            self.plan.rate = 0;
            self.target += self.plan.count;
            self.open_due(net);
        }
        self.scenario.start(net, &mut self.fleet, measured);
    }

    fn finished(&self) -> bool {
        self.scenario.connects_only() && self.fleet.live == self.target
    }

    fn tick(&mut self, net: &mut Net) {
        if self.fleet.running {
            self.scenario.tick(net, &mut self.fleet);
        }
    }

    fn stop(&mut self, net: &mut Net) {
        self.fleet.running = false;
        if self.scenario.connects_only() {
            self.target = self.fleet.len();
        }
        if !self.scenario.lost_is_failure() {
            self.give_up_silent(net);
        }
        self.scenario.stop(net, &mut self.fleet);
    }

    fn drained(&self) -> bool {
        self.scenario.drained() && self.fleet.live == self.target
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.fleet.tally
    }

    fn failure(&self) -> Option<&str> {
        self.fleet.failure.as_deref()
    }

    fn lost_is_failure(&self) -> bool {
        self.scenario.lost_is_failure()
    }
}

/// The request that Node's WebSocket clients send.
pub fn upgrade_request(port: u16, query: &str) -> Vec<u8> {
    format!(
        "GET /socket.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nHost: 127.0.0.1:{port}\r\n\r\n"
    )
    .into_bytes()
}

/// Where the head of an HTTP message ends.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

pub fn is_switched(head: &[u8]) -> bool {
    let accept = ACCEPT.as_bytes();
    head.starts_with(b"HTTP/1.1 101") && head.windows(accept.len()).any(|w| w == accept)
}
