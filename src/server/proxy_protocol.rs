//! The header that a proxy puts in front of a connection to say where it comes from (the PROXY
//! protocol of haproxy.org, versions 1 and 2). Pure: bytes in, an address out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the bytes so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// More have to come before this can be said.
    More,
    /// No header, or none that is sound.
    Invalid,
    /// A whole header.
    Whole {
        /// Its bytes; the connection's own follow.
        len: usize,
        /// Where the connection comes from; none where its own address counts.
        source: Option<SocketAddr>,
    },
}

/// Longest header that is read. The rest of one, after the addresses, is skipped.
pub const MAX_HEADER: usize = 4096;

/// Looks at the first bytes of a connection.
pub fn header(bytes: &[u8]) -> Header {
    if begins(bytes, SIGNATURE) {
        binary(bytes).unwrap_or(Header::More)
    } else if begins(bytes, b"PROXY ") {
        text(bytes)
    } else {
        Header::Invalid
    }
}

/// True while the bytes are the beginning of a word, or begin with it.
fn begins(bytes: &[u8], word: &[u8]) -> bool {
    bytes.iter().zip(word).all(|(a, b)| a == b)
}

/// Version 1: a line of text.
fn text(bytes: &[u8]) -> Header {
    let window = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let Some(end) = window.windows(2).position(|two| two == b"\r\n") else {
        return if window.len() < MAX_LINE { Header::More } else { Header::Invalid };
    };
    let line = window.get(..end).and_then(|line| std::str::from_utf8(line).ok());
    match line.and_then(source_of) {
        Some(source) => Header::Whole { len: end + 2, source },
        None => Header::Invalid,
    }
}

/// The address in a line; none inside where the proxy does not know it.
fn source_of(line: &str) -> Option<Option<SocketAddr>> {
    let mut words = line.split(' ').skip(1);
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let source = address_of(family, words.next()?)?;
    address_of(family, words.next()?)?;
    let source_port = port(words.next()?)?;
    port(words.next()?)?;
    words.next().is_none().then_some(Some(SocketAddr::new(source, source_port)))
}

fn address_of(family: &str, word: &str) -> Option<IpAddr> {
    match family {
        "TCP4" => word.parse().ok().map(IpAddr::V4),
        "TCP6" => word.parse().ok().map(IpAddr::V6),
        _ => None,
    }
}

fn port(word: &str) -> Option<u16> {
    let is_plain = word.bytes().all(|c| c.is_ascii_digit());
    let is_short = word == "0" || !word.starts_with('0');
    (is_plain && is_short).then(|| word.parse().ok())?
}

/// Version 2: binary. `None` while more has to come.
fn binary(bytes: &[u8]) -> Option<Header> {
    let &[version_and_command, family, high, low] = bytes.get(12..16)? else { return None };
    let rest = usize::from(u16::from_be_bytes([high, low]));
    let len = FIXED + rest;
    let is_local = match version_and_command {
        0x20 => true,
        0x21 => false,
        _ => return Some(Header::Invalid),
    };
    let needed = match family {
        TCP4 | UDP4 => 12,
        TCP6 | UDP6 => 36,
        UNIX_STREAM | UNIX_DATAGRAM => 216,
        UNSPECIFIED => 0,
        _ => return Some(Header::Invalid),
    };
    if len > MAX_HEADER || (!is_local && rest < needed) {
        return Some(Header::Invalid);
    }
    let addresses = bytes.get(FIXED..len)?;
    let source = if is_local { None } else { address(family, addresses) };
    Some(Header::Whole { len, source })
}

fn address(family: u8, bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = match family {
        TCP4 => {
            let ip: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
            (IpAddr::V4(Ipv4Addr::from(ip)), bytes.get(8..10)?)
        }
        TCP6 => {
            let ip: [u8; 16] = bytes.get(..16)?.try_into().ok()?;
            (IpAddr::V6(Ipv6Addr::from(ip)), bytes.get(32..34)?)
        }
        // Not where a connection over TCP comes from.
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(port.try_into().ok()?)))
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest line of version 1, with its end.
const MAX_LINE: usize = 107;
/// What version 2 has before the addresses.
const FIXED: usize = 16;
const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const UDP4: u8 = 0x12;
const TCP6: u8 = 0x21;
const UDP6: u8 = 0x22;
const UNIX_STREAM: u8 = 0x31;
const UNIX_DATAGRAM: u8 = 0x32;

#[cfg(test)]
#[path = "proxy_protocol_tests.rs"]
mod tests;
