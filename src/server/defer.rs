//! Asks the kernel to keep connections to itself until they have something to say: whoever accepts
//! finds the first request there.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Seconds that a silent connection is kept from whoever accepts; as long as the first answer of the
/// kernel may be on its way.
const PATIENCE: libc::c_int = 1;

/// Sets or clears `TCP_DEFER_ACCEPT` on a listening socket.
///
/// # Errors
///
/// What the system says about a socket that has no such option, one that is not of TCP for example.
#[allow(unsafe_code)]
pub fn defer_accept(listener: BorrowedFd<'_>, is_deferred: bool) -> io::Result<()> {
    let seconds = if is_deferred { PATIENCE } else { 0 };
    let length = libc::socklen_t::try_from(size_of_val(&seconds)).unwrap_or_default();
    // SAFETY: the descriptor is borrowed for longer than the call, which reads as many bytes of
    // `seconds` as it has.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_silent_connection_is_accepted_once_it_speaks() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        listener.set_nonblocking(true).expect("an option");
        defer_accept(listener.as_fd(), true).expect("an option");
        let mut silent = TcpStream::connect(address).expect("a connection");
        let accepted = listener.accept().map(drop);
        assert_eq!(accepted.map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
        silent.write_all(b"hello").expect("a write");
        listener.accept().expect("on loopback it has come by now");
        defer_accept(listener.as_fd(), false).expect("an option");
        let _silent = TcpStream::connect(address).expect("a connection");
        listener.accept().expect("at once");
    }

    #[test]
    fn a_socket_that_knows_no_such_thing_says_so() {
        let path = std::env::temp_dir().join(format!("ferrio-defer-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket");
        assert!(defer_accept(listener.as_fd(), true).is_err());
        std::fs::remove_file(path).expect("its file");
    }
}
