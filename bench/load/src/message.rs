//! The numbered messages of the benchmark: every payload carries an eight-digit number
//! and padding, so that a frame can be patched instead of built, and what comes back
//! can be compared byte for byte.

use crate::frame;

/// Numbers start here, so that all of them have eight digits in JSON too.
pub const FIRST: u32 = 10_000_000;
const DIGITS: usize = 8;

/// Padding that makes number and padding `bytes` long together.
pub fn padding(bytes: usize) -> String {
    let alphabet = b"abcdefghijklmnopqrstuvwxyz";
    (0..bytes.saturating_sub(DIGITS)).map(|i| alphabet[i % alphabet.len()] as char).collect()
}

/// A masked client frame of which only the number changes.
pub struct Outgoing {
    bytes: Vec<u8>,
    number_at: usize,
    payload_at: usize,
}

impl Outgoing {
    /// `before` and `after` are what surrounds the number in the frame's text.
    pub fn text(before: &str, after: &str) -> Self {
        let payload = format!("{before}{FIRST}{after}");
        Self::new(frame::TEXT, payload.as_bytes(), before.len())
    }

    pub fn binary(payload: &[u8]) -> Self {
        Self::new(frame::BINARY, payload, 0)
    }

    fn new(opcode: u8, payload: &[u8], offset: usize) -> Self {
        let mut bytes = Vec::new();
        let payload_at = frame::push_masked(&mut bytes, opcode, payload);
        Self { bytes, number_at: offset, payload_at }
    }

    pub fn with(&mut self, number: u32) -> &[u8] {
        let at = self.payload_at + self.number_at;
        for (i, digit) in digits(number).into_iter().enumerate() {
            self.bytes[at + i] = digit ^ frame::MASK[(self.number_at + i) % 4];
        }
        &self.bytes
    }
}

/// What a frame from the server must be, but for its number.
pub struct Incoming {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Incoming {
    pub fn text(before: &str, after: &str) -> Self {
        Self { before: before.into(), after: after.into() }
    }

    pub fn binary(payload: &[u8]) -> Self {
        Self { before: Vec::new(), after: payload[DIGITS..].into() }
    }

    /// The number, if everything around it is as it must be.
    pub fn number(&self, payload: &[u8]) -> Option<u32> {
        let rest = payload.strip_prefix(&self.before[..])?;
        let (number, after) = rest.split_at_checked(DIGITS)?;
        if after != self.after {
            return None;
        }
        number.iter().try_fold(0u32, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0'))
        })
    }
}

/// The eight digits of a number.
pub fn digits(mut number: u32) -> [u8; DIGITS] {
    let mut out = [b'0'; DIGITS];
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_or_a_missing_one_is_not_accepted() {
        let expected = Incoming::text("42[\"b\",", ",\"abc\"]");
        assert_eq!(expected.number(b"42[\"b\",10000123,\"abc\"]"), Some(10_000_123));
        assert_eq!(expected.number(b"42[\"b\",10000123,\"abd\"]"), None);
        assert_eq!(expected.number(b"42[\"b\",1000012,\"abc\"]"), None);
        assert_eq!(expected.number(b"42[\"b\",1000012x,\"abc\"]"), None);
    }

    #[test]
    fn an_outgoing_frame_reads_back_with_its_number() {
        let mut outgoing = Outgoing::text("42[\"e\",", ",\"abc\"]");
        let mut bytes = outgoing.with(10_000_042).to_vec();
        let frame = frame::Frame::take(&mut bytes).expect("whole");
        assert_eq!(&bytes[frame.start..frame.end], b"42[\"e\",10000042,\"abc\"]");
    }
}
