//! Addresses as JavaScript writes them, and the text of a request as a JSON string.

use rustix::net::{SocketAddrAny, SocketAddrV4, SocketAddrV6};

/// Adds `"address",port`; `null,null` for a socket that has none.
pub fn write_address(out: &mut String, address: Option<&SocketAddrAny>) {
    use std::fmt::Write;
    let v4 = address.and_then(|address| SocketAddrV4::try_from(address.clone()).ok());
    let v6 = address.and_then(|address| SocketAddrV6::try_from(address.clone()).ok());
    // Writing to a string does not fail.
    let _ = match (v4, v6) {
        (Some(v4), _) => write!(out, "\"{}\",{}", v4.ip(), v4.port()),
        (_, Some(v6)) => write!(out, "\"{}\",{}", v6.ip(), v6.port()),
        _ => write!(out, "null,null"),
    };
}

/// Adds bytes as a JSON string of Latin-1 characters, which is how Node reads headers.
pub fn write_latin1(out: &mut String, bytes: &[u8]) {
    use std::fmt::Write;
    out.push('"');
    for &byte in bytes {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            0..0x20 => {
                let _ = write!(out, "\\u{byte:04x}");
            }
            _ => out.push(char::from(byte)),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_become_a_json_string() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut json = String::new();
        write_latin1(&mut json, &bytes);
        let text: String = serde_json::from_str(&json).expect("JSON");
        assert!(text.chars().map(u32::from).eq(0..=255));
    }

    #[test]
    fn addresses_look_as_in_node() {
        let mut out = String::new();
        let v4: std::net::SocketAddrV4 = "127.0.0.1:80".parse().expect("an address");
        write_address(&mut out, Some(&v4.into()));
        out.push(' ');
        let v6: std::net::SocketAddrV6 = "[::ffff:10.0.0.1]:81".parse().expect("an address");
        write_address(&mut out, Some(&v6.into()));
        out.push(' ');
        write_address(&mut out, None);
        assert_eq!(out, "\"127.0.0.1\",80 \"::ffff:10.0.0.1\",81 null,null");
    }
}
