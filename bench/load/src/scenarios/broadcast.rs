//! One to all: the cost of a delivery, and of many to each in one tick.

use super::{check, text_frame, unexpected};
use crate::client::{Fleet, Plan, Scenario};
use crate::message::{FIRST, Incoming, padding};
use crate::net::Net;

/// One client asks, the server emits to all, `window` times in one tick. The next
/// question leaves when everyone has everything. An operation is one delivery.
pub struct Broadcast {
    ask: Vec<u8>,
    emits: usize,
    expected: Incoming,
    next: Vec<u32>,
    outstanding: usize,
    asked_at: u64,
    pace: u64,
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
            pace: plan.pace,
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
        if self.outstanding == 0 && fleet.running && self.pace == 0 {
            self.ask(net, fleet);
        }
    }

    fn tick(&mut self, net: &mut Net, fleet: &mut Fleet) {
        if self.pace > 0 && self.outstanding == 0 && net.now() >= self.asked_at + self.pace {
            self.ask(net, fleet);
        }
    }

    fn drained(&self) -> bool {
        self.outstanding == 0
    }
}
