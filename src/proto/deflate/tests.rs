use proptest::prelude::*;

use super::*;
use crate::proto::frame::FrameError;

/// RFC 7692, 7.2.3: each payload inflates to `text` in the order given.
fn assert_inflates(payloads: &[&[u8]], text: &str) {
    let mut peer = Peer::new(15, true);
    for payload in payloads {
        assert_eq!(peer.inflate(payload).as_deref(), Ok(text.as_bytes()));
    }
}

#[test]
fn rfc_7692_one_compressed_block() {
    assert_inflates(&[&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]], "Hello");
}

#[test]
fn rfc_7692_the_window_is_shared_by_messages() {
    let first = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_inflates(&[&first, &[0xf2, 0x00, 0x11, 0x00, 0x00]], "Hello");
}

#[test]
fn rfc_7692_a_block_without_compression() {
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    assert_inflates(&[&stored], "Hello");
}

#[test]
fn rfc_7692_a_block_that_says_it_is_the_last() {
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let referring = [0xf2, 0x00, 0x11, 0x00, 0x00];
    // What follows may refer to it all the same.
    assert_inflates(&[&last, &last, &referring], "Hello");
}

#[test]
fn rfc_7692_two_blocks_in_one_message() {
    let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    assert_inflates(&[&two], "Hello");
}

#[test]
fn rfc_7692_an_empty_message() {
    assert_inflates(&[&[0x00]], "");
}

#[test]
fn an_empty_payload_is_an_empty_message_and_disturbs_nothing() {
    assert_inflates(&[&[], &[]], "");
    let mut peer = Peer::new(15, true);
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(peer.inflate(&hello).as_deref(), Ok(&b"Hello"[..]));
    assert_eq!(peer.inflate(&[]).as_deref(), Ok(&b""[..]));
    assert_eq!(peer.inflate(&[0xf2, 0x00, 0x11, 0x00, 0x00]).as_deref(), Ok(&b"Hello"[..]));
}

#[test]
fn a_last_block_needs_no_byte_behind_it() {
    assert_inflates(&[&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]], "Hello");
}

#[test]
fn a_peer_without_context_takeover_cannot_refer_to_earlier_messages() {
    let mut peer = Peer::new(15, false);
    assert!(peer.inflate(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).is_ok());
    let fault = peer.inflate(&[0xf2, 0x00, 0x11, 0x00, 0x00]);
    assert_eq!(fault, Err(FrameError::InvalidDeflate("invalid distance too far back")));
    assert_eq!(peer.history.reserved(), 0);
}

#[test]
fn peers_that_share_an_inflater_have_histories_of_their_own() {
    let mut inflater = Inflater::new();
    let mut histories = [Peer::new(15, true).history, Peer::new(15, true).history];
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert!(inflater.inflate(&hello, &mut histories[0], u64::MAX).is_ok());
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert!(inflater.inflate(&again, &mut histories[1], u64::MAX).is_err());
    let output = inflater.inflate(&again, &mut histories[0], u64::MAX);
    assert_eq!(output.as_deref(), Ok(&b"Hello"[..]));
}

#[test]
fn a_message_that_stops_inside_a_block_is_a_fault() {
    let whole = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    for len in 1..whole.len() - 1 {
        let fault = Peer::new(15, true).inflate(&whole[..len]);
        assert!(matches!(fault, Err(FrameError::InvalidDeflate(_))), "{len}: {fault:?}");
    }
}

#[test]
fn corrupt_data_is_a_fault_in_the_words_of_zlib() {
    for (payload, words) in [
        (&[0xff_u8, 0xff, 0xff][..], "invalid block type"),
        (&[0x00, 0x05, 0x00, 0x00, 0x00, 0x48], "invalid stored block lengths"),
    ] {
        let fault = Peer::new(15, true).inflate(payload);
        assert_eq!(fault, Err(FrameError::InvalidDeflate(words)));
        let error = FrameError::InvalidDeflate(words);
        assert_eq!((error.close_code(), error.message()), (1007, format!("Error: {words}")));
    }
}

#[test]
fn a_bomb_is_left_alone_as_soon_as_it_is_over_the_limit() {
    let zeros = vec![0; 64 << 20];
    let bomb = compressor(15, 9).compress(&zeros).expect("much smaller").to_vec();
    assert!(bomb.len() < 100_000);
    let mut peer = Peer::new(15, true);
    for limit in [1, 1000, 100_000, 1_000_000] {
        let fault = peer.inflater.inflate(&bomb, &mut peer.history, limit);
        assert_eq!(fault, Err(FrameError::MaxPayloadExceeded));
        assert!(peer.inflater.reserved() <= 2 * limit as usize + 16 * 1024);
        assert_eq!(peer.history.reserved(), 0);
    }
    assert_eq!(peer.inflater.reserved(), 0, "so much is not kept for others");
}

#[test]
fn the_limit_itself_is_allowed() {
    let data = vec![b'x'; 5_000];
    let payload = compressor(15, 6).compress(&data).expect("smaller").to_vec();
    let mut peer = Peer::new(15, true);
    assert_eq!(peer.inflater.inflate(&payload, &mut peer.history, 5_000), Ok(data));
    let over = peer.inflater.inflate(&payload, &mut peer.history, 4_999);
    assert_eq!(over, Err(FrameError::MaxPayloadExceeded));
}

#[test]
fn many_last_blocks_need_a_message_of_some_size() {
    let blocks = [0x03, 0x00].repeat(400);
    let fault = Peer::new(15, true).inflate(&blocks);
    assert!(matches!(fault, Err(FrameError::InvalidDeflate(_))));
    let mut few = [0x03, 0x00].repeat(4);
    few.push(0);
    assert_eq!(Peer::new(15, true).inflate(&few).as_deref(), Ok(&b""[..]));
}

#[test]
fn the_history_holds_what_was_sent_and_little_more_than_the_window() {
    let mut compressor = compressor(15, 6);
    let mut peer = Peer::new(10, true);
    let mut sent = 0;
    for n in 0..200 {
        let data = format!("{n} is a number, {n} {n} {n} {n} {n} {n} {n} {n} {n} {n}");
        let payload = compressor.compress(data.as_bytes()).expect("smaller").to_vec();
        assert_eq!(peer.inflate(&payload).as_deref(), Ok(data.as_bytes()));
        sent += data.len();
        assert!(peer.history.reserved() <= (2 * sent).min(1024 + 256));
    }
}

#[test]
fn what_would_not_shrink_is_not_compressed() {
    let mut compressor = compressor(15, 6);
    assert_eq!(compressor.compress(b""), None);
    assert_eq!(compressor.compress(b"x"), None);
    assert_eq!(compressor.compress(&noise(5_000)), None);
    assert!(compressor.compress(&[b'x'; 100]).is_some_and(|payload| payload.len() < 10));
    let mut stored = Compressor::new(Settings::new(15, 0, 8, 0));
    assert_eq!(stored.compress(&[b'x'; 5_000]), None);
    assert_eq!(stored.compress(&[b'x'; 200_000]), None);
}

#[test]
fn large_messages_that_do_not_shrink_are_given_up_with_every_setting() {
    let data = noise(300_000);
    for level in 0..=9 {
        for (mem_level, strategy) in [(1, 0), (9, 2), (8, 4)] {
            let mut compressor = Compressor::new(Settings::new(15, level, mem_level, strategy));
            assert_eq!(compressor.compress(&data), None);
        }
    }
}

#[test]
fn every_message_starts_from_an_empty_window() {
    let mut compressor = compressor(15, 6);
    let data = [noise(500), noise(500)].concat();
    let first = compressor.compress(&data).expect("smaller").to_vec();
    assert_eq!(compressor.compress(&data), Some(&first[..]));
}

#[test]
fn a_window_of_8_bits_is_not_looked_behind() {
    for level in 1..=9 {
        let repeated = |distance| [noise(distance), noise(distance)].concat();
        let mut compressor = compressor(8, level);
        assert_eq!(compressor.compress(&repeated(257)), None, "level {level}");
        assert!(compressor.compress(&repeated(200)).is_some_and(|payload| payload.len() < 300));
    }
}

proptest! {
    #[test]
    fn what_is_compressed_inflates_to_the_same(
        messages in prop::collection::vec(message(), 1..6),
        window_bits in 8..=15_u32,
        level in -1..=9,
        mem_level in 1..=9_u32,
        strategy in 0..=4_u32,
        takes_over: bool,
    ) {
        let mut compressor =
            Compressor::new(Settings::new(window_bits, level, mem_level, strategy));
        let mut peer = Peer::new(15, takes_over);
        for data in messages {
            if let Some(payload) = compressor.compress(&data) {
                prop_assert!(payload.len() < data.len());
                prop_assert_eq!(peer.inflate(payload), Ok(data));
            }
        }
    }

    #[test]
    fn what_a_peer_compresses_with_its_context_inflates_to_the_same(
        messages in prop::collection::vec(message(), 1..8),
        window_bits in 9..=15_u8,
        level in 0..=9,
    ) {
        let mut theirs = zlib_rs::Deflate::new(level, false, window_bits);
        let mut peer = Peer::new(window_bits, true);
        for data in messages {
            let payload = deflate(&mut theirs, &data);
            prop_assert_eq!(peer.inflate(&payload), Ok(data));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_nor_exceed_the_limit(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5),
        limit in 0..2_000_u64,
    ) {
        let mut peer = Peer::new(15, true);
        for payload in payloads {
            if let Ok(output) = peer.inflater.inflate(&payload, &mut peer.history, limit) {
                prop_assert!(output.len() as u64 <= limit);
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_panics(data in message(), bit: prop::sample::Index) {
        let mut compressor = compressor(15, 6);
        if let Some(payload) = compressor.compress(&data) {
            let mut payload = payload.to_vec();
            let bit = bit.index(payload.len() * 8);
            payload[bit / 8] ^= 1 << (bit % 8);
            let _ = Peer::new(15, true).inflate(&payload);
        }
    }
}

/// What the server keeps for one peer, and an inflater of its own.
struct Peer {
    inflater: Inflater,
    history: History,
}

impl Peer {
    fn new(peer_window_bits: u8, peer_takes_context_over: bool) -> Self {
        let settings = Settings::new(15, 6, 8, 0);
        let agreement =
            Agreement { settings, threshold: 0, peer_window_bits, peer_takes_context_over };
        Self { inflater: Inflater::new(), history: History::new(&agreement) }
    }

    fn inflate(&mut self, payload: &[u8]) -> Result<Vec<u8>, FrameError> {
        self.inflater.inflate(payload, &mut self.history, u64::MAX)
    }
}

fn compressor(window_bits: u32, level: i32) -> Compressor {
    Compressor::new(Settings::new(window_bits, level, 8, 0))
}

/// A message as a peer compresses it that goes on with its context.
fn deflate(theirs: &mut zlib_rs::Deflate, data: &[u8]) -> Vec<u8> {
    let mut payload = vec![0; data.len() + data.len() / 8 + 64];
    let start = theirs.total_out();
    theirs.compress(data, &mut payload, zlib_rs::DeflateFlush::SyncFlush).expect("no fault");
    payload.truncate((theirs.total_out() - start) as usize);
    // zlib has nothing to flush after an empty message that follows a flush.
    assert!(payload.ends_with(&TRAILER) || (data.is_empty() && payload.is_empty()));
    payload.strip_suffix(&TRAILER).unwrap_or_default().to_vec()
}

/// Text with repetitions near and far, or noise, or both.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..400),
        (0..8_000_usize).prop_map(noise),
        ("[a-e]{1,8}", 1..600_usize).prop_map(|(word, count)| word.repeat(count).into_bytes()),
        (1..40_000_usize).prop_map(|len| vec![0; len]),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

/// The same bytes at every call, without repetitions.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}
