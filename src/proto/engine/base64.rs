//! Base64 as `Buffer.from(text, "base64")` reads it and `buffer.toString("base64")` writes it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Appends `data` in base64.
pub(super) fn encode(data: &[u8], out: &mut String) {
    ENGINE.encode_string(data, out);
}

/// Decodes whatever there is to decode; no text is an error.
pub(super) fn decode(text: &str) -> Vec<u8> {
    match ENGINE.decode(text) {
        Ok(data) => data,
        Err(_) => decode_leniently(text),
    }
}

/// The standard alphabet, padded.
pub fn to_base64(data: &[u8]) -> String {
    let mut text = String::new();
    encode(data, &mut text);
    text
}

/// Both alphabets count, the first `=` ends the text, any other character is skipped, and bits
/// that do not make up a byte are dropped.
fn decode_leniently(text: &str) -> Vec<u8> {
    let mut data = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            data.push((bits >> count) as u8);
        }
    }
    data
}

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odd_texts_decode_as_node_decodes_them() {
        let cases: &[(&str, &[u8])] = &[
            ("", b""),
            ("YWJj", b"abc"),
            ("YQ==", b"a"),
            ("YQ=", b"a"),
            ("YQ", b"a"),
            ("YR==", b"a"),
            ("Y", b""),
            ("YWJjZ", b"abc"),
            ("YWJjZG", b"abcd"),
            ("YW\r\nJj", b"abc"),
            ("YWJ*j", b"abc"),
            ("Y*Q==", b"a"),
            ("YWJj\u{e9}ZGVm", b"abcdef"),
            ("-_-_", &[0xfb, 0xff, 0xbf]),
            ("+/-_", &[0xfb, 0xff, 0xbf]),
            ("YQ==YQ==", b"a"),
            ("=YWJj", b""),
            ("YW=Jj", b"a"),
            ("YW====JjZGVm", b"a"),
            ("YWJjZGVm!!!!YQ==", b"abcdefa"),
        ];
        for (text, data) in cases {
            assert_eq!(decode(text), *data, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself_in_both_ways(data: Vec<u8>) {
            let mut text = String::new();
            encode(&data, &mut text);
            prop_assert_eq!(&decode(&text), &data);
            prop_assert_eq!(&decode_leniently(&text), &data);
        }

        #[test]
        fn the_strict_decoder_accepts_nothing_that_the_lenient_one_reads_otherwise(
            text in "[a-dX-Z0+/_=* -]{0,24}",
        ) {
            prop_assert_eq!(decode(&text), decode_leniently(&text));
        }
    }
}
