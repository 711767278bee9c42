//! How a session parts with a stream.

use crate::proto::frame::{self, OpCode};
use crate::transport::{Stream, WebSocket};

use super::context::{Context, PortId, Task};

/// How the stream of a WebSocket is left.
pub enum Farewell {
    /// Send a close frame and wait for the peer's.
    CloseFrame(Option<u16>),
    /// The same with a payload that JavaScript has chosen, or that the peer's close frame had.
    Words(Vec<u8>),
    /// The stream is broken already.
    Drop,
}

/// Parts with a WebSocket: what is queued is still written, then the close handshake.
pub fn leave(ctx: &mut Context, port: PortId, handle: u32, mut ws: WebSocket, farewell: Farewell) {
    // Nothing is inflated any more.
    ws.deflate = None;
    // An answer to the peer's close frame waits as well: were the stream closed with bytes behind that
    // unread, the reset would overtake it.
    let wait = match farewell {
        Farewell::Drop => {
            ws.out.clear();
            false
        }
        Farewell::CloseFrame(code) => {
            ws.out.push(close_frame(code));
            true
        }
        Farewell::Words(payload) => {
            ws.out.push(frame::encode_frame(OpCode::Close, &payload));
            true
        }
    };
    if matches!(ws.stream, Stream::Bridge(_)) {
        if !ws.out.is_empty() {
            let rest = ws.out.take_all();
            ctx.events(port).bridge_write(handle, ws.link, rest);
        }
        return ctx.events(port).bridge_end(handle, ws.link);
    }
    ctx.tasks.push(Task::Linger { port, handle, ws, wait });
}

fn close_frame(code: Option<u16>) -> bytes::Bytes {
    match code {
        Some(code) => frame::encode_frame(OpCode::Close, &code.to_be_bytes()),
        None => frame::encode_frame(OpCode::Close, &[]),
    }
}
