//! The native listener: accepts connections, or is offered those that Node has accepted, looks at what
//! they ask for, serves what is Engine.IO's without a step in JavaScript, and gives every other
//! connection to the owner of the HTTP server, with nothing lost. Whatever is unusual counts as not
//! Engine.IO's.

mod acceptor;
mod address;
mod bind;
mod connection;
mod cors;
mod exchange;
mod gzip;
mod handshake;
mod listening;
mod passed;
mod policy;
mod proxy_protocol;
mod relay;
mod request;
mod response;
mod sid;
mod stream;
mod tls;
mod wire;

pub use acceptor::{Acceptor, Limits};
pub use bind::bind_shared_port;
pub use cors::{Cors, Origins};
pub use listening::{defer_accept, lengthen_queue};
pub use passed::Passed;
pub use policy::{Compression, Policy, Route};
#[cfg(feature = "fuzzing")]
pub use proxy_protocol::{Header, MAX_HEADER, header};
pub use request::MAX_HEAD;
#[cfg(feature = "fuzzing")]
pub use request::{Kind, Look, look};
pub use tls::{TlsIdentity, TlsSetup};
