//! What carries packets: streams, the WebSocket on top of one, the polling state, and the encoded
//! packets that they share. Nothing here knows sessions' callers, rooms or namespaces.

mod buffers;
mod codec;
mod packet;
mod polling;
mod stream;
#[cfg(unix)]
mod takeover;
#[cfg(unix)]
mod tls;
mod websocket;
mod write_queue;

pub use codec::{Codec, Deflate};
pub use packet::{Group, Packet, Parcel};
pub use polling::Polling;
pub use stream::{BridgeFlow, Stream};
#[cfg(unix)]
pub use takeover::{borrow, duplicate, duplicate_raw, watch};
#[cfg(unix)]
pub use tls::{Socket, Tls};
pub use websocket::WebSocket;
pub use write_queue::{Flush, WriteQueue};
