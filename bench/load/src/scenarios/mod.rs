//! What the clients do once they are live: who sends what, what must come back, and what
//! counts as one operation. Each scenario checks that everything comes once, in order.

mod broadcast;
mod echo;
mod one_way;
mod rest;
mod rooms;

pub use broadcast::Broadcast;
pub use echo::Echo;
pub use one_way::OneWay;
pub use rest::{Connect, Heartbeat};
pub use rooms::Rooms;

use crate::client::Fleet;
use crate::frame;

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
