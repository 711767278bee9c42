//! The header of the PROXY protocol: a decision does not change when more bytes come, a header lies
//! within its bytes and the limit, and nothing else is taken for one.

#![no_main]

use ferrio::server::{Header, MAX_HEADER, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = header(bytes);
    for len in 0..bytes.len().min(512) {
        match header(&bytes[..len]) {
            Header::More => {}
            earlier => assert_eq!(earlier, whole, "after {len} bytes"),
        }
    }
    match whole {
        Header::Whole { len, .. } => {
            assert!(len <= bytes.len() && len <= MAX_HEADER);
            assert!(bytes.starts_with(b"PROXY ") || bytes.starts_with(b"\r\n\r\n\0\r\nQUIT\n"));
        }
        Header::More => assert!(bytes.len() < MAX_HEADER),
        Header::Invalid => {}
    }
});
