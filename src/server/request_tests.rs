use super::*;
use std::time::Duration;

fn policy() -> Policy {
    Policy {
        routes: vec![Route::open_to_all("/socket.io/")],
        keep_alive: Duration::from_secs(5),
        max_head: MAX_HEAD,
        ..Policy::default()
    }
}

fn get(query: &str, headers: &str) -> String {
    format!("GET /socket.io/?{query} HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

fn kind(request: &str) -> Option<Kind> {
    match look(request.as_bytes(), &policy()) {
        Look::Ours(request) => Some(request.kind),
        _ => None,
    }
}

const WEBSOCKET: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const SID: &str = "abcdefghijklmnopqrst";

fn sid() -> Sid {
    SID.as_bytes().try_into().expect("20 bytes")
}

#[test]
fn the_usual_requests_are_ours() {
    let open = kind(&get("EIO=4&transport=websocket", WEBSOCKET));
    assert_eq!(open, Some(Kind::OpenWebSocket { key: KEY.into() }));
    let upgrade = kind(&get(&format!("EIO=4&transport=websocket&sid={SID}"), WEBSOCKET));
    assert_eq!(upgrade, Some(Kind::Upgrade { sid: sid(), key: KEY.into() }));
    assert_eq!(kind(&get("EIO=4&transport=polling&t=abc", "")), Some(Kind::OpenPolling));
    let poll = kind(&get(&format!("transport=polling&EIO=4&sid={SID}"), ""));
    assert_eq!(poll, Some(Kind::Poll { sid: sid() }));
    let post = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={SID} HTTP/1.1\r\nHost: a\r\n\
         Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 2\r\n\r\n"
    );
    assert_eq!(kind(&post), Some(Kind::Post { sid: sid(), length: 2 }));
}

#[test]
fn any_part_of_a_request_of_ours_asks_for_more() {
    let whole = get("EIO=4&transport=polling", "");
    for end in 0..whole.len() {
        assert_eq!(look(&whole.as_bytes()[..end], &policy()), Look::More, "{end} bytes");
    }
    let Look::Ours(request) = look(format!("{whole}GET /next").as_bytes(), &policy()) else {
        panic!("what follows is another request's")
    };
    assert_eq!(request.len, whole.len());
}

#[test]
fn other_requests_are_known_by_their_first_bytes() {
    for start in ["P", "PU", "DELETE", "GET /a", "GET /socket.ia", "\x16\x03\x01", "GET  "] {
        let expected = if "POST ".starts_with(start) { Look::More } else { Look::Foreign };
        assert_eq!(look(start.as_bytes(), &policy()), expected, "{start:?}");
    }
}

#[test]
fn what_is_out_of_the_ordinary_is_not_ours() {
    let long = format!("X: {}\r\n", "x".repeat(MAX_HEAD));
    let strange = [
        get("EIO=3&transport=polling", ""),
        get("transport=polling", ""),
        get("EIO=4&transport=flashsocket", ""),
        get("EIO=4&transport=polling&j=1", ""),
        get("EIO=4&transport=polling&b64=1", ""),
        get("EIO=4&transport=polling&sid=short", ""),
        get("EIO=4&transport=polling", "Content-Length: 3\r\n"),
        get("EIO=4&transport=polling", "Expect: 100-continue\r\n"),
        get("EIO=4&transport=polling", "Transfer-Encoding: chunked\r\n"),
        get("EIO=4&transport=polling", "Host: b\r\n"),
        get("EIO=4&transport=polling", "X: a\n"),
        get("EIO=4&transport=polling", "X: a\r\n folded\r\n"),
        get("EIO=4&transport=polling", "X : a\r\n"),
        get("EIO=4&transport=polling", "Upgrade: h2c\r\nConnection: Upgrade\r\n"),
        get("EIO=4&transport=polling", &long),
        get("EIO=4&transport=websocket", ""),
        get("EIO=4&transport=websocket", &WEBSOCKET.replace("13", "8")),
        get("EIO=4&transport=websocket", &WEBSOCKET.replace(KEY, "short")),
        get("EIO=4&transport=websocket", &format!("{WEBSOCKET}Sec-WebSocket-Protocol: a\r\n")),
        get("EIO=4&transport=polling", "").replace("HTTP/1.1", "HTTP/1.0"),
        get("EIO=4&transport=polling", "").replace("Host: a\r\n", ""),
        get("EIO=4&transport=polling", "").replace("/?", "/socket.io.js?"),
        get("EIO=4&transport=polling", "").replace("/?", "//?"),
        get("EIO=4&transport=polling", "").replace("GET /", "GET http://a/"),
    ];
    for request in strange {
        assert_eq!(look(request.as_bytes(), &policy()), Look::Foreign, "{request}");
    }
}

#[test]
fn a_post_that_is_too_long_or_of_unknown_length_is_not_ours() {
    let post = |length: &str| {
        kind(&format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={SID} HTTP/1.1\r\nHost: a\r\n{length}\r\n"
        ))
    };
    assert!(post("Content-Length: 1000000\r\n").is_some());
    assert_eq!(post("Content-Length: 1000001\r\n"), None);
    assert_eq!(post("Content-Length: -1\r\n"), None);
    assert_eq!(post("Content-Length: 1\r\nContent-Length: 1\r\n"), None);
    assert_eq!(post("Content-Length: 1\r\nContent-Type: application/octet-stream\r\n"), None);
    assert_eq!(post(""), None);
}

#[test]
fn paths_that_begin_alike_leave_the_choice_to_node() {
    let policy = Policy {
        routes: vec![Route::open_to_all("/"), Route::open_to_all("/socket.io/")],
        ..policy()
    };
    let request = get("EIO=4&transport=polling", "");
    assert_eq!(look(request.as_bytes(), &policy), Look::Foreign);
}

#[test]
fn the_policy_is_kept_to() {
    let mut policy = policy();
    policy.routes[0].websocket = false;
    let request = get("EIO=4&transport=websocket", WEBSOCKET);
    assert_eq!(look(request.as_bytes(), &policy), Look::Foreign);
    policy.routes[0].polling = false;
    let request = get("EIO=4&transport=polling", "");
    assert_eq!(look(request.as_bytes(), &policy), Look::Foreign);
}

#[test]
fn encodings_with_weights_are_left_to_others() {
    assert_eq!(encoding(b"gzip, deflate, br"), Encoding::Gzip);
    assert_eq!(encoding(b"deflate"), Encoding::Unclear);
    assert_eq!(encoding(b"gzip;q=0"), Encoding::Unclear);
    assert_eq!(encoding(b"br"), Encoding::Identity);
}
