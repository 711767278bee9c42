//! The only module that knows N-API. It converts arguments to commands and batches to values; it
//! decides nothing.

#[cfg(target_os = "linux")]
mod acceptor;
mod core;
mod fast;
#[cfg(feature = "redis")]
mod redis;
mod text;

pub use self::core::Core;
