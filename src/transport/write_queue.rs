//! Frames on their way to one stream: shared buffers, written together.

use std::collections::VecDeque;

use bytes::Bytes;

/// Frames that wait to be written, oldest first, in buffers of one frame or of several that were
/// joined. Drained by the session's flush; its size is the session's backlog.
#[derive(Debug, Default)]
pub struct WriteQueue {
    /// Often it is the only one.
    first: Option<Bytes>,
    /// An idle connection keeps no room for these.
    rest: VecDeque<Bytes>,
    /// Bytes of the oldest buffer that were written.
    written: usize,
    /// Bytes that wait.
    bytes: usize,
}

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
    /// Adds a frame, or several in one buffer.
    pub fn push(&mut self, frames: Bytes) {
        self.bytes += frames.len();
        if self.first.is_none() {
            self.first = Some(frames);
        } else {
            self.rest.push_back(frames);
        }
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Buffers that wait.
    pub fn count(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// Bytes that wait behind the oldest buffer.
    pub fn len_behind_first(&self) -> usize {
        let first = self.first.as_ref().map_or(0, Bytes::len) - self.written;
        self.bytes.saturating_sub(first)
    }

    /// Length of the data in each frame that waits, oldest first, without the header of the frame
    /// and the type of the packet. A frame of which a part was written still waits.
    pub fn data_lengths(&self) -> impl Iterator<Item = usize> + '_ {
        let mut before = self.written;
        self.buffers().flat_map(|buffer| Frames(buffer)).filter_map(move |frame| {
            if frame.len <= before {
                before -= frame.len;
                return None;
            }
            before = 0;
            Some(frame.data)
        })
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Everything as one buffer, for streams that JavaScript writes.
    pub fn take_all(&mut self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.bytes);
        self.slices().for_each(|slice| all.extend_from_slice(slice));
        self.clear();
        all
    }

    /// Oldest first.
    fn buffers(&self) -> impl Iterator<Item = &Bytes> {
        self.first.iter().chain(&self.rest)
    }

    /// What waits, buffer by buffer.
    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut written = self.written;
        self.buffers()
            .map(move |buffer| buffer.get(std::mem::take(&mut written)..).unwrap_or_default())
    }

    /// Writes as much as the socket takes, in as few system calls as possible.
    #[cfg(unix)]
    pub fn write_to(&mut self, fd: std::os::fd::BorrowedFd<'_>) -> std::io::Result<Flush> {
        use rustix::io::Errno;

        while let Some(first) = &self.first {
            let sent = if self.rest.is_empty() {
                let rest = first.get(self.written..).unwrap_or_default();
                rustix::net::send(fd, rest, SEND_FLAGS)
            } else {
                let mut slices = [std::io::IoSlice::new(&[]); crate::config::MAX_WRITE_SLICES];
                let count = self.fill(&mut slices);
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
        let count = self.fill(&mut slices);
        let written = write(slices.get(..count).unwrap_or_default())?;
        self.advance(written);
        Ok(written)
    }

    #[cfg(unix)]
    fn fill<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slice, waiting) in slices.iter_mut().zip(self.slices()) {
            *slice = std::io::IoSlice::new(waiting);
            count += 1;
        }
        count
    }

    #[cfg(unix)]
    fn advance(&mut self, written: usize) {
        self.bytes = self.bytes.saturating_sub(written);
        self.written += written;
        while let Some(first) = &self.first
            && first.len() <= self.written
        {
            self.written -= first.len();
            self.first = self.rest.pop_front();
        }
        if self.rest.is_empty() {
            self.rest = VecDeque::new();
        }
    }
}

/// The frames of a buffer that this server has made (RFC 6455, 5.2: none is masked).
struct Frames<'a>(&'a [u8]);

/// A frame in a buffer.
struct Extent {
    /// Bytes of the whole frame.
    len: usize,
    /// Bytes of the data of its packet.
    data: usize,
}

impl Iterator for Frames<'_> {
    type Item = Extent;

    fn next(&mut self) -> Option<Extent> {
        let (first, rest) = (*self.0.first()?, self.0.len());
        let header = match self.0.get(1) {
            Some(126) => 4,
            Some(127) => 10,
            _ => 2,
        };
        let payload = match header {
            2 => self.0.get(1).map_or(0, |len| usize::from(*len)),
            _ => self.0.get(2..header).unwrap_or_default().iter().fold(0, |sum: usize, byte| {
                sum.saturating_mul(256).saturating_add(usize::from(*byte))
            }),
        };
        // The answer to the handshake is no frame, and alone in its buffer.
        let len = if first & FIN == 0 { rest } else { header.saturating_add(payload).min(rest) };
        self.0 = self.0.get(len..).unwrap_or_default();
        Some(Extent { len, data: len.saturating_sub(header + usize::from(first == TEXT_FRAME)) })
    }
}

/// First bit of a frame that is not followed by more of its message.
const FIN: u8 = 0x80;
/// First byte of a text frame that is a message of its own.
const TEXT_FRAME: u8 = 0x81;

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use crate::proto::engine::PacketType;

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

    #[test]
    fn joined_frames_are_counted_one_by_one_until_they_are_written() {
        let mut queue = WriteQueue::default();
        let text =
            |len: usize| crate::transport::Packet::text(PacketType::Message, &[&vec![b'x'; len]]);
        let frames: Vec<_> = [3, 300, 70_000, 0].map(|len| text(len).into_frame()).into();
        queue.push("HTTP/1.1 101 Switching Protocols\r\n\r\n".into());
        queue.push(frames.concat().into());
        queue.push(crate::transport::Packet::binary(&[7; 200]).into_frame());
        let lengths = |queue: &WriteQueue| queue.data_lengths().collect::<Vec<_>>();
        assert_eq!(lengths(&queue)[1..], [3, 300, 70_000, 0, 200]);
        let all = queue.len();
        let answer = all - queue.len_behind_first();
        queue.advance(answer + frames[0].len());
        assert_eq!(lengths(&queue), [300, 70_000, 0, 200]);
        queue.advance(10);
        assert_eq!(lengths(&queue), [300, 70_000, 0, 200], "a part of it waits");
        assert_eq!(queue.len(), all - answer - frames[0].len() - 10);
        assert_eq!(queue.take_all().len(), all - answer - frames[0].len() - 10);
        assert!(queue.is_empty());
    }
}
