//! The only module that knows N-API. It converts arguments to commands and batches to values; it
//! decides nothing.

mod core;
mod fast;
mod text;

pub use self::core::Core;
