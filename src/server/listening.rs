//! What a listening socket of Node's is asked for beyond what Node asks: a longer queue, and that the
//! kernel keeps connections to itself until they have something to say, so that whoever accepts finds
//! the first request there.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::net::listen;

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

/// Lengthens the kernel's queue of connections that wait, where it has Node's usual length: whoever finds
/// it full tries again only after a second, then three. A length that the application has chosen stays.
pub fn lengthen_queue(listener: BorrowedFd<'_>, backlog: i32) {
    if queue_length(listener).is_none_or(|length| length == USUAL_BACKLOG) {
        // The queue that there is does as well.
        let _ = listen(listener, backlog);
    }
}

/// What Node gives to `listen()` if nobody has said anything.
const USUAL_BACKLOG: u32 = 511;

/// How many connections may wait, where the system tells: for TCP.
#[allow(unsafe_code)]
fn queue_length(listener: BorrowedFd<'_>) -> Option<u32> {
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: the descriptor is borrowed for longer than the call, which writes at most `length` bytes
    // to `info`, and that many it has.
    let result = unsafe {
        libc::getsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return None;
    }
    // SAFETY: all fields are integers, for which zero is a value; the kernel has written those it has.
    let info = unsafe { info.assume_init() };
    // Of a listening socket, this is the limit of its queue.
    Some(info.tcpi_sacked)
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
    fn a_queue_is_lengthened_unless_somebody_has_chosen_its_length() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        for (chosen, expected) in [(5, 5), (511, 600), (600, 600)] {
            listen(&listener, chosen).expect("a longer queue or a shorter one");
            lengthen_queue(listener.as_fd(), 600);
            assert_eq!(queue_length(listener.as_fd()), Some(expected));
        }
    }

    #[test]
    fn a_socket_that_knows_no_such_thing_says_so() {
        let path = std::env::temp_dir().join(format!("ferrio-defer-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket");
        assert!(defer_accept(listener.as_fd(), true).is_err());
        std::fs::remove_file(path).expect("its file");
    }
}
