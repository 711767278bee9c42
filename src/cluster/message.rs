//! The broadcasts that servers of a cluster send each other: `[uid, packet, options]`.

use super::msgpack::{Flag, Reader};

/// A broadcast that needs no JavaScript.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The server that sent it.
    pub uid: &'a str,
    /// The namespace; none stands for the main one.
    pub namespace: Option<&'a str>,
    /// The event and its arguments as JSON.
    pub data: Vec<u8>,
    /// Rooms; none means all.
    pub rooms: Vec<&'a str>,
    /// Rooms whose members are left out.
    pub except: Vec<&'a str>,
    /// Drop where the transport is not idle.
    pub volatile: bool,
    /// The packets may be compressed.
    pub compress: bool,
}

impl<'a> Message<'a> {
    /// Reads a message. `None` when it is anything but a plain event.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        if reader.array()? != 3 {
            return None;
        }
        let mut message = Self {
            uid: reader.text()?,
            namespace: None,
            data: Vec::with_capacity(payload.len()),
            rooms: Vec::new(),
            except: Vec::new(),
            volatile: false,
            compress: true,
        };
        let mut is_event = false;
        for _ in 0..reader.map()? {
            match reader.text()? {
                "type" => is_event = reader.small()? == EVENT,
                "data" => {
                    message.data.clear();
                    reader.json(&mut message.data, MAX_DEPTH)?;
                }
                "nsp" => message.namespace = Some(reader.text()?),
                // An id, for one, asks for an answer.
                _ => return None,
            }
        }
        for _ in 0..reader.map()? {
            match reader.text()? {
                "rooms" => message.rooms = names(&mut reader)?,
                "except" => message.except = names(&mut reader)?,
                "flags" => message.flags(&mut reader)?,
                _ => return None,
            }
        }
        // A name is a text or a number.
        let has_name = matches!(message.data.get(..2), Some([b'[', b'"' | b'-' | b'0'..=b'9']));
        (is_event && has_name && reader.is_at_end()).then_some(message)
    }

    fn flags(&mut self, reader: &mut Reader<'a>) -> Option<()> {
        let mut ahead = reader.clone();
        if ahead.flag() == Some(Flag::Unset) {
            *reader = ahead;
            return Some(());
        }
        for _ in 0..reader.map()? {
            let name = reader.text()?;
            let flag = reader.flag()?;
            match name {
                "volatile" => self.volatile = flag == Flag::On,
                "compress" => self.compress = flag != Flag::Off,
                // Says something to the sender only.
                "local" | "broadcast" => {}
                _ => return None,
            }
        }
        Some(())
    }
}

fn names<'a>(reader: &mut Reader<'a>) -> Option<Vec<&'a str>> {
    // The length is the peer's word: nothing is set aside for it.
    let mut names = Vec::new();
    for _ in 0..reader.array()? {
        names.push(reader.text()?);
    }
    Some(names)
}

const EVENT: u8 = 2;
const MAX_DEPTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read() {
        let message = Message::read(
            b"\x93\xa3uid\x83\xa4type\x02\xa4data\x92\xa1x\x07\xa3nsp\xa1/\
              \x83\xa5rooms\x91\xa1r\xa6except\x90\xa5flags\x81\xa8volatile\xc3",
        );
        assert_eq!(
            message,
            Some(Message {
                uid: "uid",
                namespace: Some("/"),
                data: br#"["x",7]"#.to_vec(),
                rooms: vec!["r"],
                except: vec![],
                volatile: true,
                compress: true,
            })
        );
    }

    #[test]
    fn packets_that_ask_for_answers_and_malformed_ones_are_left_alone() {
        for payload in [
            &b"\x93\xa3uid\x83\xa4type\x02\xa4data\x91\xa1x\xa2id\x01\x81\xa5rooms\x90"[..],
            b"\x93\xa3uid\x82\xa4type\x03\xa4data\x91\xa1x\x81\xa5rooms\x90",
            b"\x93\xa3uid\x82\xa4type\x02\xa4data\x90\x81\xa5rooms\x90",
            b"\x93\xa3uid\x82\xa4type\x02\xa4data\x91\xc0\x81\xa5rooms\x90",
            b"\x93\xa3uid\x82\xa4type\x02\xa4data\xa1x\x81\xa5rooms\x90",
            b"\x93\xa3uid\x82\xa4type\x02\xa4data\x91\xa1x",
            b"\x92\xa3uid\x80",
            b"",
        ] {
            assert_eq!(Message::read(payload), None);
        }
    }
}
