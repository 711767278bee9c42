//! The memory of large frames, used again. They are made by one thread and dropped by another: the
//! system's allocator would give such memory back to the kernel and fault it in anew with every frame.

use bytes::Bytes;
use parking_lot::Mutex;

/// An empty buffer with room for so many bytes, for `into_frame`.
#[inline]
pub fn take(len: usize) -> Vec<u8> {
    if len < SMALLEST {
        // Exact, so that `Bytes` takes the allocation over as it is.
        return Vec::with_capacity(len);
    }
    take_large(len)
}

/// The bytes of a buffer, whose memory comes back here with the last clone of them.
#[inline]
pub fn into_frame(buffer: Vec<u8>) -> Bytes {
    if buffer.len() < SMALLEST { buffer.into() } else { large_into_frame(buffer) }
}

#[inline(never)]
fn take_large(len: usize) -> Vec<u8> {
    if len > LARGEST {
        return Vec::with_capacity(len);
    }
    SPARE.lock().take(len).unwrap_or_else(|| Vec::with_capacity(len.next_multiple_of(PAGE)))
}

#[inline(never)]
fn large_into_frame(buffer: Vec<u8>) -> Bytes {
    if buffer.len() > LARGEST { buffer.into() } else { Bytes::from_owner(Lent(buffer)) }
}

static SPARE: Mutex<Spare> = Mutex::new(Spare { buffers: Vec::new(), bytes: 0 });

/// Buffers that nobody uses, the latest last: that one is most likely in a cache.
struct Spare {
    buffers: Vec<Vec<u8>>,
    /// Bytes that they take.
    bytes: usize,
}

impl Spare {
    /// One with enough room, but not with far too much.
    fn take(&mut self, len: usize) -> Option<Vec<u8>> {
        let fits = |buffer: &Vec<u8>| (len..=len.saturating_mul(2)).contains(&buffer.capacity());
        let buffer = self.buffers.remove(self.buffers.iter().rposition(fits)?);
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    /// Keeps a buffer. Returns those that are too many then, the oldest first.
    fn give(&mut self, mut buffer: Vec<u8>) -> Vec<Vec<u8>> {
        buffer.clear();
        self.bytes += buffer.capacity();
        self.buffers.push(buffer);
        let mut excess = 0;
        for buffer in &self.buffers {
            if self.bytes <= MOST_KEPT {
                break;
            }
            self.bytes -= buffer.capacity();
            excess += 1;
        }
        self.buffers.drain(..excess).collect()
    }
}

/// A buffer in use.
struct Lent(Vec<u8>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let excess = SPARE.lock().give(std::mem::take(&mut self.0));
        // Freed without the lock.
        drop(excess);
    }
}

/// The allocator is good at what is smaller,
const SMALLEST: usize = 16 * 1024;
/// and what is larger is rare.
const LARGEST: usize = 1024 * 1024;
/// Bytes that are kept for the whole process.
const MOST_KEPT: usize = 4 * 1024 * 1024;
const PAGE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize) -> Bytes {
        let mut buffer = take(len);
        buffer.resize(len, 7);
        into_frame(buffer)
    }

    #[test]
    fn a_frame_holds_its_bytes_whatever_the_buffer_held_before() {
        for len in [0, 100, 16 * 1024, 70_000, 65_000, 70_000, 1024 * 1024, 2 * 1024 * 1024] {
            let bytes = frame(len);
            assert_eq!(bytes.len(), len);
            assert!(bytes.iter().all(|byte| *byte == 7));
        }
    }

    #[test]
    fn a_buffer_is_used_again_for_what_fits_it() {
        let mut spare = Spare { buffers: Vec::new(), bytes: 0 };
        for len in [100_000, 30_000, 50_000] {
            assert!(spare.give(Vec::with_capacity(len)).is_empty());
        }
        assert_eq!(spare.take(10_000), None, "it would hold more than twice what is asked for");
        assert_eq!(spare.take(100_001), None);
        assert_eq!(spare.take(25_000).map(|buffer| buffer.capacity()), Some(50_000), "the latest");
        assert_eq!(spare.take(25_000).map(|buffer| buffer.capacity()), Some(30_000));
        assert_eq!(spare.bytes, 100_000);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut spare = Spare { buffers: Vec::new(), bytes: 0 };
        let freed: usize = (0..100).map(|_| spare.give(Vec::with_capacity(100_000)).len()).sum();
        assert_eq!(freed + spare.buffers.len(), 100);
        assert_eq!(spare.bytes, 100_000 * spare.buffers.len());
        assert!(spare.bytes <= MOST_KEPT && spare.bytes + 100_000 > MOST_KEPT);
    }
}
