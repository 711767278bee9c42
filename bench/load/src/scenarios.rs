//! What the clients do once they are live: who sends what, what must come back, and what
//! counts as one operation. Each scenario checks that everything comes once, in order.

use crate::client::{Fleet, Plan, Scenario};
use crate::frame;
use crate::message::{FIRST, Incoming, Outgoing, padding};
use crate::net::Net;

fn text_frame(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::push_masked(&mut bytes, frame::TEXT, text.as_bytes());
    bytes
}

fn unexpected(fleet: &mut Fleet, client: usize, text: &[u8]) {
    fleet.fail(|| {
        let shown = String::from_utf8_lossy(&text[..text.len().min(120)]).into_owned();
        format!("client {client}: unexpected {shown}")
    });
}

fn check(fleet: &mut Fleet, client: usize, number: u32, expected: u32) {
    if number != expected {
        fleet.fail(|| format!("client {client}: number {number} instead of {expected}"));
    }
}

/// One client asks, the server emits to all, `window` times in one tick. The next
/// question leaves when everyone has everything. An operation is one delivery.
pub struct Broadcast {
    ask: Vec<u8>,
    emits: usize,
    expected: Incoming,
    next: Vec<u32>,
    outstanding: usize,
    asked_at: u64,
}

impl Broadcast {
    pub fn new(plan: &Plan) -> Self {
        Self {
            ask: text_frame(&format!("42[\"b\",{}]", plan.window)),
            emits: plan.window,
            expected: Incoming::text("42[\"b\",", &format!(",\"{}\"]", padding(plan.payload))),
            next: vec![FIRST; plan.clients],
            outstanding: 0,
            asked_at: 0,
        }
    }

    fn ask(&mut self, net: &mut Net, fleet: &Fleet) {
        self.outstanding = self.emits * fleet.len();
        self.asked_at = net.now();
        fleet.send(net, 0, &self.ask);
    }
}

impl Scenario for Broadcast {
    fn start(&mut self, net: &mut Net, fleet: &mut Fleet, _measured: bool) {
        self.ask(net, fleet);
    }

    fn text(&mut self, net: &mut Net, fleet: &mut Fleet, client: usize, text: &[u8]) {
        let Some(number) = self.expected.number(text) else {
            return unexpected(fleet, client, text);
        };
        check(fleet, client, number, self.next[client]);
        self.next[client] += 1;
        if self.outstanding == 0 {
            return fleet.fail(|| format!("client {client}: one delivery too many"));
        }
        self.outstanding -= 1;
        fleet.tally.operations += 1;
        fleet.tally.latency.record(net.now() - self.asked_at);
        if self.outstanding == 0 && fleet.running {
            self.ask(net, fleet);
        }
    }

    fn drained(&self) -> bool {
        self.outstanding == 0
    }
}

/// Rooms of `window` clients. One member of each room sends to it, again as soon as all
/// members have got it; all rooms at the same time. An operation is one delivery.
pub struct Rooms {
    size: usize,
    expected: Incoming,
    joins: usize,
    next: Vec<u32>,
    rooms: Vec<Room>,
    under_way: usize,
}

struct Room {
    say: Outgoing,
    number: u32,
    outstanding: usize,
    sent_at: u64,
}

impl Rooms {
    pub fn new(plan: &Plan) -> Self {
        let padding = padding(plan.payload);
        let rooms = (0..plan.clients / plan.window).map(|room| Room {
            say: Outgoing::text(&format!("42[\"say\",\"r{room}\","), &format!(",\"{padding}\"]")),
            number: FIRST,
            outstanding: 0,
            sent_at: 0,
        });
        let rooms = rooms.collect();
        Self {
            size: plan.window,
            expected: Incoming::text("42[\"say\",", &format!(",\"{padding}\"]")),
            joins: plan.clients,
            next: vec![FIRST; plan.clients],
            rooms,
            under_way: 0,
        }
    }

    fn say(&mut self, net: &mut Net, fleet: &Fleet, room: usize) {
        let r = &mut self.rooms[room];
        r.outstanding = self.size;
        r.sent_at = net.now();
        fleet.send(net, room * self.size, r.say.with(r.number));
        r.number += 1;
        self.under_way += 1;
    }
}

impl Scenario for Rooms {
    fn set_up(&mut self, net: &mut Net, fleet: &mut Fleet) {
        for client in 0..fleet.len() {
            let join = format!("420[\"join\",\"r{}\"]", client / self.size);
            fleet.send(net, client, &text_frame(&join));
        }
    }

    fn is_set_up(&self) -> bool {
        self.joins == 0
    }

    fn start(&mut self, net: &mut Net, fleet: &mut Fleet, _measured: bool) {
        for room in 0..self.rooms.len() {
            self.say(net, fleet, room);
        }
    }

    fn text(&mut self, net: &mut Net, fleet: &mut Fleet, client: usize, text: &[u8]) {
        if text == b"430[]" && self.joins > 0 {
            self.joins -= 1;
            return;
        }
        let Some(number) = self.expected.number(text) else {
            return unexpected(fleet, client, text);
        };
        check(fleet, client, number, self.next[client]);
        self.next[client] += 1;
        let room = client / self.size;
        let r = &mut self.rooms[room];
        if r.outstanding == 0 {
            return fleet.fail(|| format!("client {client}: one delivery too many"));
        }
        r.outstanding -= 1;
        fleet.tally.operations += 1;
        fleet.tally.latency.record(net.now() - r.sent_at);
        if r.outstanding == 0 {
            self.under_way -= 1;
            if fleet.running {
                self.say(net, fleet, room);
            }
        }
    }

    fn drained(&self) -> bool {
        self.under_way == 0
    }
}

/// Every client sends an event with an acknowledgement and the next one when it has
/// come, as text or with an attachment. An operation is one round trip.
pub struct Echo {
    head: Option<Vec<u8>>,
    message: Outgoing,
    expected_head: Vec<u8>,
    expected: Incoming,
    number: Vec<u32>,
    sent_at: Vec<u64>,
    head_seen: Vec<bool>,
    bytes: Vec<u8>,
    under_way: usize,
}

impl Echo {
    pub fn text(plan: &Plan) -> Self {
        let after = format!(",\"{}\"]", padding(plan.payload));
        Self::new(
            plan,
            None,
            Outgoing::text("427[\"e\",", &after),
            Vec::new(),
            Incoming::text("437[", &after),
        )
    }

    pub fn binary(plan: &Plan) -> Self {
        let payload = format!("{FIRST}{}", padding(plan.payload));
        Self::new(
            plan,
            Some(text_frame("451-7[\"e\",{\"_placeholder\":true,\"num\":0}]")),
            Outgoing::binary(payload.as_bytes()),
            b"461-7[{\"_placeholder\":true,\"num\":0}]".to_vec(),
            Incoming::binary(payload.as_bytes()),
        )
    }

    fn new(
        plan: &Plan,
        head: Option<Vec<u8>>,
        message: Outgoing,
        expected_head: Vec<u8>,
        expected: Incoming,
    ) -> Self {
        Self {
            head,
            message,
            expected_head,
            expected,
            number: vec![FIRST; plan.clients],
            sent_at: vec![0; plan.clients],
            head_seen: vec![false; plan.clients],
            bytes: Vec::new(),
            under_way: 0,
        }
    }

    fn ask(&mut self, net: &mut Net, fleet: &Fleet, client: usize) {
        self.sent_at[client] = net.now();
        self.under_way += 1;
        let message = self.message.with(self.number[client]);
        match &self.head {
            None => fleet.send(net, client, message),
            Some(head) => {
                self.bytes.clear();
                self.bytes.extend_from_slice(head);
                self.bytes.extend_from_slice(message);
                fleet.send(net, client, &self.bytes);
            }
        }
    }

    fn answered(&mut self, net: &mut Net, fleet: &mut Fleet, client: usize, payload: &[u8]) {
        let Some(number) = self.expected.number(payload) else {
            return unexpected(fleet, client, payload);
        };
        check(fleet, client, number, self.number[client]);
        self.number[client] += 1;
        self.under_way -= 1;
        fleet.tally.operations += 1;
        fleet.tally.latency.record(net.now() - self.sent_at[client]);
        if fleet.running {
            self.ask(net, fleet, client);
        }
    }
}

impl Scenario for Echo {
    fn start(&mut self, net: &mut Net, fleet: &mut Fleet, _measured: bool) {
        for client in 0..fleet.len() {
            self.ask(net, fleet, client);
        }
    }

    fn text(&mut self, net: &mut Net, fleet: &mut Fleet, client: usize, text: &[u8]) {
        if self.head.is_none() {
            return self.answered(net, fleet, client, text);
        }
        if text != self.expected_head || std::mem::replace(&mut self.head_seen[client], true) {
            unexpected(fleet, client, text);
        }
    }

    fn binary(&mut self, net: &mut Net, fleet: &mut Fleet, client: usize, bytes: &[u8]) {
        if !std::mem::take(&mut self.head_seen[client]) {
            return unexpected(fleet, client, bytes);
        }
        self.answered(net, fleet, client, bytes);
    }

    fn drained(&self) -> bool {
        self.under_way == 0
    }
}

/// Every client sends `window` events and asks whether all so far have come, two such
/// windows at a time; the server checks the numbers. An operation is one event.
pub struct OneWay {
    window: usize,
    message: Outgoing,
    sent: Vec<u32>,
    confirmed: Vec<u32>,
    windows: Vec<u32>,
    sent_at: Vec<[u64; 2]>,
    bytes: Vec<u8>,
    under_way: usize,
}

impl OneWay {
    pub fn new(plan: &Plan) -> Self {
        Self {
            window: plan.window,
            message: Outgoing::text("42[\"m\",", &format!(",\"{}\"]", padding(plan.payload))),
            sent: vec![0; plan.clients],
            confirmed: vec![0; plan.clients],
            windows: vec![0; plan.clients],
            sent_at: vec![[0; 2]; plan.clients],
            bytes: Vec::new(),
            under_way: 0,
        }
    }

    fn push(&mut self, net: &mut Net, fleet: &Fleet, client: usize) {
        self.bytes.clear();
        for _ in 0..self.window {
            let number = FIRST + self.sent[client];
            self.sent[client] += 1;
            self.bytes.extend_from_slice(self.message.with(number));
        }
        let question = format!("427[\"sync\",{}]", self.sent[client]);
        frame::push_masked(&mut self.bytes, frame::TEXT, question.as_bytes());
        self.sent_at[client][(self.windows[client] % 2) as usize] = net.now();
        self.windows[client] += 1;
        self.under_way += 1;
        fleet.send(net, client, &self.bytes);
    }
}

impl Scenario for OneWay {
    fn start(&mut self, net: &mut Net, fleet: &mut Fleet, _measured: bool) {
        for client in 0..fleet.len() {
            self.push(net, fleet, client);
            self.push(net, fleet, client);
        }
    }

    fn text(&mut self, net: &mut Net, fleet: &mut Fleet, client: usize, text: &[u8]) {
        // The server answers with the count so far, or -1 once an event was not the next.
        let count = text.strip_prefix(b"437[").and_then(|rest| rest.strip_suffix(b"]"));
        let count = count.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u32>().ok());
        let Some(count) = count else {
            return unexpected(fleet, client, text);
        };
        self.confirmed[client] += self.window as u32;
        check(fleet, client, count, self.confirmed[client]);
        let window = self.confirmed[client] / self.window as u32 - 1;
        self.under_way -= 1;
        fleet.tally.operations += self.window as u64;
        let sent_at = self.sent_at[client][(window % 2) as usize];
        fleet.tally.latency.record(net.now() - sent_at);
        if fleet.running {
            self.push(net, fleet, client);
        }
    }

    fn drained(&self) -> bool {
        self.under_way == 0
    }
}

/// Clients that only connect and stay. An operation is one connection, from the TCP
/// connection to the namespace's CONNECT packet.
pub struct Connect;

impl Scenario for Connect {
    fn connects_only(&self) -> bool {
        true
    }

    fn text(&mut self, _net: &mut Net, fleet: &mut Fleet, client: usize, text: &[u8]) {
        unexpected(fleet, client, text);
    }

    fn drained(&self) -> bool {
        true
    }
}

/// Clients that answer pings; an operation is one ping. With `block_ms`, the first client
/// asks the application to block for so long, and in the end all that are still
/// there must get an echo.
pub struct Heartbeat {
    block: Option<Vec<u8>>,
    question: Outgoing,
    expected: Incoming,
    waiting: usize,
}

impl Heartbeat {
    pub fn new(block_ms: Option<u64>) -> Self {
        Self {
            block: block_ms.map(|ms| text_frame(&format!("42[\"block\",{ms}]"))),
            question: Outgoing::text("427[\"e\",", ",\"x\"]"),
            expected: Incoming::text("437[", ",\"x\"]"),
            waiting: 0,
        }
    }
}

impl Scenario for Heartbeat {
    fn start(&mut self, net: &mut Net, fleet: &mut Fleet, measured: bool) {
        if let (true, Some(block)) = (measured, &self.block) {
            fleet.send(net, 0, block);
        }
    }

    fn stop(&mut self, net: &mut Net, fleet: &mut Fleet) {
        fleet.tally.operations = fleet.tally.pings;
        if self.block.is_none() {
            return;
        }
        for client in 0..fleet.len() {
            if fleet.is_live(client) {
                self.waiting += 1;
                fleet.send(net, client, self.question.with(FIRST));
            }
        }
    }

    fn text(&mut self, _net: &mut Net, fleet: &mut Fleet, client: usize, text: &[u8]) {
        if self.expected.number(text) != Some(FIRST) || self.waiting == 0 {
            return unexpected(fleet, client, text);
        }
        self.waiting -= 1;
    }

    fn drained(&self) -> bool {
        self.waiting == 0
    }

    fn lost_is_failure(&self) -> bool {
        self.block.is_none()
    }
}
