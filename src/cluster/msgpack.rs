//! Reads MessagePack and writes what it finds as JSON. `None` everywhere means "not for us": the
//! value is malformed, or something that JSON has no form for and JavaScript has to decode.

use std::str;

/// A position in a MessagePack document.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// True after the last byte.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The length of an array that starts here.
    pub fn array(&mut self) -> Option<usize> {
        match self.byte()? {
            tag @ 0x90..=0x9f => Some(usize::from(tag & 0x0f)),
            0xdc => self.length(2),
            0xdd => self.length(4),
            _ => None,
        }
    }

    /// The number of entries of a map that starts here.
    pub fn map(&mut self) -> Option<usize> {
        match self.byte()? {
            tag @ 0x80..=0x8f => Some(usize::from(tag & 0x0f)),
            0xde => self.length(2),
            0xdf => self.length(4),
            _ => None,
        }
    }

    /// A string.
    pub fn text(&mut self) -> Option<&'a str> {
        let len = match self.byte()? {
            tag @ 0xa0..=0xbf => usize::from(tag & 0x1f),
            0xd9 => self.length(1)?,
            0xda => self.length(2)?,
            0xdb => self.length(4)?,
            _ => return None,
        };
        str::from_utf8(self.take(len)?).ok()
    }

    /// A small number without a sign.
    pub fn small(&mut self) -> Option<u8> {
        self.byte().filter(|byte| *byte < 0x80)
    }

    /// A flag: true, false, null or what JavaScript's `undefined` is encoded as.
    pub fn flag(&mut self) -> Option<Flag> {
        match self.byte()? {
            0xc3 => Some(Flag::On),
            0xc2 => Some(Flag::Off),
            0xc0 => Some(Flag::Unset),
            0xd4 => (self.take(2)? == [0, 0]).then_some(Flag::Unset),
            _ => None,
        }
    }

    /// Writes the value that starts here.
    pub fn json(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let tag = *self.rest.first()?;
        match tag {
            0x80..=0x8f | 0xde | 0xdf => {
                out.push(b'{');
                for i in 0..self.map()? {
                    if i > 0 {
                        out.push(b',');
                    }
                    let key = self.text()?;
                    // Assigning it in JavaScript would not make a property.
                    if key == "__proto__" {
                        return None;
                    }
                    serde_json::to_writer(&mut *out, key).ok()?;
                    out.push(b':');
                    self.json(out, depth)?;
                }
                out.push(b'}');
                return Some(());
            }
            0x90..=0x9f | 0xdc | 0xdd => {
                out.push(b'[');
                for i in 0..self.array()? {
                    if i > 0 {
                        out.push(b',');
                    }
                    self.json(out, depth)?;
                }
                out.push(b']');
                return Some(());
            }
            0xa0..=0xbf | 0xd9..=0xdb => {
                return serde_json::to_writer(out, self.text()?).ok();
            }
            _ => {}
        }
        self.byte()?;
        match tag {
            0x00..=0x7f => integer(out, i64::from(tag)),
            0xe0..=0xff => integer(out, i64::from(tag as i8)),
            0xc0 => out.extend_from_slice(b"null"),
            0xc2 => out.extend_from_slice(b"false"),
            0xc3 => out.extend_from_slice(b"true"),
            0xca => float(out, f32::from_be_bytes(self.bytes()?).into()),
            0xcb => float(out, f64::from_be_bytes(self.bytes()?)),
            0xcc => integer(out, u8::from_be_bytes(self.bytes()?).into()),
            0xcd => integer(out, u16::from_be_bytes(self.bytes()?).into()),
            0xce => integer(out, u32::from_be_bytes(self.bytes()?).into()),
            0xcf => {
                let value = u64::from_be_bytes(self.bytes()?);
                out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            }
            0xd0 => integer(out, i8::from_be_bytes(self.bytes()?).into()),
            0xd1 => integer(out, i16::from_be_bytes(self.bytes()?).into()),
            0xd2 => integer(out, i32::from_be_bytes(self.bytes()?).into()),
            0xd3 => integer(out, i64::from_be_bytes(self.bytes()?)),
            // Binary data travels as an attachment, dates and the like are JavaScript's.
            _ => return None,
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn length(&mut self, bytes: usize) -> Option<usize> {
        let bytes = self.take(bytes)?;
        Some(bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)))
    }
}

/// The value of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `true`
    On,
    /// `false`
    Off,
    /// `null` or `undefined`
    Unset,
}

fn integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn float(out: &mut Vec<u8>, value: f64) {
    // What JavaScript's JSON makes of them: null for infinities, no sign on zero.
    match serde_json::Number::from_f64(value) {
        Some(_) if value == 0.0 => out.push(b'0'),
        Some(number) => out.extend_from_slice(number.to_string().as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(data: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        Reader::new(data).json(&mut out, 8)?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn values_are_written_as_javascript_writes_them() {
        assert_eq!(json(b"\x94\x01\xff\xc0\xc3").as_deref(), Some("[1,-1,null,true]"));
        assert_eq!(json(b"\x82\xa1b\x01\xa1a\xa2\"\n").as_deref(), Some(r#"{"b":1,"a":"\"\n"}"#));
        assert_eq!(json(b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a").as_deref(), Some("0.1"));
        assert_eq!(json(b"\xcb\x7f\xf0\0\0\0\0\0\0").as_deref(), Some("null"));
        assert_eq!(json(b"\xcb\x80\0\0\0\0\0\0\0").as_deref(), Some("0"));
        assert_eq!(json(b"\xcd\x12\x34").as_deref(), Some("4660"));
        assert_eq!(json(b"\xd1\xff\xfe").as_deref(), Some("-2"));
    }

    #[test]
    fn what_json_has_no_form_for_is_left_alone() {
        for data in [
            &b"\xc4\x01\x00"[..],
            b"\xd4\x00\x00",
            b"\x81\x01\x02",
            b"\xa2\xed\xa0",
            b"\x92\x01",
            b"\xdd\xff\xff\xff\xff",
            b"\x81\xa9__proto__\x01",
            b"\x91\x91\x91\x91\x91\x91\x91\x91\x01",
            b"",
        ] {
            assert_eq!(json(data), None, "{data:?}");
        }
    }
}
