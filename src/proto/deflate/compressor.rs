//! Compressing messages. Every message starts from an empty window, which each agreement allows
//! ("context takeover" is a right, not a duty): so one compressor serves all connections, and one
//! compressed message serves all recipients of a broadcast.

use std::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Strategy};

use super::TRAILER;

/// How to compress. Values that zlib does not know cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    window_bits: u8,
    level: u8,
    mem_level: u8,
    strategy: u8,
}

impl Settings {
    /// Each value is brought into its range: the window from 8 to 15, the level from 0 to 9 (what
    /// is below means the default), the memory level from 1 to 9, the strategy from 0 to 4.
    pub fn new(window_bits: u32, level: i32, mem_level: u32, strategy: u32) -> Self {
        Self {
            window_bits: window_bits.clamp(8, 15) as u8,
            level: if level < 0 { DEFAULT_LEVEL } else { level.min(9) as u8 },
            mem_level: mem_level.clamp(1, 9) as u8,
            strategy: strategy.min(4) as u8,
        }
    }

    fn config(self) -> DeflateConfig {
        DeflateConfig {
            level: self.level.into(),
            // Negative: raw deflate. zlib has no compressor for windows of 2^8 bytes, but it never
            // looks back further than 262 bytes less than its window: 2^9 - 262 = 250.
            window_bits: -i32::from(self.window_bits.max(9)),
            mem_level: self.mem_level.into(),
            strategy: Strategy::try_from(i32::from(self.strategy)).unwrap_or_default(),
            ..DeflateConfig::default()
        }
    }
}

/// zlib's state for one kind of settings: about 270 KiB for the largest window.
pub struct Compressor {
    /// `None` for level 0, which stores: that never makes a message shorter.
    deflate: Option<Deflate>,
    buffer: Vec<u8>,
}

impl Compressor {
    /// A compressor. Worth keeping: making one costs more than using it.
    pub fn new(settings: Settings) -> Self {
        let deflate = (settings.level > 0).then(|| Deflate::new_with_config(settings.config()));
        Self { deflate, buffer: Vec::new() }
    }

    /// The payload of the compressed message, or `None` when it would not be shorter than `data`.
    pub fn compress(&mut self, data: &[u8]) -> Option<&[u8]> {
        let deflate = self.deflate.as_mut()?;
        deflate.reset();
        // More than enough in every case: zlib never has to stop half-way.
        let room = data.len() + data.len() / 4 + 64;
        if self.buffer.len() > room.max(KEPT_BUFFER) {
            self.buffer = Vec::new();
        }
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        let out = self.buffer.get_mut(..room)?;
        deflate.compress(data, out, DeflateFlush::SyncFlush).ok()?;
        let made = usize::try_from(deflate.total_out()).ok()?;
        if made >= room || deflate.total_in() != data.len() as u64 {
            return None;
        }
        // Room was left, so the flush is complete.
        out.get(..made)?.strip_suffix(&TRAILER).filter(|payload| payload.len() < data.len())
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

const DEFAULT_LEVEL: u8 = 6;
/// The buffer of a larger message is not kept.
const KEPT_BUFFER: usize = 256 * 1024;
