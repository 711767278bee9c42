//! One question at a time by each client, answered by an acknowledgement.

use super::{check, text_frame, unexpected};
use crate::client::{Fleet, Plan, Scenario};
use crate::message::{FIRST, Incoming, Outgoing, padding};
use crate::net::Net;

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
    active: usize,
    /// How many answers to the request to join one common room have not come.
    joins: Option<usize>,
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

    /// All clients are in one room; those that send leave it and join it again each time.
    pub fn moving(plan: &Plan) -> Self {
        let after = format!(",\"{}\"]", padding(plan.payload));
        let message = Outgoing::text("427[\"move\",", &after);
        let expected = Incoming::text("437[", &after);
        let echo = Self::new(plan, None, message, Vec::new(), expected);
        Self { joins: Some(plan.clients), ..echo }
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
            active: plan.active.min(plan.clients),
            joins: None,
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
    fn set_up(&mut self, net: &mut Net, fleet: &mut Fleet) {
        if self.joins.is_some() {
            let join = text_frame("420[\"join\",\"r0\"]");
            (0..fleet.len()).for_each(|client| fleet.send(net, client, &join));
        }
    }

    fn is_set_up(&self) -> bool {
        self.joins.is_none_or(|missing| missing == 0)
    }

    fn start(&mut self, net: &mut Net, fleet: &mut Fleet, _measured: bool) {
        for client in 0..self.active {
            self.ask(net, fleet, client);
        }
    }

    fn text(&mut self, net: &mut Net, fleet: &mut Fleet, client: usize, text: &[u8]) {
        if let Some(missing @ 1..) = self.joins {
            if !text.starts_with(b"430[") {
                return unexpected(fleet, client, text);
            }
            self.joins = Some(missing - 1);
            return;
        }
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
