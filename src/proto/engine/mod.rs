//! Engine.IO packets and polling payloads, protocol revisions 4 and 3. What a packet means to a
//! session, and how bodies travel over HTTP, is decided elsewhere.

mod base64;
mod jsonp;
mod packet;
mod payload;
#[cfg(test)]
mod tests;

pub use base64::to_base64;
pub use jsonp::{jsonp_unwrap, jsonp_wrap};
pub use packet::{Data, Packet, PacketType, ParseError, Revision, decode_binary, decode_text};
pub use payload::{Body, EncodedPayload, OutData, OutPacket, decode_payload, encode_payload};
