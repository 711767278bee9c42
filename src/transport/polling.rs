//! The polling transport: the GET that waits, and how answers are formed.

use crate::event::Body;
use crate::proto::engine::{self, EncodedPayload, Revision};

use super::packet::Packet;

/// Polling state of one session. Requests are known by the number that JavaScript or the
/// listener gave them.
#[derive(Debug)]
pub struct Polling {
    /// The GET that waits for packets, if any.
    pub pending: Option<u32>,
    /// False when the client cannot take binary bodies (revision 3 with `b64`, JSONP).
    pub supports_binary: bool,
    /// JSONP: the digits of `j` at the handshake.
    pub jsonp: Option<String>,
}

impl Polling {
    /// The body of a GET's answer.
    pub fn encode(&self, packets: &[Packet], revision: Revision) -> Body {
        let compress = packets.iter().any(Packet::may_compress);
        let packets = packets.iter().map(Packet::as_out);
        match engine::encode_payload(packets, revision, self.supports_binary) {
            EncodedPayload::Text(text) => {
                let text = match &self.jsonp {
                    Some(index) => engine::jsonp_wrap(index, &text),
                    None => text,
                };
                Body::Text { text, compress }
            }
            EncodedPayload::Binary(data) => Body::Binary { data, compress },
        }
    }
}
