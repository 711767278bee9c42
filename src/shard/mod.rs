//! The I/O threads. A shard owns its sessions, their sockets, timers and rooms for life and shares
//! none of it. JavaScript reaches it through its command queue only.

mod call;
mod command;
#[cfg(unix)]
mod linger;
mod opening;
mod pool;
#[cfg(unix)]
mod reader;
mod registry;
mod rooms;
mod state;
mod worker;

pub use call::{Accepted, Call, CallKind, Decline, Hold, Takeover};
pub use command::{
    Answer, Barrier, Broadcast, Command, Group, Job, Link, Open, Post, Start, Unwritten, Upgrade,
};
pub use pool::{Pool, SessionRef, next_link};
pub use registry::{Known, Registration, Registry, Sid};
pub use rooms::{MemberId, RoomId, RoomIndex};
pub use worker::Inline;
