//! The floor: what the same traffic costs a program that knows the answers. It reads
//! frames, patches a number into frames encoded before, writes them, and does nothing
//! that a server has to do. `FLOOR_BATCH=1` writes all emits of a tick to a socket at once.

use std::collections::VecDeque;
use std::io::Write;

use load::client::{ACCEPT, head_end};
use load::frame::{self, Frame};
use load::message::{FIRST, digits, padding};
use load::net::{Handler, Net};
use load::usage;

fn main() {
    usage::raise_descriptor_limit();
    let setting = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
    };
    let interval = setting("BENCH_PING_INTERVAL", 25_000);
    let mut floor = Floor::new(
        setting("BENCH_PAYLOAD", 64) as usize,
        setting("FLOOR_BATCH", 0) == 1,
        interval * 1_000_000,
    );
    let mut net = Net::new().unwrap_or_else(|error| panic!("epoll: {error}"));
    let port = net.listen().unwrap_or_else(|error| panic!("listen: {error}"));
    net.watch_stdin().unwrap_or_else(|error| panic!("standard input: {error}"));
    say(&format!("{{\"port\":{port},\"versions\":{{}}}}"));
    loop {
        if let Err(error) = net.turn(&mut floor, 50) {
            panic!("{error}");
        }
        floor.ping(&mut net);
        match net.read_stdin() {
            Some(lines) => (0..lines.lines().count()).for_each(|_| say_usage()),
            None => return,
        }
    }
}

fn say_usage() {
    let (cpu, rss) = (usage::cpu_micros(), usage::resident());
    say(&format!("{{\"cpuUs\":{cpu},\"rss\":{rss}}}"));
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

#[derive(Default, Clone)]
struct Peer {
    open: bool,
    received: u32,
    in_order: bool,
    attachment_due: bool,
}

struct Floor {
    batch: bool,
    interval: u64,
    peers: Vec<Peer>,
    members: Vec<usize>,
    rooms: Vec<Vec<usize>>,
    number: u32,
    before: usize,
    broadcast: Vec<u8>,
    joined: Vec<u8>,
    out: Vec<u8>,
    pings: VecDeque<(u64, usize)>,
    ping_frame: Vec<u8>,
}

const BROADCAST: &str = "42[\"b\",";

impl Floor {
    fn new(payload: usize, batch: bool, interval: u64) -> Self {
        let mut broadcast = Vec::new();
        let text = format!("{BROADCAST}{FIRST},\"{}\"]", padding(payload));
        frame::push_plain(&mut broadcast, frame::TEXT, text.as_bytes());
        let before = broadcast.len() - text.len() + BROADCAST.len();
        let mut ping_frame = Vec::new();
        frame::push_plain(&mut ping_frame, frame::TEXT, b"2");
        Self {
            batch,
            interval,
            peers: Vec::new(),
            members: Vec::new(),
            rooms: Vec::new(),
            number: FIRST,
            before,
            broadcast,
            joined: Vec::new(),
            out: Vec::new(),
            pings: VecDeque::new(),
            ping_frame,
        }
    }

    fn ping(&mut self, net: &mut Net) {
        let now = net.now();
        while let Some((_, conn)) = self.pings.pop_front_if(|(at, _)| *at <= now) {
            net.write(conn, &self.ping_frame);
            self.pings.push_back((now + self.interval, conn));
        }
    }

    fn text(&mut self, net: &mut Net, conn: usize, text: &[u8]) {
        if let Some(rest) = text.strip_prefix(b"42[\"m\",") {
            let peer = &mut self.peers[conn];
            let expected = digits(FIRST + peer.received);
            peer.in_order &= rest.starts_with(&expected);
            peer.received += 1;
        } else if let Some(rest) = text.strip_prefix(b"427[\"e\",") {
            self.reply(net, conn, &[b"437[", rest]);
        } else if let Some(rest) = text.strip_prefix(b"42[\"say\",\"r") {
            let Some(quote) = rest.iter().position(|byte| *byte == b'"') else { return };
            let room = number_of(&rest[..quote]);
            self.encode(&[b"42[\"say\"", &rest[quote + 1..]]);
            for &member in &self.rooms[room] {
                net.write(member, &self.out);
            }
        } else if let Some(rest) = text.strip_prefix(b"42[\"b\",") {
            self.broadcast(net, number_of(rest));
        } else if text.starts_with(b"427[\"sync\",") {
            let peer = &self.peers[conn];
            let count = if peer.in_order { i64::from(peer.received) } else { -1 };
            self.reply(net, conn, &[b"437[", count.to_string().as_bytes(), b"]"]);
        } else if text == b"40" {
            self.reply(net, conn, &[b"40{\"sid\":\"floor\"}"]);
        } else if let Some(rest) = text.strip_prefix(b"420[\"join\",\"r") {
            let room = number_of(rest);
            if self.rooms.len() <= room {
                self.rooms.resize(room + 1, Vec::new());
            }
            self.rooms[room].push(conn);
            self.reply(net, conn, &[b"430[]"]);
        } else if text.starts_with(b"451-7[\"e\"") {
            self.peers[conn].attachment_due = true;
        }
    }

    fn attachment(&mut self, net: &mut Net, conn: usize, bytes: &[u8]) {
        if std::mem::take(&mut self.peers[conn].attachment_due) {
            self.encode(&[b"461-7[{\"_placeholder\":true,\"num\":0}]"]);
            frame::push_plain(&mut self.out, frame::BINARY, bytes);
            net.write(conn, &self.out);
        }
    }

    fn broadcast(&mut self, net: &mut Net, emits: usize) {
        self.out.clear();
        for _ in 0..emits {
            let number = digits(self.number);
            self.number += 1;
            self.broadcast[self.before..self.before + number.len()].copy_from_slice(&number);
            self.out.extend_from_slice(&self.broadcast);
        }
        if self.batch {
            for &member in &self.members {
                net.write(member, &self.out);
            }
            return;
        }
        for one in self.out.chunks(self.broadcast.len()) {
            for &member in &self.members {
                net.write(member, one);
            }
        }
    }

    fn encode(&mut self, parts: &[&[u8]]) {
        self.joined.clear();
        parts.iter().for_each(|part| self.joined.extend_from_slice(part));
        self.out.clear();
        frame::push_plain(&mut self.out, frame::TEXT, &self.joined);
    }

    fn reply(&mut self, net: &mut Net, conn: usize, parts: &[&[u8]]) {
        self.encode(parts);
        net.write(conn, &self.out);
    }
}

impl Handler for Floor {
    fn opened(&mut self, net: &mut Net, conn: usize, _tag: usize) {
        if self.peers.len() <= conn {
            self.peers.resize(conn + 1, Peer::default());
        }
        self.peers[conn] = Peer { in_order: true, ..Peer::default() };
        self.members.push(conn);
        self.pings.push_back((net.now() + self.interval, conn));
    }

    fn data(&mut self, net: &mut Net, conn: usize, _tag: usize, bytes: &mut [u8]) -> usize {
        let mut used = 0;
        if !self.peers[conn].open {
            let Some(end) = head_end(bytes) else { return 0 };
            self.peers[conn].open = true;
            let open = format!(
                "0{{\"sid\":\"floor\",\"upgrades\":[],\"pingInterval\":{},\
                 \"pingTimeout\":20000,\"maxPayload\":1000000}}",
                self.interval / 1_000_000
            );
            self.out.clear();
            self.out.extend_from_slice(
                format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                     Connection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
                )
                .as_bytes(),
            );
            frame::push_plain(&mut self.out, frame::TEXT, open.as_bytes());
            net.write(conn, &self.out);
            used = end;
        }
        while let Some(frame) = Frame::take(&mut bytes[used..]) {
            let payload = &bytes[used + frame.start..used + frame.end];
            used += frame.end;
            match frame.opcode {
                frame::TEXT => self.text(net, conn, payload),
                frame::BINARY => self.attachment(net, conn, payload),
                _ => {}
            }
        }
        used
    }

    fn closed(&mut self, _net: &mut Net, conn: usize, _tag: usize) {
        self.members.retain(|member| *member != conn);
        self.pings.retain(|(_, member)| *member != conn);
    }
}

/// The number that the bytes start with.
fn number_of(bytes: &[u8]) -> usize {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |sum, byte| sum * 10 + usize::from(byte - b'0'))
}
