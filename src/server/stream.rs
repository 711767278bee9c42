//! Plain reads and writes on a connection that is not blocking.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::unix::AsyncFd;

/// What a read has brought.
#[derive(Debug, PartialEq, Eq)]
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

/// Reads behind what the buffer has, waiting for some. Tries first: after a look at the socket
/// nobody knows any more whether it has something.
pub async fn read_more(fd: &AsyncFd<OwnedFd>, buffer: &mut Vec<u8>) -> Read {
    let mut chunk = [0; READ_CHUNK];
    loop {
        match receive(fd.get_ref(), &mut chunk, RecvFlags::empty()) {
            Read::Bytes(count) => {
                buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
                return Read::Bytes(count);
            }
            Read::Nothing => {}
            Read::End => return Read::End,
        }
        match fd.readable().await {
            // Cleared before the next try: what comes from now on is news.
            Ok(mut ready) => ready.clear_ready(),
            Err(_) => return Read::End,
        }
    }
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
pub fn receive(fd: &OwnedFd, buffer: &mut [u8], flags: RecvFlags) -> Read {
    loop {
        return match recv(fd, &mut *buffer, flags) {
            Ok((_, 0)) => Read::End,
            Ok((_, count)) => Read::Bytes(count),
            Err(Errno::AGAIN) => Read::Nothing,
            Err(Errno::INTR) => continue,
            Err(_) => Read::End,
        };
    }
}

const READ_CHUNK: usize = 4096;
