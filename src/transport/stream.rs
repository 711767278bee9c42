//! Where the bytes of a WebSocket go: a file descriptor of our own, or a stream that lives in
//! JavaScript (TLS ended by Node, a pipe, any Duplex).

#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
#[cfg(unix)]
use std::rc::Rc;

#[cfg(unix)]
use tokio::io::unix::AsyncFd;

use super::write_queue::{Flush, WriteQueue};

/// A connected byte stream.
#[derive(Debug)]
pub enum Stream {
    /// A socket taken over from Node, or accepted by ourselves. Shared with the task that reads it.
    #[cfg(unix)]
    Fd(Rc<AsyncFd<OwnedFd>>),
    /// Bytes pass through JavaScript.
    Bridge(BridgeFlow),
}

/// Flow control of a bridged stream: one write is under way at most, so what a slow peer does not
/// take stays in our queue where it is counted.
#[derive(Debug, Default)]
pub struct BridgeFlow {
    in_flight: bool,
}

impl BridgeFlow {
    /// JavaScript reported the last write as done.
    pub fn written(&mut self) {
        self.in_flight = false;
    }
}

impl Stream {
    /// Writes what the stream takes. `bridge` receives the bytes of a bridged stream.
    pub fn flush(
        &mut self,
        queue: &mut WriteQueue,
        bridge: impl FnOnce(Vec<u8>),
    ) -> std::io::Result<Flush> {
        match self {
            #[cfg(unix)]
            Self::Fd(fd) => queue.write_to(fd.as_fd()),
            Self::Bridge(flow) => {
                if queue.is_empty() {
                    return Ok(if flow.in_flight { Flush::Blocked } else { Flush::Drained });
                }
                if !flow.in_flight {
                    flow.in_flight = true;
                    bridge(queue.take_all());
                }
                Ok(Flush::Blocked)
            }
        }
    }
}
