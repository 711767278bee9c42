//! Connections on their way to the owner of the HTTP server. The listener adds, JavaScript takes all
//! at a time; a connection that nobody takes is closed with this.

use std::os::fd::OwnedFd;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A connection that is not Engine.IO's, or not usually so.
#[derive(Debug)]
pub struct Passed {
    /// The socket.
    pub fd: OwnedFd,
    /// What was read of it already; nothing when it was only looked at.
    pub bytes: Vec<u8>,
    /// The peer's address and port and our own, where the socket does not tell.
    pub addresses: Option<String>,
}

/// The connections that wait.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Mutex<Vec<Passed>>,
    taken: Notify,
}

impl Queue {
    /// Adds a connection. True when JavaScript has to be told: it has taken all before.
    pub fn push(&self, passed: Passed) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.push(passed);
        waiting.len() == 1
    }

    /// Takes all.
    pub fn take(&self) -> Vec<Passed> {
        let passed = std::mem::take(&mut *self.waiting.lock());
        self.taken.notify_one();
        passed
    }

    /// Waits until fewer wait than `limit`. For one task: only one hears of it.
    pub async fn room(&self, limit: usize) {
        while self.waiting.lock().len() >= limit {
            self.taken.notified().await;
        }
    }
}
