//! The engine of ferrio, in layers; each names only those after it:
//!
//! `binding` (N-API) → `server` (the native listener) and `cluster` (Redis) → `shard` (I/O threads,
//! rooms, fan-out) → `session` (one Engine.IO connection) → `transport` (WebSocket, polling,
//! streams) → `proto` (pure codecs).
//! `config`, `event`, `owed` and `metrics` are leaves that every layer may use.

#[cfg(feature = "napi")]
pub mod binding;
#[cfg(feature = "redis")]
pub mod cluster;
pub mod config;
pub mod event;
pub mod metrics;
pub mod owed;
pub mod proto;
#[cfg(target_os = "linux")]
pub mod server;
pub mod session;
pub mod shard;
pub mod transport;
