//! Messages of other servers that come over Redis: what is taken past JavaScript is a plain event
//! whose arguments are a JSON array.

#![no_main]

use ferrio::cluster::Message;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|payload: &[u8]| {
    let Some(message) = Message::read(payload) else { return };
    match serde_json::from_slice::<Value>(&message.data) {
        Ok(value) => assert!(value.is_array()),
        Err(error) => {
            let words = error.to_string();
            let is_known = ["number out of range", "recursion limit"];
            assert!(is_known.iter().any(|known| words.contains(known)), "{words}");
        }
    }
});
