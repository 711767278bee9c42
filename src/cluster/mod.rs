//! Other servers of a cluster: what they send over Redis reaches the shards from here, past
//! JavaScript wherever nobody there has to see it.

mod endpoint;
mod link;
mod message;
mod msgpack;
mod route;
mod tls;

pub use endpoint::{Address, Endpoint, Sentinels};
pub use link::{Event, EventKind, Link, Order};
#[cfg(feature = "fuzzing")]
pub use message::Message;
pub use route::Route;
pub use tls::{Tls, TlsSetup};
