//! Clients that send nothing of their own: connecting, and staying connected.

use super::{text_frame, unexpected};
use crate::client::{Fleet, Scenario};
use crate::message::{FIRST, Incoming, Outgoing};
use crate::net::Net;

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
