use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

fn whole(len: usize, source: &str) -> Header {
    Header::Whole { len, source: Some(source.parse().expect("an address")) }
}

/// A header of version 2.
fn binary_header(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend([version_and_command, family]);
    bytes.extend(u16::try_from(rest.len()).expect("a short rest").to_be_bytes());
    bytes.extend(rest);
    bytes
}

fn addresses(source: SocketAddr, target: SocketAddr) -> (u8, Vec<u8>) {
    let mut rest = Vec::new();
    let family = match (source.ip(), target.ip()) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            rest.extend(source.octets());
            rest.extend(target.octets());
            TCP4
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            rest.extend(source.octets());
            rest.extend(target.octets());
            TCP6
        }
        _ => unreachable!("addresses of one family"),
    };
    rest.extend(source.port().to_be_bytes());
    rest.extend(target.port().to_be_bytes());
    (family, rest)
}

#[test]
fn a_line_tells_where_a_connection_comes_from() {
    let line = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n";
    assert_eq!(header(line), whole(line.len(), "203.0.113.7:56324"));
    let line = b"PROXY TCP6 2001:db8::7 ::1 1 65535\r\nGET /";
    assert_eq!(header(line), whole(line.len() - 5, "[2001:db8::7]:1"));
    for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN what ever it says\r\n"] {
        assert_eq!(header(line.as_bytes()), Header::Whole { len: line.len(), source: None });
    }
}

#[test]
fn a_line_that_is_not_sound_is_refused() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n\r\n",
        "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY \r\n",
    ] {
        assert_eq!(header(line.as_bytes()), Header::Invalid, "{line:?}");
    }
    let endless = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat();
    assert_eq!(header(&endless), Header::Invalid);
    assert_eq!(header(&endless[..100]), Header::More);
}

#[test]
fn what_follows_the_addresses_is_skipped() {
    let source = "203.0.113.7:5".parse().expect("an address");
    let (family, mut rest) = addresses(source, source);
    rest.extend([0x04, 0x00, 0x02, 0xff, 0xff]);
    let mut bytes = binary_header(0x21, family, &rest);
    let len = bytes.len();
    bytes.extend(b"GET /");
    assert_eq!(header(&bytes), whole(len, "203.0.113.7:5"));
}

#[test]
fn a_connection_of_the_proxy_itself_keeps_its_address() {
    for (family, rest) in [(UNSPECIFIED, &[][..]), (TCP4, &[0; 12]), (TCP6, &[0; 3])] {
        let bytes = binary_header(0x20, family, rest);
        assert_eq!(header(&bytes), Header::Whole { len: bytes.len(), source: None });
    }
    for (family, len) in [(UNSPECIFIED, 0), (UDP4, 12), (UDP6, 36), (UNIX_STREAM, 216)] {
        let bytes = binary_header(0x21, family, &vec![0; len]);
        assert_eq!(header(&bytes), Header::Whole { len: bytes.len(), source: None });
    }
}

#[test]
fn a_binary_header_that_is_not_sound_is_refused() {
    for (version_and_command, family, len) in [
        (0x11, TCP4, 12),
        (0x22, TCP4, 12),
        (0x21, 0x41, 12),
        (0x21, 0x13, 12),
        (0x21, TCP4, 11),
        (0x21, TCP6, 35),
        (0x21, UNIX_DATAGRAM, 215),
        (0x21, TCP4, MAX_HEADER),
    ] {
        let bytes = binary_header(version_and_command, family, &vec![0; len]);
        assert_eq!(header(&bytes), Header::Invalid);
        // It takes no more than what tells so.
        assert_eq!(header(&bytes[..FIXED]), Header::Invalid);
    }
}

proptest! {
    #[test]
    fn an_address_comes_through_whole(
        source: (u128, u16),
        target: (u128, u16),
        is_v6: bool,
        is_text: bool,
        behind in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let address = |(bits, port): (u128, u16)| {
            let ip = if is_v6 {
                IpAddr::V6(bits.into())
            } else {
                IpAddr::V4((bits as u32).into())
            };
            SocketAddr::new(ip, port)
        };
        let (source, target) = (address(source), address(target));
        let mut bytes = if is_text {
            let family = if is_v6 { "TCP6" } else { "TCP4" };
            let (from, to) = (source.ip(), target.ip());
            let ports = (source.port(), target.port());
            format!("PROXY {family} {from} {to} {} {}\r\n", ports.0, ports.1).into_bytes()
        } else {
            let (family, rest) = addresses(source, target);
            binary_header(0x21, family, &rest)
        };
        let len = bytes.len();
        bytes.extend(behind);
        prop_assert_eq!(header(&bytes), Header::Whole { len, source: Some(source) });
        for cut in 0..len {
            prop_assert_eq!(header(&bytes[..cut]), Header::More);
        }
    }

    #[test]
    fn more_bytes_do_not_change_a_decision(
        is_binary: bool,
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let start = if is_binary { SIGNATURE } else { b"PROXY " };
        let bytes = [start, &bytes].concat();
        let last = header(&bytes);
        for cut in 0..bytes.len() {
            let earlier = header(&bytes[..cut]);
            prop_assert!(earlier == Header::More || earlier == last);
        }
        if let Header::Whole { len, .. } = last {
            prop_assert!(len <= bytes.len() && len <= MAX_HEADER);
        }
    }
}
