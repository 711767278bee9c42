//! Where the bytes of a WebSocket go: a socket of our own, or a stream that lives in JavaScript (TLS
//! ended by Node, a pipe, any Duplex).

#[cfg(unix)]
use super::tls::Socket;
use super::write_queue::{Flush, WriteQueue};

/// A connected byte stream.
#[derive(Debug)]
pub enum Stream {
    /// A socket taken over from Node, or accepted by ourselves. Shared with the task that reads it.
    #[cfg(unix)]
    Own(Socket),
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
            Self::Own(socket) => socket.flush(queue),
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

    /// True while the stream itself holds something that was not written.
    pub fn holds_back(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Own(socket) => socket.holds_back(),
            Self::Bridge(_) => false,
        }
    }
}
