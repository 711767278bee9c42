//! A connection's bytes, whether they are encrypted or not.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{RecvFlags, SendFlags, send};
use tokio::io::unix::AsyncFd;

use crate::transport::{Flush, Tls};

use super::stream::{self, Read};

/// A connection that the listener serves.
#[derive(Debug)]
pub struct Wire {
    /// Its socket.
    pub fd: AsyncFd<OwnedFd>,
    /// Absent where bytes go as they are.
    pub tls: Option<Box<Tls>>,
}

/// The same while nobody waits for it, on its way to another thread or to JavaScript.
#[derive(Debug)]
pub struct Parts {
    /// Its socket.
    pub fd: OwnedFd,
    /// Absent where bytes go as they are.
    pub tls: Option<Box<Tls>>,
}

impl Wire {
    /// Reads behind what the buffer has, waiting for some.
    pub async fn read_more(&mut self, buffer: &mut Vec<u8>) -> Read {
        let Some(tls) = &mut self.tls else { return stream::read_more(&self.fd, buffer).await };
        let before = buffer.len();
        while !tls.has_ended() {
            let read = read_records(&self.fd, tls, buffer);
            let count = buffer.len() - before;
            if count > 0 {
                return Read::Bytes(count);
            }
            match read {
                Read::Bytes(_) => continue,
                Read::End => return Read::End,
                Read::Nothing => {}
            }
            match self.fd.readable().await {
                // Cleared before the next try: what comes from now on is news.
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => return Read::End,
            }
        }
        Read::End
    }

    /// Writes everything, waiting for the peer if need be.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return stream::write_all(&self.fd, bytes).await };
        while !bytes.is_empty() {
            let taken = tls.encrypt(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            flush(&self.fd, tls).await?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Completes the handshake of TLS. What the client sends right behind it is added to the buffer.
    /// False when it fails.
    pub async fn shake_hands(&mut self, buffer: &mut Vec<u8>) -> bool {
        let Some(tls) = &mut self.tls else { return true };
        loop {
            if flush(&self.fd, tls).await.is_err() {
                return false;
            }
            if !tls.is_handshaking() {
                // A request may have come along, and the end of it.
                return true;
            }
            if tls.has_ended() {
                return false;
            }
            match read_records(&self.fd, tls, buffer) {
                Read::Bytes(_) => {}
                Read::End => return false,
                Read::Nothing => match self.fd.readable().await {
                    Ok(mut ready) => ready.clear_ready(),
                    Err(_) => return false,
                },
            }
        }
    }

    /// Stops waiting for it.
    pub fn into_parts(self) -> Parts {
        Parts { fd: self.fd.into_inner(), tls: self.tls }
    }
}

impl Parts {
    /// Writes what the socket takes at once, and does not look back.
    pub fn write_once(&mut self, bytes: &[u8]) {
        match &mut self.tls {
            None => {
                let _ = send(&self.fd, bytes, SendFlags::NOSIGNAL);
            }
            Some(tls) => {
                tls.encrypt(bytes);
                tls.say_end();
                let _ = tls.flush(self.fd.as_fd());
            }
        }
    }
}

/// Reads once and decrypts what came.
pub fn read_records(fd: &AsyncFd<OwnedFd>, tls: &mut Tls, plain: &mut Vec<u8>) -> Read {
    let mut chunk = [0; CHUNK];
    let read = stream::receive(fd.get_ref(), &mut chunk, RecvFlags::empty());
    if let Read::Bytes(count) = read {
        tls.decrypt(chunk.get(..count).unwrap_or_default(), plain);
        if tls.has_ended() {
            // An alert may say why.
            let _ = tls.flush(fd.as_fd());
        }
    }
    read
}

/// Writes what waits to be written.
async fn flush(fd: &AsyncFd<OwnedFd>, tls: &mut Tls) -> io::Result<()> {
    while tls.flush(fd.as_fd())? == Flush::Blocked {
        fd.writable().await?.clear_ready();
    }
    Ok(())
}

const CHUNK: usize = 4096;
