//! permessage-deflate: nothing that a peer sends inflates beyond the limit, and what is compressed
//! here inflates to what it was, whatever came before it.

#![no_main]

use arbitrary::Arbitrary;
use ferrio::proto::deflate::{Agreement, Compressor, History, Inflater, Settings};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    window: u8,
    level: i8,
    memory: u8,
    strategy: u8,
    takes_over: bool,
    limit: u16,
    messages: Vec<(bool, &'a [u8])>,
}

fuzz_target!(|input: Input<'_>| {
    let settings = Settings::new(
        input.window.into(),
        input.level.into(),
        input.memory.into(),
        input.strategy.into(),
    );
    let agreement = Agreement {
        settings,
        threshold: 0,
        peer_window_bits: input.window,
        peer_takes_context_over: input.takes_over,
    };
    let mut compressor = Compressor::new(settings);
    let mut inflater = Inflater::new();
    let mut history = History::new(&agreement);
    for (is_honest, data) in input.messages {
        if !is_honest {
            if let Ok(out) = inflater.inflate(data, &mut history, input.limit.into()) {
                assert!(out.len() <= input.limit.into());
            }
            continue;
        }
        let Some(payload) = compressor.compress(data) else { continue };
        assert!(payload.len() < data.len());
        let inflated = inflater.inflate(payload, &mut history, u64::MAX);
        assert_eq!(inflated.expect("honest"), data);
    }
});
