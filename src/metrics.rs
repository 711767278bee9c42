//! What a shard counts. Each counter has one writer, its shard's thread, so that counting costs
//! neither a lock nor a locked instruction; readers see each value as of some moment.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::event::CloseReason;

/// A number that one thread changes and any may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds. Only the owning thread may.
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// Subtracts, for numbers that also go down. Only the owning thread may.
    pub fn sub(&self, less: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(less), Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one shard.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Sessions on WebSocket now.
    pub websockets: Counter,
    /// Sessions on polling now.
    pub pollings: Counter,
    /// Sessions that were opened.
    pub opened: Counter,
    /// Sessions that ended, by `CloseReason`.
    pub closed: [Counter; CloseReason::ALL.len()],
    /// Events and acknowledgements that clients sent and the core decoded.
    pub events_in: Counter,
    /// Bytes read from WebSockets and POST bodies.
    pub bytes_in: Counter,
    /// Packets queued for sessions, one for each recipient of a broadcast.
    pub packets_out: Counter,
    /// Bytes that WebSockets have taken.
    pub bytes_out: Counter,
    /// Broadcasts.
    pub broadcasts: Counter,
    /// Recipients of broadcasts.
    pub deliveries: Counter,
    /// Sessions that were closed because they did not read.
    pub slow: Counter,
    /// Events that were dropped, or that ended their session, because of `rateLimit`.
    pub rate_limited: Counter,
    /// Rounds of the loop: how often the thread was woken for commands or timers.
    pub rounds: Counter,
    /// Reads from streams.
    pub reads: Counter,
    /// Panics that were contained.
    pub panics: Counter,
    /// Answers to pings, by the time they took: up to each of `HEARTBEAT_BUCKETS`, and beyond.
    pub heartbeats: [Counter; HEARTBEAT_BUCKETS.len() + 1],
    /// The sum of those times, in milliseconds.
    pub heartbeat_ms: Counter,
}

/// Upper bounds of the buckets for the round-trip of a heartbeat, in milliseconds.
pub const HEARTBEAT_BUCKETS: [u64; 6] = [5, 20, 50, 200, 1000, 5000];

impl Metrics {
    /// Counts the end of a session.
    pub fn closed(&self, reason: CloseReason) {
        if let Some(counter) = self.closed.get(reason as usize) {
            counter.add(1);
        }
    }

    /// Counts the answer to a ping.
    pub fn heartbeat(&self, ms: u64) {
        let bucket = HEARTBEAT_BUCKETS.iter().position(|bound| ms <= *bound);
        if let Some(counter) = self.heartbeats.get(bucket.unwrap_or(HEARTBEAT_BUCKETS.len())) {
            counter.add(1);
        }
        self.heartbeat_ms.add(ms);
    }

    /// All values, under the names that JavaScript uses.
    pub fn to_json(&self) -> Value {
        let closed: Vec<u64> = self.closed.iter().map(Counter::get).collect();
        let heartbeats: Vec<u64> = self.heartbeats.iter().map(Counter::get).collect();
        json!({
            "websockets": self.websockets.get(),
            "pollings": self.pollings.get(),
            "opened": self.opened.get(),
            "closed": closed,
            "eventsIn": self.events_in.get(),
            "bytesIn": self.bytes_in.get(),
            "packetsOut": self.packets_out.get(),
            "bytesOut": self.bytes_out.get(),
            "broadcasts": self.broadcasts.get(),
            "deliveries": self.deliveries.get(),
            "slow": self.slow.get(),
            "rateLimited": self.rate_limited.get(),
            "rounds": self.rounds.get(),
            "reads": self.reads.get(),
            "panics": self.panics.get(),
            "heartbeats": heartbeats,
            "heartbeatMs": self.heartbeat_ms.get(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_counts_in_the_first_bucket_that_holds_it() {
        let metrics = Metrics::default();
        for ms in [0, 5, 6, 5000, 5001] {
            metrics.heartbeat(ms);
        }
        let counts: Vec<u64> = metrics.heartbeats.iter().map(Counter::get).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 1, 1]);
        assert_eq!(metrics.heartbeat_ms.get(), 10_012);
    }

    #[test]
    fn every_reason_has_a_counter() {
        let metrics = Metrics::default();
        for reason in CloseReason::ALL {
            metrics.closed(reason);
        }
        assert!(metrics.closed.iter().all(|counter| counter.get() == 1));
    }
}
