//! Gives connections to the owner of the HTTP server. One over TLS stays here, and Node gets the
//! other end of a socket pair: what it reads was decrypted, what it writes is encrypted.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvFlags, Shutdown, SocketAddrAny, SocketFlags, SocketType, getsockname,
    shutdown, socketpair,
};
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use crate::transport::{Flush, Tls, watch};

use super::acceptor::{Acceptor, Alive};
use super::address::write_address;
use super::passed::Passed;
use super::stream::{Read, receive, write_all};
use super::wire::{Parts, read_records};

/// Gives a connection, with what was read of it, to JavaScript.
pub fn pass(acceptor: &Arc<Acceptor>, peer: Option<&SocketAddrAny>, parts: Parts, bytes: Vec<u8>) {
    let Parts { fd, tls } = parts;
    // Where the descriptor does not tell.
    let addresses = (tls.is_some() || acceptor.is_proxied()).then(|| addresses(peer, &fd));
    match tls {
        None => acceptor.pass(Passed { fd, bytes, addresses }),
        Some(tls) => {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None);
            // Out of descriptors: the connection goes.
            let Ok((ours, theirs)) = pair else { return };
            let (Ok(outer), Ok(inner)) = (watch(fd), watch(ours)) else { return };
            let relay = Relay { outer, inner, tls: RefCell::new(tls) };
            let alive = Alive::new(acceptor);
            tokio::task::spawn_local(async move { relay.run(bytes, alive).await });
            acceptor.pass(Passed { fd: theirs, bytes: Vec::new(), addresses });
        }
    }
}

/// The addresses of both ends, as JavaScript writes them in a list.
fn addresses(peer: Option<&SocketAddrAny>, fd: &OwnedFd) -> String {
    let mut out = String::new();
    write_address(&mut out, peer);
    out.push(',');
    write_address(&mut out, getsockname(fd).ok().as_ref());
    out
}

/// A connection over TLS that Node serves.
struct Relay {
    outer: AsyncFd<OwnedFd>,
    inner: AsyncFd<OwnedFd>,
    tls: RefCell<Box<Tls>>,
}

impl Relay {
    /// The listener is not closed before all that Node has written is with the kernel: the process may
    /// exit then.
    async fn run(&self, bytes: Vec<u8>, alive: Alive) {
        let inward = self.inward(bytes);
        let outward = async {
            self.outward().await;
            drop(alive);
        };
        tokio::pin!(inward, outward);
        tokio::select! {
            () = &mut inward => outward.await,
            () = &mut outward => {
                // Node has closed its end; the client may still say goodbye.
                let _ = timeout(GOODBYE, inward).await;
            }
        }
    }

    /// From the client to Node.
    async fn inward(&self, mut plain: Vec<u8>) {
        loop {
            if write_all(&self.inner, &plain).await.is_err() {
                return;
            }
            plain.clear();
            while plain.is_empty() {
                let (read, ended) = {
                    let mut tls = self.tls.borrow_mut();
                    let read = read_records(&self.outer, &mut tls, &mut plain);
                    if tls.holds_back() {
                        // What does not leave now leaves before the next answer.
                        let _ = tls.flush(self.outer.as_fd());
                    }
                    (read, tls.has_ended())
                };
                match read {
                    _ if !plain.is_empty() => {}
                    Read::Bytes(_) if !ended => {}
                    Read::Nothing if !ended => match self.outer.readable().await {
                        Ok(mut ready) => ready.clear_ready(),
                        Err(_) => return,
                    },
                    _ => {
                        let _ = shutdown(self.inner.get_ref(), Shutdown::Write);
                        return;
                    }
                }
            }
        }
    }

    /// From Node to the client.
    async fn outward(&self) {
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = match receive(self.inner.get_ref(), &mut chunk, RecvFlags::empty()) {
                Read::Bytes(count) => count,
                Read::Nothing => match self.inner.readable().await {
                    Ok(mut ready) => {
                        ready.clear_ready();
                        continue;
                    }
                    Err(_) => return,
                },
                Read::End => break,
            };
            let mut rest = chunk.get(..count).unwrap_or_default();
            while !rest.is_empty() {
                let taken = self.tls.borrow_mut().encrypt(rest);
                rest = rest.get(taken..).unwrap_or_default();
                if taken == 0 || self.flush().await.is_err() {
                    return;
                }
            }
        }
        self.tls.borrow_mut().say_end();
        if self.flush().await.is_ok() {
            let _ = shutdown(self.outer.get_ref(), Shutdown::Write);
        }
    }

    async fn flush(&self) -> io::Result<()> {
        loop {
            let state = self.tls.borrow_mut().flush(self.outer.as_fd())?;
            if state == Flush::Drained {
                return Ok(());
            }
            match timeout(GOODBYE, self.outer.writable()).await {
                Ok(ready) => ready?.clear_ready(),
                // A client that reads nothing may keep Node waiting, but not what Node has left.
                Err(_) if self.is_left() => return Err(io::ErrorKind::TimedOut.into()),
                Err(_) => {}
            }
        }
    }

    /// True when Node has closed its end.
    fn is_left(&self) -> bool {
        let mut ends = [PollFd::new(&self.inner, PollFlags::empty())];
        let known = poll(&mut ends, Some(&Timespec::default()));
        known.is_ok() && ends.iter().any(|end| end.revents().contains(PollFlags::HUP))
    }
}

/// What is encrypted at a time: a record of TLS.
const CHUNK: usize = 16 * 1024;
/// How long a client may stay, or read nothing, whose connection Node has closed.
const GOODBYE: Duration = Duration::from_secs(30);
