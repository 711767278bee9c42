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

/// Flow control of a bridged stream: what JavaScript has not reported as written is bounded, so what a
/// slow peer does not take stays in our queue where it is counted.
#[derive(Debug, Default)]
pub struct BridgeFlow {
    unwritten: usize,
}

impl BridgeFlow {
    /// JavaScript reports so many bytes as written.
    pub fn written(&mut self, bytes: usize) {
        self.unwritten = self.unwritten.saturating_sub(bytes);
    }

    fn is_full(&self) -> bool {
        self.unwritten >= BRIDGE_WINDOW
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
                if !queue.is_empty() && !flow.is_full() {
                    let bytes = queue.take_all();
                    flow.unwritten += bytes.len();
                    bridge(bytes);
                }
                Ok(if flow.is_full() { Flush::Blocked } else { Flush::Drained })
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

/// Bytes that may be on their way through JavaScript. It reports them in larger steps than one write,
/// but well before there are so many.
const BRIDGE_WINDOW: usize = 64 * 1024;
