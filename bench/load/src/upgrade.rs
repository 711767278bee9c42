//! Clients that begin with polling and upgrade, in the steps of a browser: a GET for the
//! handshake, CONNECT by POST while a GET waits, a probe over WebSocket, and the upgrade
//! packet when the waiting GET has come back. An operation is one client whose echo over
//! the new transport has come; its latency is the time until the upgrade packet left.

use crate::client::{Job, Plan, Tally, head_end, is_switched, upgrade_request};
use crate::frame::{self, Frame};
use crate::net::{Handler, Net};

/// The connections of one client; the tag of each is three times the client plus this.
const GETS: usize = 0;
const POSTS: usize = 1;
const WEBSOCKET: usize = 2;
const ECHO: &[u8] = b"427[\"e\",10000000,\"x\"]";
/// While warming up; the measured part has the plan's.
const WARM_UP_WINDOW: usize = 32;

#[derive(Default)]
struct Client {
    conns: [usize; 3],
    started: u64,
    sid: String,
    polling: bool,
    /// Packets to post, and whether a POST is under way.
    to_post: Vec<u8>,
    posting: bool,
    connected: bool,
    switched: bool,
    probed: bool,
    upgraded: bool,
    done: bool,
}

pub struct Upgrade {
    plan: Plan,
    clients: Vec<Client>,
    target: usize,
    /// How many may be under way at a time.
    window: usize,
    done: usize,
    running: bool,
    tally: Tally,
    failure: Option<String>,
}

impl Upgrade {
    pub fn new(plan: Plan) -> Self {
        Self {
            target: plan.warm_count,
            window: WARM_UP_WINDOW,
            plan,
            clients: Vec::new(),
            done: 0,
            running: false,
            tally: Tally::default(),
            failure: None,
        }
    }

    fn open_due(&mut self, net: &mut Net) {
        while self.clients.len() < self.target && self.clients.len() - self.done < self.window {
            let client = self.clients.len();
            self.clients.push(Client { started: net.now(), ..Client::default() });
            self.open(net, client, GETS);
        }
    }

    fn open(&mut self, net: &mut Net, client: usize, role: usize) {
        match net.connect(self.plan.port, client * 3 + role) {
            Ok(conn) => self.clients[client].conns[role] = conn,
            Err(error) => self.fail(|| format!("connect: {error}")),
        }
    }

    fn fail(&mut self, message: impl FnOnce() -> String) {
        if self.failure.is_none() {
            self.failure = Some(message());
        }
    }

    fn get(&mut self, net: &mut Net, client: usize) {
        let port = self.plan.port;
        let c = &mut self.clients[client];
        c.polling = true;
        let sid = if c.sid.is_empty() { String::new() } else { format!("&sid={}", c.sid) };
        let request = format!(
            "GET /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nAccept: */*\r\n\
             Host: 127.0.0.1:{port}\r\nConnection: keep-alive\r\n\r\n"
        );
        net.write(c.conns[GETS], request.as_bytes());
    }

    /// Posts a packet as soon as none is under way.
    fn post(&mut self, net: &mut Net, client: usize, packet: &[u8]) {
        let c = &mut self.clients[client];
        if !c.to_post.is_empty() {
            c.to_post.push(0x1e);
        }
        c.to_post.extend_from_slice(packet);
        self.post_waiting(net, client);
    }

    fn post_waiting(&mut self, net: &mut Net, client: usize) {
        let port = self.plan.port;
        let c = &mut self.clients[client];
        if c.posting || c.to_post.is_empty() {
            return;
        }
        c.posting = true;
        let (sid, body) = (&c.sid, std::mem::take(&mut c.to_post));
        let mut request = format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\n\
             Accept: */*\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: {}\r\nHost: 127.0.0.1:{port}\r\n\
             Connection: keep-alive\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        net.write(c.conns[POSTS], &request);
    }

    fn polled(&mut self, net: &mut Net, client: usize, body: &[u8]) {
        self.clients[client].polling = false;
        for packet in body.split(|byte| *byte == 0x1e) {
            match packet.first() {
                Some(b'0') if self.clients[client].sid.is_empty() => {
                    let Some(sid) = sid_of(packet) else {
                        return self.fail(|| format!("client {client}: no sid"));
                    };
                    self.clients[client].sid = sid;
                    // As good as under way: the upgrade may not overtake it.
                    self.clients[client].posting = true;
                    self.open(net, client, POSTS);
                    self.open(net, client, WEBSOCKET);
                }
                Some(b'4') if packet.starts_with(b"40{\"sid\"") => {
                    if std::mem::replace(&mut self.clients[client].connected, true) {
                        return self.fail(|| format!("client {client}: connected twice"));
                    }
                }
                Some(b'2') => self.post(net, client, b"3"),
                Some(b'6') => {}
                _ => return self.unexpected(client, packet),
            }
        }
        if self.clients[client].probed {
            self.upgrade(net, client);
        } else {
            self.get(net, client);
        }
    }

    /// Sends the upgrade packet when nothing is under way over polling.
    fn upgrade(&mut self, net: &mut Net, client: usize) {
        let now = net.now();
        let c = &mut self.clients[client];
        if c.polling || c.posting || c.upgraded {
            return;
        }
        c.upgraded = true;
        let mut bytes = Vec::new();
        frame::push_masked(&mut bytes, frame::TEXT, b"5");
        if c.connected {
            frame::push_masked(&mut bytes, frame::TEXT, ECHO);
        }
        net.write(c.conns[WEBSOCKET], &bytes);
        if self.running {
            self.tally.latency.record(now - c.started);
        }
    }

    fn framed(&mut self, net: &mut Net, client: usize, text: &[u8]) {
        let c = &mut self.clients[client];
        match text {
            b"3probe" if !c.probed => {
                c.probed = true;
                self.upgrade(net, client);
            }
            b"437[10000000,\"x\"]" if c.upgraded && c.connected && !c.done => {
                c.done = true;
                let (gets, posts) = (c.conns[GETS], c.conns[POSTS]);
                net.close(gets);
                net.close(posts);
                self.done += 1;
                if self.running {
                    self.tally.operations += 1;
                }
                self.open_due(net);
            }
            b"2" => {
                let mut bytes = Vec::new();
                frame::push_masked(&mut bytes, frame::TEXT, b"3");
                net.write(c.conns[WEBSOCKET], &bytes);
            }
            // The CONNECT packet may have missed the last poll and come this way.
            _ if c.upgraded && !c.connected && text.starts_with(b"40{\"sid\"") => {
                c.connected = true;
                // Before this, an event would be for a namespace that the client is not in.
                let mut bytes = Vec::new();
                frame::push_masked(&mut bytes, frame::TEXT, ECHO);
                net.write(c.conns[WEBSOCKET], &bytes);
            }
            _ => self.unexpected(client, text),
        }
    }

    fn unexpected(&mut self, client: usize, bytes: &[u8]) {
        self.fail(|| {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
            format!("client {client}: unexpected {shown}")
        });
    }

    fn frames(&mut self, net: &mut Net, client: usize, bytes: &mut [u8]) -> usize {
        let mut used = 0;
        if !self.clients[client].switched {
            let Some(end) = head_end(bytes) else { return 0 };
            if !is_switched(&bytes[..end]) {
                self.unexpected(client, &bytes[..end]);
                return end;
            }
            self.clients[client].switched = true;
            let mut probe = Vec::new();
            frame::push_masked(&mut probe, frame::TEXT, b"2probe");
            net.write(self.clients[client].conns[WEBSOCKET], &probe);
            used = end;
        }
        while let Some(frame) = Frame::take(&mut bytes[used..]) {
            let payload = &bytes[used + frame.start..used + frame.end];
            used += frame.end;
            if frame.opcode != frame::TEXT {
                let after = (net.now() - self.clients[client].started) / 1_000_000;
                self.fail(|| format!("client {client}: the WebSocket was closed after {after} ms"));
                break;
            }
            self.framed(net, client, payload);
        }
        used
    }
}

impl Handler for Upgrade {
    fn opened(&mut self, net: &mut Net, conn: usize, tag: usize) {
        let (client, role) = (tag / 3, tag % 3);
        match role {
            GETS => self.get(net, client),
            POSTS => {
                // Later ones take the place of one that was idle for too long.
                if std::mem::take(&mut self.clients[client].posting) {
                    self.post(net, client, b"40");
                }
            }
            _ => {
                let query = format!("&sid={}", self.clients[client].sid);
                net.write(conn, &upgrade_request(self.plan.port, &query));
            }
        }
    }

    fn data(&mut self, net: &mut Net, _conn: usize, tag: usize, bytes: &mut [u8]) -> usize {
        let (client, role) = (tag / 3, tag % 3);
        if role == WEBSOCKET {
            return self.frames(net, client, bytes);
        }
        let Some((body, end)) = response(bytes) else { return 0 };
        if !bytes.starts_with(b"HTTP/1.1 200") {
            self.unexpected(client, bytes);
        } else if role == GETS {
            let packets = bytes[body..end].to_vec();
            self.polled(net, client, &packets);
        } else {
            self.clients[client].posting = false;
            self.post_waiting(net, client);
            if self.clients[client].probed {
                self.upgrade(net, client);
            }
        }
        end
    }

    fn closed(&mut self, net: &mut Net, _conn: usize, tag: usize) {
        let (client, role) = (tag / 3, tag % 3);
        let c = &self.clients[client];
        match role {
            _ if c.upgraded && role != WEBSOCKET => {}
            // A server may end a connection that has been idle for some seconds. No GET is due then.
            GETS if !c.polling => {}
            POSTS if !c.posting => self.open(net, client, POSTS),
            _ => self.fail(|| format!("client {client}: connection {role} was closed")),
        }
    }
}

impl Job for Upgrade {
    fn connect(&mut self, net: &mut Net) -> bool {
        self.open_due(net);
        self.done == self.target
    }

    fn start(&mut self, net: &mut Net, measured: bool) {
        if measured {
            self.running = true;
            self.window = self.plan.handshakes;
            self.target += self.plan.count;
            self.open_due(net);
        }
    }

    fn finished(&self) -> bool {
        self.done == self.target
    }

    fn stop(&mut self, _net: &mut Net) {
        self.target = self.clients.len();
    }

    fn drained(&self) -> bool {
        self.done == self.target
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}

/// Where the body of a whole response starts and ends.
fn response(bytes: &[u8]) -> Option<(usize, usize)> {
    let body = head_end(bytes)?;
    let head = std::str::from_utf8(&bytes[..body]).ok()?;
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    // Without a length the body counts as empty, which no poll may be: it fails above.
    let end = body + length.unwrap_or(0);
    (bytes.len() >= end).then_some((body, end))
}

fn sid_of(packet: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(packet).ok()?;
    let rest = text.split_once("\"sid\":\"")?.1;
    Some(rest.split_once('"')?.0.to_owned())
}
