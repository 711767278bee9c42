//! What the native listener reads of a connection: a decision does not change when more bytes come,
//! a request that is served lies within its bytes, and nothing that is served has what would let
//! two parsers disagree about where it ends.

#![no_main]

use std::time::Duration;

use ferrio::server::{Kind, Look, MAX_HEAD, Policy, Route, look};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let routes = vec![Route::open_to_all("/socket.io/"), Route::open_to_all("/a")];
    let keep_alive = Duration::from_secs(5);
    let policy = Policy { routes, keep_alive, max_head: MAX_HEAD, ..Policy::default() };
    let whole = look(bytes, &policy);
    for len in 0..bytes.len().min(512) {
        match look(&bytes[..len], &policy) {
            Look::More => {}
            earlier => assert_eq!(earlier, whole, "after {len} bytes"),
        }
    }
    let Look::Ours(request) = whole else { return };
    let head = bytes.get(..request.len).expect("the head lies within");
    assert!(head.ends_with(b"\r\n\r\n"));
    assert!(request.route < policy.routes.len());
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let named = |name| text.lines().filter(|line| line.split(':').next() == Some(name)).count();
    assert_eq!(named("transfer-encoding"), 0, "chunked bodies are for Node's parser");
    let lengths = named("content-length");
    match request.kind {
        Kind::Post { .. } => assert_eq!(lengths, 1),
        _ => assert!(lengths <= 1),
    }
});
