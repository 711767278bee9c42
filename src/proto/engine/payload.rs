//! Several packets in one HTTP body.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::base64;
use super::packet::{Packet, PacketType, ParseError, Revision, decode_binary, decode_text};

/// The body of a POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Any content type but the next.
    Text(&'a str),
    /// `application/octet-stream`; revision 3 only.
    Binary(&'a [u8]),
}

/// What a packet to be sent carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutData<'a> {
    /// Nothing.
    None,
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// A packet to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutPacket<'a> {
    /// Its type; in revision 4 whatever is binary is a message.
    pub kind: PacketType,
    /// Its content.
    pub data: OutData<'a>,
}

/// The body of a GET's answer; the variant decides the content type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncodedPayload {
    /// `text/plain`
    Text(String),
    /// `application/octet-stream`
    Binary(Vec<u8>),
}

/// Decodes a body and calls `on` for each packet, in order, until it breaks. The packets before a
/// bad one are delivered; of a binary body whose framing is bad, none.
pub fn decode_payload<F>(body: Body<'_>, revision: Revision, mut on: F) -> Result<(), ParseError>
where
    F: FnMut(Packet<'_>) -> ControlFlow<()>,
{
    match (body, revision) {
        (Body::Text(text), Revision::V4) => {
            for part in text.split(SEPARATOR) {
                if on(decode_text(part, revision)?).is_break() {
                    break;
                }
            }
            Ok(())
        }
        (Body::Binary(_), Revision::V4) => Err(ParseError),
        (Body::Text(text), Revision::V3) => decode_text_3(text, on),
        (Body::Binary(bytes), Revision::V3) => decode_binary_3(bytes, on),
    }
}

/// Encodes `packets` into one body. `supports_binary` matters to revision 3 only, and only when a
/// packet is binary.
pub fn encode_payload<'a, I>(
    packets: I,
    revision: Revision,
    supports_binary: bool,
) -> EncodedPayload
where
    I: Iterator<Item = OutPacket<'a>>,
{
    if revision == Revision::V4 {
        return EncodedPayload::Text(encode_4(packets));
    }
    let packets: Vec<_> = packets.collect();
    let binary = |packet: &OutPacket<'_>| matches!(packet.data, OutData::Binary(_));
    if supports_binary && packets.iter().any(binary) {
        EncodedPayload::Binary(encode_binary_3(&packets))
    } else {
        EncodedPayload::Text(encode_text_3(&packets))
    }
}

fn encode_4<'a>(packets: impl Iterator<Item = OutPacket<'a>>) -> String {
    let mut body = String::new();
    for (index, packet) in packets.enumerate() {
        if index > 0 {
            body.push(SEPARATOR);
        }
        match packet.data {
            OutData::None => body.push(digit(packet.kind)),
            OutData::Text(text) => {
                body.reserve(text.len() + 1);
                body.push(digit(packet.kind));
                body.push_str(text);
            }
            OutData::Binary(data) => {
                body.push('b');
                base64::encode(data, &mut body);
            }
        }
    }
    body
}

fn encode_text_3(packets: &[OutPacket<'_>]) -> String {
    if packets.is_empty() {
        return "0:".to_owned();
    }
    let mut body = String::new();
    let mut encoded = String::new();
    for packet in packets {
        encoded.clear();
        match packet.data {
            OutData::None => encoded.push(digit(packet.kind)),
            OutData::Text(text) => {
                encoded.push(digit(packet.kind));
                encoded.push_str(text);
            }
            OutData::Binary(data) => {
                encoded.push('b');
                encoded.push(digit(packet.kind));
                base64::encode(data, &mut encoded);
            }
        }
        body.push_str(itoa::Buffer::new().format(utf16_len(&encoded)));
        body.push(':');
        body.push_str(&encoded);
    }
    body
}

fn encode_binary_3(packets: &[OutPacket<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for packet in packets {
        let (mark, kind, data) = match packet.data {
            OutData::None => (STRING, packet.kind.digit(), &[][..]),
            OutData::Text(text) => (STRING, packet.kind.digit(), text.as_bytes()),
            OutData::Binary(data) => (BINARY, packet.kind.number(), data),
        };
        body.push(mark);
        let mut buffer = itoa::Buffer::new();
        body.extend(buffer.format(data.len() + 1).bytes().map(|digit| digit - b'0'));
        body.push(LENGTH_END);
        body.push(kind);
        body.extend_from_slice(data);
    }
    body
}

/// `<length>:<packet>`, again and again; lengths count UTF-16 code units.
fn decode_text_3<F>(text: &str, mut on: F) -> Result<(), ParseError>
where
    F: FnMut(Packet<'_>) -> ControlFlow<()>,
{
    if text.is_empty() {
        return Err(ParseError);
    }
    let mut rest = text;
    while !rest.is_empty() {
        let (length, tail) = rest.split_once(':').ok_or(ParseError)?;
        let units = decimal(length.bytes().map(|byte| byte.wrapping_sub(b'0')))?;
        let (packet, tail) = split_at_utf16(tail, units).ok_or(ParseError)?;
        rest = tail;
        // A packet of length 0 is none: an empty payload is written as `0:`.
        if !packet.is_empty() && on(decode_text(packet, Revision::V3)?).is_break() {
            break;
        }
    }
    Ok(())
}

fn decode_binary_3<F>(bytes: &[u8], mut on: F) -> Result<(), ParseError>
where
    F: FnMut(Packet<'_>) -> ControlFlow<()>,
{
    // Once over everything first: bad framing anywhere spoils the whole body.
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = split_packet_3(rest)?.2;
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let (mark, packet, tail) = split_packet_3(rest)?;
        rest = tail;
        let flow = if mark == STRING {
            let text = decode_utf8_3(packet)?;
            on(decode_text(&text, Revision::V3)?)
        } else {
            on(decode_binary(packet, Revision::V3)?)
        };
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

/// The mark, the bytes and what follows of the first packet in a binary body.
fn split_packet_3(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), ParseError> {
    let (mark, rest) = bytes.split_first().ok_or(ParseError)?;
    let end = rest.iter().position(|byte| *byte == LENGTH_END).ok_or(ParseError)?;
    let (length, rest) = rest.split_at_checked(end).ok_or(ParseError)?;
    let length = decimal(length.iter().copied())?;
    let rest = rest.get(1..).ok_or(ParseError)?;
    let (packet, rest) = rest.split_at_checked(length).ok_or(ParseError)?;
    Ok((*mark, packet, rest))
}

/// The text of a string packet. Clients of revision 3 also encode lone surrogates, which Rust's
/// strings cannot hold: they are replaced, as JavaScript does when it must.
fn decode_utf8_3(bytes: &[u8]) -> Result<Cow<'_, str>, ParseError> {
    if let Ok(text) = simdutf8::basic::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    let mut replaced = bytes.to_vec();
    for at in 0..replaced.len() {
        if let Some(unit @ [0xed, 0xa0..=0xbf, 0x80..=0xbf]) = replaced.get_mut(at..at + 3) {
            unit.copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    String::from_utf8(replaced).map(Cow::Owned).map_err(|_| ParseError)
}

/// A length written in decimal digits, none of them missing and none of them beyond 9.
fn decimal(mut digits: impl ExactSizeIterator<Item = u8>) -> Result<usize, ParseError> {
    if digits.len() == 0 || digits.len() > MAX_LENGTH_DIGITS {
        return Err(ParseError);
    }
    digits.try_fold(0usize, |value, digit| {
        let value = value.checked_mul(10).filter(|_| digit <= 9).ok_or(ParseError)?;
        value.checked_add(usize::from(digit)).ok_or(ParseError)
    })
}

fn utf16_len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// `None` when the text is shorter, or a surrogate pair would be cut in two.
fn split_at_utf16(text: &str, units: usize) -> Option<(&str, &str)> {
    let mut left = units;
    let mut bytes = 0;
    for c in text.chars() {
        if left == 0 {
            break;
        }
        left = left.checked_sub(c.len_utf16())?;
        bytes += c.len_utf8();
    }
    if left == 0 { text.split_at_checked(bytes) } else { None }
}

fn digit(kind: PacketType) -> char {
    char::from(kind.digit())
}

/// Between the packets of a revision 4 payload.
const SEPARATOR: char = '\u{1e}';

/// Marks of the packets in a binary body of revision 3.
const STRING: u8 = 0;
const BINARY: u8 = 1;
const LENGTH_END: u8 = 0xff;

/// As long as the largest number in JavaScript.
const MAX_LENGTH_DIGITS: usize = 310;
