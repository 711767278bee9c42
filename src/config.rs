//! Options of one engine that the shards read at use, and the fixed limits of the core.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The run-time options of one `io.engine`. JavaScript may change each at any time, and the next
/// use sees the change, as with the reference.
#[derive(Debug)]
pub struct EngineConfig {
    ping_interval: AtomicU64,
    ping_timeout: AtomicU64,
    upgrade_timeout: AtomicU64,
    max_payload: AtomicU64,
    max_backpressure: AtomicU64,
    rate_events: AtomicU64,
    rate_bytes: AtomicU64,
    rate_per: AtomicU64,
    rate_disconnects: AtomicU64,
}

/// One settable option of [`EngineConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigKey {
    /// Milliseconds between a pong and the next ping.
    PingInterval,
    /// Milliseconds to wait for a pong.
    PingTimeout,
    /// Milliseconds that a probe may take.
    UpgradeTimeout,
    /// Bytes a message may have; `u64::MAX` means no limit.
    MaxPayload,
    /// Bytes that may wait for a client that does not read; `u64::MAX` means no limit.
    MaxBackpressure,
    /// Events a client may send in a window of `RatePer`; `u64::MAX` means no limit.
    RateEvents,
    /// Bytes of events in the same window; `u64::MAX` means no limit.
    RateBytes,
    /// Milliseconds.
    RatePer,
    /// Not 0: who sends more is disconnected, instead of losing what is too much.
    RateDisconnects,
}

impl EngineConfig {
    /// The reference's defaults.
    pub fn new() -> Self {
        Self {
            ping_interval: AtomicU64::new(25_000),
            ping_timeout: AtomicU64::new(20_000),
            upgrade_timeout: AtomicU64::new(10_000),
            max_payload: AtomicU64::new(1_000_000),
            max_backpressure: AtomicU64::new(64 << 20),
            rate_events: AtomicU64::new(u64::MAX),
            rate_bytes: AtomicU64::new(u64::MAX),
            rate_per: AtomicU64::new(1000),
            rate_disconnects: AtomicU64::new(0),
        }
    }

    /// Changes one option.
    pub fn set(&self, key: ConfigKey, value: u64) {
        self.cell(key).store(value, Ordering::Relaxed);
    }

    /// Time from a pong to the next ping.
    pub fn ping_interval(&self) -> Duration {
        self.millis(ConfigKey::PingInterval)
    }

    /// Time to wait for a pong.
    pub fn ping_timeout(&self) -> Duration {
        self.millis(ConfigKey::PingTimeout)
    }

    /// Time that a probe may take.
    pub fn upgrade_timeout(&self) -> Duration {
        self.millis(ConfigKey::UpgradeTimeout)
    }

    /// Largest message in bytes, if limited.
    pub fn max_payload(&self) -> Option<u64> {
        match self.max_payload.load(Ordering::Relaxed) {
            u64::MAX => None,
            limit => Some(limit),
        }
    }

    /// Most bytes that may wait for one client.
    pub fn max_backpressure(&self) -> u64 {
        self.max_backpressure.load(Ordering::Relaxed)
    }

    /// The limit of what a client may send, if there is one.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        let events = self.rate_events.load(Ordering::Relaxed);
        let bytes = self.rate_bytes.load(Ordering::Relaxed);
        (events != u64::MAX || bytes != u64::MAX).then(|| RateLimit {
            events,
            bytes,
            per: self.millis(ConfigKey::RatePer),
            disconnects: self.rate_disconnects.load(Ordering::Relaxed) != 0,
        })
    }

    fn millis(&self, key: ConfigKey) -> Duration {
        // A year is "never" and keeps the sum of two deadlines far from overflow.
        Duration::from_millis(self.cell(key).load(Ordering::Relaxed).min(MAX_DELAY_MS))
    }

    fn cell(&self, key: ConfigKey) -> &AtomicU64 {
        match key {
            ConfigKey::PingInterval => &self.ping_interval,
            ConfigKey::PingTimeout => &self.ping_timeout,
            ConfigKey::UpgradeTimeout => &self.upgrade_timeout,
            ConfigKey::MaxPayload => &self.max_payload,
            ConfigKey::MaxBackpressure => &self.max_backpressure,
            ConfigKey::RateEvents => &self.rate_events,
            ConfigKey::RateBytes => &self.rate_bytes,
            ConfigKey::RatePer => &self.rate_per,
            ConfigKey::RateDisconnects => &self.rate_disconnects,
        }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// The option `rateLimit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Events in a window.
    pub events: u64,
    /// Bytes in a window.
    pub bytes: u64,
    /// The length of a window.
    pub per: Duration,
    /// Too much ends the connection; otherwise it is dropped.
    pub disconnects: bool,
}

const MAX_DELAY_MS: u64 = 365 * 24 * 3600 * 1000;

/// How long a closing WebSocket waits for the peer's close frame before the socket is dropped.
pub const CLOSE_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a closing polling session waits for the GET that carries the close packet.
pub const POLL_CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
/// From the second on, how often a pending GET is answered with a noop during an upgrade.
pub const NOOP_INTERVAL: Duration = Duration::from_millis(100);
/// Delay before the second noop: covers a GET that crossed the probe's answer on the way.
pub const FIRST_NOOP_INTERVAL: Duration = Duration::from_millis(20);
/// Bytes read from a socket at a time, into one buffer per shard.
pub const READ_BUFFER: usize = 64 * 1024;
/// Most buffers handed to one `writev`.
pub const MAX_WRITE_SLICES: usize = 64;
/// Bytes a stream may bring before JavaScript drains; then it is not read for a while.
pub const MAX_BACKLOG: usize = 128 * 1024;
/// Packets that one payload of polling may hold. A megabyte of the shortest events has more.
pub const MAX_PAYLOAD_PACKETS: usize = 65_536;
/// Event arguments above this size travel on their own instead of in the batch's text.
pub const MAX_INLINE_ARGS: usize = 1 << 20;
/// Most I/O threads one process runs.
pub const MAX_SHARDS: usize = 64;
/// Environments whose own thread runs sessions.
pub const MAX_INLINE: usize = 64;
