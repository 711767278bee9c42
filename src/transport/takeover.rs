//! Takes a connected socket over from its owner, by duplicating the descriptor, and watches it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::OFlags;
use tokio::io::unix::AsyncFd;

/// Lends the socket behind a number for the length of a call. Nothing for a number below zero.
#[allow(unsafe_code)]
pub fn borrow<T>(fd: RawFd, use_it: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
    if fd < 0 {
        return None;
    }
    // SAFETY: the borrow ends within this call, during which the caller (on the same thread as the
    // descriptor's owner) keeps it open. A number that is no descriptor yields EBADF.
    Some(use_it(unsafe { BorrowedFd::borrow_raw(fd) }))
}

/// A descriptor of our own for the socket behind `fd`. The owner's stays open; closing either does
/// not end the connection while the other lives.
pub fn duplicate(fd: impl AsFd) -> io::Result<OwnedFd> {
    let own = rustix::io::fcntl_dupfd_cloexec(fd, 0)?;
    let flags = rustix::fs::fcntl_getfl(&own)?;
    if !flags.contains(OFlags::NONBLOCK) {
        rustix::fs::fcntl_setfl(&own, flags | OFlags::NONBLOCK)?;
    }
    Ok(own)
}

/// The same for the number that JavaScript knows it by.
pub fn duplicate_raw(fd: RawFd) -> io::Result<OwnedFd> {
    borrow(fd, |fd| duplicate(fd)).unwrap_or_else(|| Err(io::ErrorKind::InvalidInput.into()))
}

/// Watches a descriptor for readiness.
#[allow(unsafe_code)]
pub fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: `OwnedFd` returns the same open descriptor until it is dropped, which is when
    // `AsyncFd` deregisters it.
    unsafe { AsyncFd::register(fd) }.map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_connection_outlives_the_owners_descriptor() {
        let (ours, mut theirs) = UnixStream::pair().expect("a socket pair");
        let own = duplicate_raw(ours.as_raw_fd()).expect("a duplicate");
        drop(ours);
        theirs.write_all(b"hi").expect("a write");
        let mut stream = UnixStream::from(own);
        let mut buffer = [0; 2];
        stream.read_exact(&mut buffer).expect("a read");
        assert_eq!(&buffer, b"hi");
    }

    #[test]
    fn a_number_that_is_no_descriptor_is_an_error() {
        assert!(duplicate_raw(-1).is_err());
        assert!(duplicate_raw(1 << 20).is_err());
    }
}
