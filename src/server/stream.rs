//! Plain reads and writes on a connection that is not blocking.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::unix::AsyncFd;

use super::request::MAX_HEAD;

/// What a read has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// So many bytes.
    Bytes(usize),
    /// None yet.
    Nothing,
    /// There will be none any more.
    End,
}

/// Copies what has come and leaves it where it is.
pub fn peek(fd: &OwnedFd, buffer: &mut [u8]) -> Read {
    receive(fd, buffer, RecvFlags::PEEK)
}

/// Takes bytes that were looked at before. False when they are not there any more.
pub fn take(fd: &OwnedFd, buffer: &mut [u8]) -> bool {
    let mut taken = 0;
    while let Some(rest) = buffer.get_mut(taken..).filter(|rest| !rest.is_empty()) {
        match receive(fd, rest, RecvFlags::empty()) {
            Read::Bytes(count) => taken += count,
            Read::Nothing | Read::End => return false,
        }
    }
    true
}

/// Reads behind what the buffer has, waiting for some. A socket that has brought less than it was
/// asked for has no more, and is not tried again before it says so.
pub async fn read_more(fd: &AsyncFd<OwnedFd>, buffer: &mut Vec<u8>) -> Read {
    loop {
        let Ok(mut ready) = fd.readable().await else { return Read::End };
        let (read, is_all) = with_scratch(|scratch| {
            let read = receive(fd.get_ref(), scratch, RecvFlags::empty());
            if let Read::Bytes(count) = read {
                buffer.extend_from_slice(scratch.get(..count).unwrap_or_default());
            }
            (read, !matches!(read, Read::Bytes(count) if count == scratch.len()))
        });
        if is_all {
            ready.clear_ready();
        }
        if read != Read::Nothing {
            return read;
        }
    }
}

/// Lends the thread's buffer for reads of which little is kept.
pub fn with_scratch<T>(use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_LEN]);
    }
    SCRATCH.with_borrow_mut(|scratch| use_it(scratch))
}

/// Writes everything, waiting for the peer if need be.
pub async fn write_all(fd: &AsyncFd<OwnedFd>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match send(fd.as_fd(), bytes, SendFlags::NOSIGNAL) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => fd.writable().await?.clear_ready(),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// One read.
pub fn receive(fd: impl AsFd, buffer: &mut [u8], flags: RecvFlags) -> Read {
    loop {
        return match recv(&fd, &mut *buffer, flags) {
            Ok((_, 0)) => Read::End,
            Ok((_, count)) => Read::Bytes(count),
            Err(Errno::AGAIN) => Read::Nothing,
            Err(Errno::INTR) => continue,
            Err(_) => Read::End,
        };
    }
}

/// The longest head of a request fits.
const SCRATCH_LEN: usize = MAX_HEAD;
