//! Other servers of a cluster: what they send over Redis reaches the shards from here, past
//! JavaScript wherever nobody there has to see it.

mod adapter;
mod endpoint;
mod link;
mod message;
mod msgpack;
mod tls;

pub use adapter::Adapter;
pub use endpoint::{Address, Endpoint, Sentinels};
pub use link::{Event, EventKind, Order, RedisLink};
#[cfg(feature = "fuzzing")]
pub use message::Message;
pub use tls::{Tls, TlsSetup};
