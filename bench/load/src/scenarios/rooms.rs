//! Many small rooms at a time: the cost of an emit that reaches few.

use super::{check, text_frame, unexpected};
use crate::client::{Fleet, Plan, Scenario};
use crate::message::{FIRST, Incoming, Outgoing, padding};
use crate::net::Net;

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
        if text.starts_with(b"430[") && self.joins > 0 {
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
