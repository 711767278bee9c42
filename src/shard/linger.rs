//! The end of a WebSocket that its session has left.

use rustix::net::{Shutdown, shutdown};

use crate::transport::{Flush, Stream, WebSocket};

use super::opening::Source;
use super::reader::{Fd, Read, ReadStep, read_once};

/// Writes the rest of a WebSocket that its session has left, then waits for the peer to close if
/// asked to. The stream closes when this ends.
pub async fn linger(mut ws: WebSocket, wait: bool) {
    let Stream::Own(socket) = &ws.stream else { return };
    let Source { fd, tls } = socket.clone();
    if !wait {
        // One try: an alert may say why.
        let _ = ws.stream.flush(&mut ws.out, |_| {});
        return;
    }
    if !drain(&mut ws, &fd).await {
        return;
    }
    if let Some(tls) = tls {
        tls.borrow_mut().say_end();
        if !drain(&mut ws, &fd).await {
            return;
        }
    }
    // Our close frame is the last thing we say. The peer answers it and closes; half-closing tells
    // so even a peer whose frames we stopped reading in the middle.
    if shutdown(&*fd, Shutdown::Write).is_err() {
        return;
    }
    let mut buffer = vec![0; LINGER_BUFFER];
    while let Ok(mut ready) = fd.readable().await {
        let Read { step, emptied } = read_once(&fd, buffer.as_mut_slice(), LINGER_BUFFER);
        if emptied {
            ready.clear_ready();
        }
        if matches!(step, ReadStep::End) {
            return;
        }
    }
}

/// Writes all that waits. False when the stream is broken.
async fn drain(ws: &mut WebSocket, fd: &Fd) -> bool {
    loop {
        match ws.stream.flush(&mut ws.out, |_| {}) {
            Ok(Flush::Drained) => return true,
            Ok(Flush::Blocked) => match fd.writable().await {
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => return false,
            },
            Err(_) => return false,
        }
    }
}

const LINGER_BUFFER: usize = 4096;
