//! Events without an answer, as fast as the server takes them.

use super::{check, unexpected};
use crate::client::{Fleet, Plan, Scenario};
use crate::frame;
use crate::message::{FIRST, Outgoing, padding};
use crate::net::Net;

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
        let question = format!("427[\"sync\",{},{}]", self.sent[client], self.window);
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
