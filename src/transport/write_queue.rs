//! Frames on their way to one stream: shared buffers, written together.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

/// Frames that wait to be written, oldest first. Drained by the session's flush; its size is the
/// session's backlog.
#[derive(Debug, Default)]
pub struct WriteQueue {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

/// First byte of a text frame that is a message of its own.
const TEXT_FRAME: u8 = 0x81;

/// How bytes are sent: a broken pipe is an error, not a signal. Where the system has no flag for that,
/// Node's ignoring the signal has to do.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(super) const SEND_FLAGS: rustix::net::SendFlags = rustix::net::SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(super) const SEND_FLAGS: rustix::net::SendFlags = rustix::net::SendFlags::empty();

/// How far a flush came.
#[derive(Debug, PartialEq, Eq)]
pub enum Flush {
    /// Nothing is left.
    Drained,
    /// The stream takes no more now.
    Blocked,
}

impl WriteQueue {
    /// Adds a frame.
    pub fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Bytes that wait behind the oldest frame.
    pub fn len_behind_first(&self) -> usize {
        self.bytes.saturating_sub(self.frames.front().map_or(0, Bytes::len))
    }

    /// Length of the data in each frame that waits, oldest first, without the header of the frame
    /// and the type of the packet.
    pub fn data_lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.frames.iter().map(|frame| {
            let header = match frame.len() {
                0..=127 => 2,
                128..=0x1_0003 => 4,
                _ => 10,
            };
            let kind = usize::from(frame.first() == Some(&TEXT_FRAME));
            frame.len().saturating_sub(header + kind)
        })
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }

    /// Everything as one buffer, for streams that JavaScript writes.
    pub fn take_all(&mut self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.bytes);
        for frame in self.frames.drain(..) {
            all.extend_from_slice(&frame);
        }
        self.bytes = 0;
        all
    }

    /// Writes as much as the socket takes, in as few system calls as possible.
    #[cfg(unix)]
    pub fn write_to(&mut self, fd: std::os::fd::BorrowedFd<'_>) -> std::io::Result<Flush> {
        use rustix::io::Errno;

        while let Some(first) = self.frames.front() {
            let sent = if self.frames.len() == 1 {
                rustix::net::send(fd, first, SEND_FLAGS)
            } else {
                let mut slices = [std::io::IoSlice::new(&[]); crate::config::MAX_WRITE_SLICES];
                let mut count = 0;
                for (slice, frame) in slices.iter_mut().zip(&self.frames) {
                    *slice = std::io::IoSlice::new(frame);
                    count += 1;
                }
                rustix::net::sendmsg(
                    fd,
                    slices.get(..count).unwrap_or_default(),
                    &mut rustix::net::SendAncillaryBuffer::default(),
                    SEND_FLAGS,
                )
            };
            match sent {
                Ok(written) => self.advance(written),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Flush::Blocked),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Flush::Drained)
    }

    /// Offers the oldest frames to a writer and drops what it has taken. Returns how much that was.
    #[cfg(unix)]
    pub fn advance_with(
        &mut self,
        write: impl FnOnce(&[std::io::IoSlice<'_>]) -> std::io::Result<usize>,
    ) -> std::io::Result<usize> {
        let mut slices = [std::io::IoSlice::new(&[]); crate::config::MAX_WRITE_SLICES];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = std::io::IoSlice::new(frame);
            count += 1;
        }
        let written = write(slices.get(..count).unwrap_or_default())?;
        self.advance(written);
        Ok(written)
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes = self.bytes.saturating_sub(written);
        while let Some(front) = self.frames.front_mut() {
            if front.len() > written {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.frames.pop_front();
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn frames_leave_in_order_and_a_full_socket_blocks_without_losing_any() {
        let (tx, mut rx) = UnixStream::pair().expect("a socket pair");
        tx.set_nonblocking(true).expect("non-blocking");
        let mut queue = WriteQueue::default();
        let mut expected = Vec::new();
        for n in 0..3_000u32 {
            let frame = n.to_be_bytes().repeat(100);
            expected.extend_from_slice(&frame);
            queue.push(frame.into());
        }
        let mut received = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        let mut blocked = 0;
        loop {
            let state = queue.write_to(tx.as_fd()).expect("a write");
            if state == Flush::Drained {
                break;
            }
            blocked += 1;
            let n = rx.read(&mut chunk).expect("a read");
            received.extend_from_slice(&chunk[..n]);
        }
        drop(tx);
        rx.read_to_end(&mut received).expect("the rest");
        assert!(blocked > 0, "the test must fill the socket");
        assert_eq!(queue.len(), 0);
        assert!(received == expected);
    }
}
