//! The HTTP answers of the listener, as the wrapper would have Node write them.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::event::Body;
use crate::proto::frame;

use super::policy::{Policy, Route};
use super::request::{Encoding, Request};

/// The answer that accepts a WebSocket.
pub fn switching(route: &Route, request: &Request, key: &str) -> String {
    let mut out = Vec::with_capacity(192);
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(frame::accept_key(key).as_bytes());
    out.extend_from_slice(b"\r\n");
    route.cors.write(&mut out, request.origin.as_deref());
    out.extend_from_slice(b"\r\n");
    // An origin outside of ASCII is sent as it came only if it is UTF-8; no browser has one.
    String::from_utf8_lossy(&out).into_owned()
}

/// The answer to a polling request. `sid` is given at the handshake, for the cookie.
pub fn polling(
    policy: &Policy,
    route: &Route,
    request: &Request,
    sid: Option<&str>,
    status: u16,
    body: &Body,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(match status {
        200 => &b"HTTP/1.1 200 OK\r\n"[..],
        _ => b"HTTP/1.1 400 Bad Request\r\n",
    });
    route.cors.write(&mut out, request.origin.as_deref());
    let (kind, bytes, compress) = match body {
        Body::Text { text, compress } => ("text/plain; charset=UTF-8", text.as_bytes(), *compress),
        Body::Binary { data, compress } => ("application/octet-stream", &data[..], *compress),
        Body::Ok => ("text/html", &b"ok"[..], false),
        Body::Empty | Body::Refused(_) => ("", &[][..], false),
    };
    let packed = match route.compression {
        Some(compression)
            if compress
                && request.encoding == Encoding::Gzip
                && bytes.len() >= compression.threshold =>
        {
            super::gzip::gzip(bytes)
        }
        _ => None,
    };
    if !kind.is_empty() {
        header(&mut out, "Content-Type", kind);
        if packed.is_some() {
            header(&mut out, "Content-Encoding", "gzip");
        }
        let length = packed.as_ref().map_or(bytes.len(), Vec::len);
        header(&mut out, "Content-Length", itoa::Buffer::new().format(length));
        header(&mut out, "cache-control", "no-store");
        if let (Some(sid), Some((before, after))) = (sid, &route.cookie) {
            out.extend_from_slice(b"Set-Cookie: ");
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(sid.as_bytes());
            out.extend_from_slice(after.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    } else {
        header(&mut out, "Content-Length", "0");
    }
    finish_head(&mut out, policy, request.close);
    out.extend_from_slice(packed.as_deref().unwrap_or(bytes));
    out
}

/// What is answered when too many handshakes are under way.
pub fn overloaded() -> Vec<u8> {
    let mut out = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n".to_vec();
    header(&mut out, "Content-Length", "0");
    date(&mut out);
    out.extend_from_slice(b"Connection: close\r\n\r\n");
    out
}

/// What is answered when a request takes too long to arrive; Node answers the same.
pub const TOO_LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";

/// How long connections are kept of which Node says that there is no limit.
const FOREVER: Duration = Duration::from_millis(i32::MAX as u64);

fn finish_head(out: &mut Vec<u8>, policy: &Policy, close: bool) {
    date(out);
    if close {
        out.extend_from_slice(b"Connection: close\r\n\r\n");
    } else {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
        if policy.keep_alive < FOREVER {
            out.extend_from_slice(b"Keep-Alive: timeout=");
            let seconds = policy.keep_alive.as_secs();
            out.extend_from_slice(itoa::Buffer::new().format(seconds).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn date(out: &mut Vec<u8>) {
    thread_local! {
        /// The second, and its name. Most answers are given in the same second as the one before.
        static LAST: RefCell<(u64, String)> = RefCell::new((0, http_date(0)));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|(second, name)| {
        if *second != now {
            (*second, *name) = (now, http_date(now));
        }
        header(out, "Date", name);
    });
}

/// A time in the form of RFC 9110, 5.6.7.
fn http_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = seconds / 86_400;
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let weekday = DAYS.get((days % 7) as usize).unwrap_or(&"Thu");
    let month = MONTHS.get(month).unwrap_or(&"Jan");
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month from 0 and day of a day since 1970, counted in years that begin in March.
fn civil(days: u64) -> (u64, usize, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12;
    let year = year + era * 400 + u64::from(month < 2);
    (year, month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(http_date(4_102_444_799), "Thu, 31 Dec 2099 23:59:59 GMT");
    }
}
