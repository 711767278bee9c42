//! What the load generator and the floor share: an epoll loop, WebSocket frames, a
//! histogram, process usage. No knowledge of any server's code; protocol knowledge
//! is limited to what a Socket.IO client has to write and read.

pub mod client;
pub mod frame;
pub mod histogram;
pub mod message;
pub mod net;
pub mod scenarios;
pub mod upgrade;
pub mod usage;
