//! How much a client sends: events and bytes in windows of fixed length. Knows no clock.

use tokio::time::Instant;

use crate::config::RateLimit;

/// What one client has sent in the present window.
#[derive(Debug, Default)]
pub struct Rate {
    since: Option<Instant>,
    events: u64,
    bytes: u64,
}

impl Rate {
    /// Counts an event. False when it is more than the limit allows.
    pub fn allows(&mut self, limit: RateLimit, now: Instant, bytes: usize) -> bool {
        self.begin_window(limit, now);
        self.events += 1;
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.events <= limit.events && self.bytes <= limit.bytes
    }

    /// Counts what belongs to the event that was counted last.
    pub fn allows_bytes(&mut self, limit: RateLimit, now: Instant, bytes: usize) -> bool {
        self.begin_window(limit, now);
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.bytes <= limit.bytes
    }

    fn begin_window(&mut self, limit: RateLimit, now: Instant) {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= limit.per) {
            *self = Self { since: Some(now), events: 0, bytes: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMIT: RateLimit =
        RateLimit { events: 2, bytes: 100, per: Duration::from_secs(1), disconnects: false };

    #[test]
    fn more_events_than_the_limit_wait_for_the_next_window() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        assert!(rate.allows(LIMIT, start, 1));
        assert!(rate.allows(LIMIT, start, 1));
        assert!(!rate.allows(LIMIT, start + Duration::from_millis(999), 1));
        assert!(rate.allows(LIMIT, start + Duration::from_millis(1000), 1));
    }

    #[test]
    fn bytes_count_as_well() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        assert!(!rate.allows(LIMIT, start, 101));
        assert!(!rate.allows(LIMIT, start, 0), "the window is used up");
        assert!(rate.allows(LIMIT, start + LIMIT.per, 100));
        assert!(!rate.allows_bytes(LIMIT, start + LIMIT.per, 1));
        assert!(rate.allows_bytes(LIMIT, start + 2 * LIMIT.per, 100), "a window of its own");
        assert!(!rate.allows(LIMIT, start + 2 * LIMIT.per, 1));
    }
}
