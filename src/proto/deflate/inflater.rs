//! Inflating messages, with a bound on what comes out. One inflater serves all connections: what a
//! connection keeps between two messages is only the end of what it sent, as far back as its
//! window reaches.

use std::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::Agreement;
use crate::proto::frame::FrameError;

/// zlib's state and the buffer for what comes out of it.
pub struct Inflater {
    inflate: Inflate,
    buffer: Vec<u8>,
    /// How much of the buffer is output.
    filled: usize,
}

impl Inflater {
    /// An inflater.
    pub fn new() -> Self {
        Self { inflate: Inflate::new(false, MAX_WINDOW_BITS), buffer: Vec::new(), filled: 0 }
    }

    /// Inflates the payload of a compressed message. `limit` bounds the bytes that come out, and
    /// no more than about twice as many are ever held. The message becomes part of `history`.
    pub fn inflate(
        &mut self,
        payload: &[u8],
        history: &mut History,
        limit: u64,
    ) -> Result<Vec<u8>, FrameError> {
        self.filled = 0;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let outcome = self.run(payload, history, limit).and_then(|complete| {
            if !complete {
                return Err(FrameError::InvalidDeflate(TRUNCATED));
            }
            let output = self.buffer.get(..self.filled).unwrap_or_default();
            history.push(output);
            Ok(output.to_vec())
        });
        if self.buffer.len() > KEPT_BUFFER {
            self.buffer = Vec::new();
        }
        outcome
    }

    /// Bytes of the buffer.
    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.buffer.capacity()
    }

    /// False when the message stops in the middle of a block.
    fn run(
        &mut self,
        mut payload: &[u8],
        history: &History,
        limit: usize,
    ) -> Result<bool, FrameError> {
        self.refer_to(history)?;
        // Each costs a copy of the window, which a peer must not get for two bytes.
        let mut restarts = FREE_RESTARTS + payload.len() / BYTES_PER_RESTART;
        while !payload.is_empty() {
            if !self.feed(&mut payload, limit)? {
                // At a block's end, where a message has to stop, the trailer is an empty block;
                // another one, which says that it is the last, proves that this was such an end.
                let mut end: &[u8] = &END;
                return Ok(self.feed(&mut end, limit)? && end.is_empty());
            }
            // RFC 7692, 7.2.3.4: a block may say that it is the last, and more may follow it.
            if !payload.is_empty() {
                if restarts == 0 {
                    return Err(FrameError::InvalidDeflate(TOO_MANY_ENDS));
                }
                restarts -= 1;
                self.refer_to(history)?;
            }
        }
        Ok(true)
    }

    /// Starts a deflate stream that may refer to the history and to what came out so far.
    fn refer_to(&mut self, history: &History) -> Result<(), FrameError> {
        self.inflate.reset(false);
        for past in [&history.bytes, self.buffer.get(..self.filled).unwrap_or_default()] {
            if !past.is_empty() && self.inflate.set_dictionary(past).is_err() {
                return Err(self.fault());
            }
        }
        Ok(())
    }

    /// Inflates until the input is used up, or until the last block has ended, which is reported.
    fn feed(&mut self, input: &mut &[u8], limit: usize) -> Result<bool, FrameError> {
        loop {
            if self.filled == self.buffer.len() {
                self.buffer.resize((self.buffer.len() * 2).max(FIRST_BUFFER), 0);
            }
            let end = self.buffer.len().min(limit.saturating_add(1));
            let free = self.buffer.get_mut(self.filled..end).unwrap_or_default();
            let start = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(input, free, InflateFlush::SyncFlush);
            let taken = (self.inflate.total_in() - start.0) as usize;
            let made = (self.inflate.total_out() - start.1) as usize;
            *input = input.get(taken..).unwrap_or_default();
            self.filled += made;
            if self.filled > limit {
                return Err(FrameError::MaxPayloadExceeded);
            }
            match status {
                Ok(Status::StreamEnd) => return Ok(true),
                Ok(Status::Ok | Status::BufError) if self.filled == end => {}
                Ok(Status::Ok | Status::BufError) if input.is_empty() => return Ok(false),
                Ok(Status::Ok | Status::BufError) if taken > 0 || made > 0 => {}
                _ => return Err(self.fault()),
            }
        }
    }

    fn fault(&self) -> FrameError {
        FrameError::InvalidDeflate(self.inflate.error_message().unwrap_or(UNKNOWN))
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

/// What a peer's next message may refer to. Holds no more than was sent, nor much more than the
/// peer's window, and nothing for a peer that starts every message anew.
#[derive(Debug)]
pub struct History {
    bytes: Vec<u8>,
    window: usize,
}

impl History {
    /// The history of a connection that has seen no message.
    pub fn new(agreement: &Agreement) -> Self {
        let window = if agreement.peer_takes_context_over {
            1 << agreement.peer_window_bits.clamp(8, MAX_WINDOW_BITS)
        } else {
            0
        };
        Self { bytes: Vec::new(), window }
    }

    /// Bytes held.
    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.bytes.capacity()
    }

    fn push(&mut self, output: &[u8]) {
        let output = output.get(output.len().saturating_sub(self.window)..).unwrap_or_default();
        // A quarter above the window, so that not every message moves all of it.
        let most = self.window + self.window / 4;
        if self.bytes.len() + output.len() > most {
            let keep = self.window.saturating_sub(output.len());
            self.bytes.drain(..self.bytes.len().saturating_sub(keep));
        }
        let len = self.bytes.len() + output.len();
        if len > self.bytes.capacity() {
            self.bytes.reserve_exact((len * 2).min(most) - self.bytes.len());
        }
        self.bytes.extend_from_slice(output);
    }
}

const MAX_WINDOW_BITS: u8 = 15;
const FIRST_BUFFER: usize = 8 * 1024;
/// The buffer of a larger message is not kept.
const KEPT_BUFFER: usize = 256 * 1024;
/// What a whole message is followed by: the trailer of RFC 7692, 7.2.2, and an empty last block.
const END: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];
/// Blocks that say they are the last, with more behind them, that any message may have ...
const FREE_RESTARTS: usize = 4;
/// ... and one more for so many bytes of it.
const BYTES_PER_RESTART: usize = 1024;
/// zlib's words, as Node reports them.
const TRUNCATED: &str = "unexpected end of file";
const TOO_MANY_ENDS: &str = "too many final blocks";
const UNKNOWN: &str = "invalid compressed data";
