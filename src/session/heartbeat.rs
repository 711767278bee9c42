//! When to ping and when to give up, for both protocol revisions. Knows no clock: `now` comes in.
//!
//! Revision 4: the server pings `pingInterval` after the last pong and waits `pingTimeout`; the
//! first other packet meanwhile extends the wait once. Revision 3: the client pings, and the
//! server gives up after `pingInterval + pingTimeout` without one.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::EngineConfig;
use crate::event::{STALL, Stalls};
use crate::proto::engine::Revision;

use super::context::{Context, TimerKind};

/// Heartbeat state of one session.
///
/// The deadline mostly moves later, so one timer in the heap is enough: when it fires early it is
/// set again. Only a deadline before the scheduled one needs another.
#[derive(Debug)]
pub struct Heartbeat {
    revision: Revision,
    deadline: Instant,
    scheduled: Option<Instant>,
    awaiting_pong: bool,
    extended: bool,
    doubted: bool,
    /// How long stalls had been, all together, when they last made the deadline later.
    discounted: Option<Duration>,
}

/// What a due timer asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing yet.
    Wait,
    /// Send a ping.
    SendPing,
    /// The peer is gone.
    TimedOut,
}

impl Heartbeat {
    /// State at the open packet.
    pub fn new(revision: Revision, now: Instant, config: &EngineConfig) -> Self {
        let mut heartbeat = Self {
            revision,
            deadline: now,
            scheduled: None,
            awaiting_pong: false,
            extended: false,
            doubted: false,
            discounted: None,
        };
        heartbeat.restart(now, config);
        heartbeat
    }

    /// The peer's heartbeat arrived: pong in revision 4, ping in revision 3.
    pub fn restart(&mut self, now: Instant, config: &EngineConfig) {
        self.awaiting_pong = false;
        self.doubted = false;
        self.discounted = None;
        self.deadline = match self.revision {
            Revision::V4 => now + config.ping_interval(),
            Revision::V3 => now + config.ping_interval() + config.ping_timeout(),
        };
    }

    /// Another packet arrived: proof of life, which counts once per ping.
    pub fn on_packet(&mut self, now: Instant, config: &EngineConfig) {
        if self.awaiting_pong && !self.extended {
            self.extended = true;
            self.deadline = now + config.ping_timeout();
        }
    }

    /// Time since the ping that waits for its pong, as far as it is known.
    pub fn round_trip(&self, now: Instant, config: &EngineConfig) -> Option<Duration> {
        let sent = self.deadline.checked_sub(config.ping_timeout())?;
        (self.awaiting_pong && !self.extended).then(|| now.saturating_duration_since(sent))
    }

    /// The peer could not be heard until `heard`: its answer may take as long from then on. False
    /// when that changes nothing, as when it was not asked yet.
    pub fn excuse(&mut self, heard: Instant, config: &EngineConfig) -> bool {
        if self.owes_ping() {
            return false;
        }
        let deadline = heard + config.ping_timeout();
        let later = deadline > self.deadline;
        if later {
            self.deadline = deadline;
            self.doubted = false;
        }
        later
    }

    /// What passes on the peer's answers has stalled. It may have done so before that was noticed,
    /// so after the first stall the peer has all its time again. Of later ones only their length
    /// does not count: stalls that come again and again must not keep a peer that is gone. False
    /// when that changes nothing.
    pub fn discount(&mut self, now: Instant, stalls: Stalls, config: &EngineConfig) -> bool {
        let deadline = match self.discounted {
            None => Instant::from(stalls.until) + config.ping_timeout(),
            Some(before) => now + stalls.total.saturating_sub(before),
        };
        let later = deadline > now;
        if later {
            // A further doubt would add time that was no stall, again and again.
            self.doubted &= self.discounted.is_some();
            self.deadline = deadline;
            self.discounted = Some(stalls.total);
        }
        later
    }

    /// Waits a little longer than the peer's time, to find out whether it is to blame. Once only, and
    /// not where that would be longer than the time itself: who gives so little means it.
    pub fn doubt(&mut self, now: Instant, grace: Duration, config: &EngineConfig) -> bool {
        if self.doubted || config.ping_timeout() < grace {
            return false;
        }
        self.doubted = true;
        self.deadline = now + grace;
        true
    }

    /// Looks at the deadline. Call `schedule` afterwards.
    pub fn on_timer(&mut self, now: Instant, config: &EngineConfig) -> Beat {
        self.scheduled = None;
        if now < self.deadline {
            Beat::Wait
        } else if !self.owes_ping() {
            Beat::TimedOut
        } else {
            self.awaiting_pong = true;
            self.extended = false;
            // From when the ping was due: a late timer must not add up. But if the whole process
            // stood still, the peer has not been asked yet.
            let stood_still = now.saturating_duration_since(self.deadline) > STALL;
            let asked = if stood_still { now } else { self.deadline };
            self.deadline = asked + config.ping_timeout();
            Beat::SendPing
        }
    }

    /// True when the deadline is for our next ping, not for what the peer has to send.
    fn owes_ping(&self) -> bool {
        self.revision == Revision::V4 && !self.awaiting_pong
    }

    /// True when `due` is the one timer that counts.
    pub fn is_scheduled_for(&self, due: Instant) -> bool {
        self.scheduled == Some(due)
    }

    /// Makes sure that a timer fires for the deadline.
    ///
    /// Pings that are due at about the same time are sent in one go: each wake-up of the thread
    /// costs more than the ping itself. A ping may be early or late by a fiftieth of its interval, and by
    /// a twentieth of the time after which a client without one gives up, 100 ms at most; the end of
    /// the wait for a pong is exact.
    pub fn schedule(&mut self, ctx: &mut Context, key: u32, config: &EngineConfig) {
        if self.owes_ping() {
            self.deadline = ctx.nearest(self.deadline, window(config));
        }
        let at = self.deadline;
        if self.scheduled.is_none_or(|scheduled| at < scheduled) {
            self.scheduled = Some(at);
            ctx.timer(at, key, TimerKind::Heartbeat);
        }
    }
}

/// Pings due within so much time are sent together.
fn window(config: &EngineConfig) -> Duration {
    (config.ping_interval() / 25).min(config.ping_timeout() / 10).min(MAX_WINDOW)
}

const MAX_WINDOW: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigKey;
    use std::sync::Arc;

    fn config() -> EngineConfig {
        let config = EngineConfig::new();
        config.set(ConfigKey::PingInterval, 100);
        config.set(ConfigKey::PingTimeout, 50);
        config
    }

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn revision_4_pings_and_times_out_without_a_pong() {
        let (start, config) = (Instant::now(), config());
        let mut heartbeat = Heartbeat::new(Revision::V4, start, &config);
        assert_eq!(heartbeat.on_timer(start + ms(99), &config), Beat::Wait);
        assert_eq!(heartbeat.on_timer(start + ms(100), &config), Beat::SendPing);
        assert_eq!(heartbeat.on_timer(start + ms(149), &config), Beat::Wait);
        assert_eq!(heartbeat.on_timer(start + ms(150), &config), Beat::TimedOut);
    }

    #[test]
    fn a_peer_that_was_asked_late_has_its_time_all_the_same() {
        let (start, config) = (Instant::now(), config());
        let mut heartbeat = Heartbeat::new(Revision::V4, start, &config);
        assert_eq!(heartbeat.on_timer(start + ms(130), &config), Beat::SendPing, "a little late");
        assert_eq!(heartbeat.on_timer(start + ms(150), &config), Beat::TimedOut);
        heartbeat.restart(start + ms(150), &config);
        // The process stood still.
        assert_eq!(heartbeat.on_timer(start + ms(9_000), &config), Beat::SendPing);
        assert_eq!(heartbeat.on_timer(start + ms(9_049), &config), Beat::Wait);
        assert_eq!(heartbeat.on_timer(start + ms(9_050), &config), Beat::TimedOut);
    }

    #[test]
    fn a_pong_starts_the_next_interval() {
        let (start, config) = (Instant::now(), config());
        let mut heartbeat = Heartbeat::new(Revision::V4, start, &config);
        assert_eq!(heartbeat.on_timer(start + ms(100), &config), Beat::SendPing);
        heartbeat.restart(start + ms(110), &config);
        assert_eq!(heartbeat.on_timer(start + ms(200), &config), Beat::Wait);
        assert_eq!(heartbeat.on_timer(start + ms(210), &config), Beat::SendPing);
    }

    #[test]
    fn pings_that_are_due_at_about_the_same_time_are_sent_together() {
        let (start, config) = (Instant::now(), EngineConfig::new());
        config.set(ConfigKey::PingInterval, 5000);
        config.set(ConfigKey::PingTimeout, 20_000);
        let mut ctx = Context::new(start, Arc::default());
        let opened = [910, 1000, 1090, 1110].map(|at| start + ms(at));
        let mut due = Vec::new();
        for (at, key) in opened.into_iter().zip(0..) {
            let mut heartbeat = Heartbeat::new(Revision::V4, at, &config);
            heartbeat.schedule(&mut ctx, key, &config);
            heartbeat.schedule(&mut ctx, key, &config);
            due.push(heartbeat.deadline - start);
            assert!(heartbeat.is_scheduled_for(heartbeat.deadline));
            assert_eq!(heartbeat.on_timer(heartbeat.deadline, &config), Beat::SendPing);
        }
        assert_eq!(due, [6000, 6000, 6000, 6200].map(ms));
        ctx.now = start + ms(6000);
        let keys: Vec<_> = std::iter::from_fn(|| ctx.pop_due()).map(|(_, key, _)| key).collect();
        assert_eq!(keys, [0, 1, 2]);

        config.set(ConfigKey::PingTimeout, 100);
        let mut heartbeat = Heartbeat::new(Revision::V4, start + ms(1006), &config);
        heartbeat.schedule(&mut ctx, 4, &config);
        assert_eq!(heartbeat.deadline - start, ms(6010), "a client that gives up soon");
    }

    #[test]
    fn another_packet_extends_the_wait_once() {
        let (start, config) = (Instant::now(), config());
        let mut heartbeat = Heartbeat::new(Revision::V4, start, &config);
        assert_eq!(heartbeat.on_timer(start + ms(100), &config), Beat::SendPing);
        heartbeat.on_packet(start + ms(140), &config);
        heartbeat.on_packet(start + ms(180), &config);
        assert_eq!(heartbeat.on_timer(start + ms(189), &config), Beat::Wait);
        assert_eq!(heartbeat.on_timer(start + ms(190), &config), Beat::TimedOut);
    }

    #[test]
    fn time_in_which_the_peer_was_not_heard_does_not_count() {
        let (start, config) = (Instant::now(), config());
        let mut heartbeat = Heartbeat::new(Revision::V4, start, &config);
        assert!(!heartbeat.excuse(start + ms(90), &config), "a ping is not put off");
        assert_eq!(heartbeat.on_timer(start + ms(100), &config), Beat::SendPing);
        assert!(!heartbeat.excuse(start + ms(90), &config), "before the ping");
        assert!(heartbeat.excuse(start + ms(140), &config));
        assert_eq!(heartbeat.on_timer(start + ms(189), &config), Beat::Wait);
        assert_eq!(heartbeat.on_timer(start + ms(190), &config), Beat::TimedOut);
        assert!(!heartbeat.doubt(start + ms(190), ms(51), &config), "longer than its time");
        assert!(heartbeat.doubt(start + ms(190), ms(10), &config));
        assert_eq!(heartbeat.on_timer(start + ms(199), &config), Beat::Wait);
        assert!(!heartbeat.doubt(start + ms(200), ms(10), &config), "once");
    }

    #[test]
    fn stalls_that_come_again_and_again_only_add_what_they_last() {
        let (start, config) = (Instant::now(), config());
        let stalls = |until, total| Stalls { until: (start + until).into_std(), total };
        let mut heartbeat = Heartbeat::new(Revision::V4, start, &config);
        assert_eq!(heartbeat.on_timer(start + ms(100), &config), Beat::SendPing);
        assert!(!heartbeat.discount(start + ms(150), stalls(ms(90), ms(500)), &config), "earlier");
        assert!(heartbeat.discount(start + ms(150), stalls(ms(145), ms(510)), &config));
        assert_eq!(heartbeat.on_timer(start + ms(194), &config), Beat::Wait);
        assert_eq!(heartbeat.on_timer(start + ms(195), &config), Beat::TimedOut);
        assert!(heartbeat.discount(start + ms(195), stalls(ms(190), ms(530)), &config));
        assert_eq!(heartbeat.on_timer(start + ms(214), &config), Beat::Wait);
        assert_eq!(heartbeat.on_timer(start + ms(215), &config), Beat::TimedOut);
        assert!(!heartbeat.discount(start + ms(215), stalls(ms(190), ms(530)), &config), "counted");
        heartbeat.restart(start + ms(216), &config);
        assert_eq!(heartbeat.on_timer(start + ms(316), &config), Beat::SendPing);
        assert!(heartbeat.discount(start + ms(366), stalls(ms(360), ms(540)), &config), "afresh");
    }

    #[test]
    fn revision_3_waits_for_the_clients_ping() {
        let (start, config) = (Instant::now(), config());
        let mut heartbeat = Heartbeat::new(Revision::V3, start, &config);
        heartbeat.restart(start + ms(140), &config);
        assert_eq!(heartbeat.on_timer(start + ms(289), &config), Beat::Wait);
        assert_eq!(heartbeat.on_timer(start + ms(290), &config), Beat::TimedOut);
        assert!(heartbeat.excuse(start + ms(290), &config));
        assert_eq!(heartbeat.on_timer(start + ms(339), &config), Beat::Wait);
    }
}
