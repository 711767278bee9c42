//! TLS on a stream of our own. Ciphertext goes in as it was read and comes out into the socket; what
//! waits unencrypted stays in the session's queue, where it is counted.

use std::io::{self, BufRead, IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::{cell::RefCell, fmt};

use rustix::net::{SendAncillaryBuffer, send, sendmsg};
use rustls::{ServerConfig, ServerConnection};
use tokio::io::unix::AsyncFd;

use super::write_queue::{Flush, SEND_FLAGS, WriteQueue};

/// A descriptor of our own, and the TLS that is spoken on it. Shared by who reads and who writes;
/// no borrow lives across a call out.
#[derive(Clone)]
pub struct Socket {
    /// The descriptor.
    pub fd: Rc<AsyncFd<OwnedFd>>,
    /// Absent where bytes go as they are.
    pub tls: Option<Rc<RefCell<Tls>>>,
}

/// One TLS connection, on the server's side.
#[derive(Debug)]
pub struct Tls {
    connection: ServerConnection,
    ended: bool,
}

impl Socket {
    /// Writes what the socket takes.
    pub fn flush(&self, queue: &mut WriteQueue) -> io::Result<Flush> {
        match &self.tls {
            None => queue.write_to(self.fd.as_fd()),
            Some(tls) => tls.borrow_mut().flush_queue(self.fd.as_fd(), queue),
        }
    }

    /// True while something waits that no queue has any more.
    pub fn holds_back(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.borrow().holds_back())
    }
}

impl Tls {
    /// A connection whose handshake is to come.
    ///
    /// # Errors
    ///
    /// When the system has no randomness to give.
    pub fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        connection.set_buffer_limit(Some(MOST_ENCRYPTED));
        Ok(Self { connection, ended: false })
    }

    /// True until both sides have said all that comes before data.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// True once the peer has said that nothing more comes, or has broken the protocol.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// True while something waits to be written.
    pub fn holds_back(&self) -> bool {
        self.connection.wants_write()
    }

    /// The name that the client has asked for.
    pub fn server_name(&self) -> Option<&str> {
        self.connection.server_name()
    }

    /// Takes in what was read of the peer, and adds what it says to `plain`. Of a peer that has ended
    /// nothing more is taken.
    pub fn decrypt(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) {
        while !bytes.is_empty() && !self.ended {
            let step = self.connection.read_tls(&mut bytes);
            let sound =
                step.is_ok_and(|count| count > 0) && self.connection.process_new_packets().is_ok();
            let mut reader = self.connection.reader();
            loop {
                match reader.fill_buf() {
                    Ok([]) => {
                        self.ended = true;
                        break;
                    }
                    Ok(chunk) => {
                        let count = chunk.len();
                        plain.extend_from_slice(chunk);
                        reader.consume(count);
                    }
                    Err(_) => break,
                }
            }
            // The alert that says why waits to be written.
            self.ended |= !sound;
        }
    }

    /// Encrypts as much as may wait to be written, and says how much that was.
    pub fn encrypt(&mut self, bytes: &[u8]) -> usize {
        self.connection.writer().write(bytes).unwrap_or(0)
    }

    /// Says that nothing more comes from this side.
    pub fn say_end(&mut self) {
        self.connection.send_close_notify();
    }

    /// Writes what waits.
    pub fn flush(&mut self, fd: BorrowedFd<'_>) -> io::Result<Flush> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Out(fd)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Flush::Blocked);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Flush::Drained)
    }

    fn flush_queue(&mut self, fd: BorrowedFd<'_>, queue: &mut WriteQueue) -> io::Result<Flush> {
        loop {
            if self.flush(fd)? == Flush::Blocked {
                return Ok(Flush::Blocked);
            }
            if queue.is_empty() {
                return Ok(Flush::Drained);
            }
            let mut writer = self.connection.writer();
            if queue.advance_with(|slices| writer.write_vectored(slices))? == 0 {
                // There is room by now: a connection that takes nothing never will.
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("fd", &self.fd).finish_non_exhaustive()
    }
}

/// A socket that reports a broken pipe instead of raising a signal.
struct Out<'a>(BorrowedFd<'a>);

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send(self.0, bytes, SEND_FLAGS).map_err(io::Error::from)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut control = SendAncillaryBuffer::default();
        sendmsg(self.0, slices, &mut control, SEND_FLAGS).map_err(io::Error::from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that are encrypted ahead of what the socket takes.
const MOST_ENCRYPTED: usize = 64 * 1024;
