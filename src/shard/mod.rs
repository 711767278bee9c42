//! The I/O threads. A shard owns its sessions, their sockets, timers and rooms for life and shares
//! none of it. JavaScript reaches it through its command queue only.

mod command;
mod pool;
mod rooms;
mod worker;

pub use command::{
    Answer, Barrier, Broadcast, Command, Group, Link, Open, Post, Start, Unwritten, Upgrade,
};
pub use pool::{Pool, SessionRef};
pub use rooms::{MemberId, RoomId, RoomIndex};
