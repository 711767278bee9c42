//! A whole connection: what a client sends over polling, a WebSocket and a probe, mixed with what
//! the application does, and time. Whatever the order, JavaScript gets batches that it can read,
//! every request one answer, every stream one end, and the session one end; and what is written
//! to a stream are whole frames, with nothing behind a close frame.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use ferrio::config::{ConfigKey, EngineConfig};
use ferrio::event::{CloseReason, Extra, Port};
use ferrio::metrics::Metrics;
use ferrio::proto::deflate::{Agreement, Settings};
use ferrio::proto::engine::{Body, PacketType, Revision, decode_payload};
use ferrio::session::{Context, Identity, Session};
use ferrio::transport::{BridgeFlow, Group, Packet, Parcel, Polling, Stream, WebSocket};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    is_old: bool,
    starts_on_polling: bool,
    supports_binary: bool,
    is_jsonp: bool,
    base64: bool,
    deflate: bool,
    max_payload: u16,
    max_backpressure: u16,
    rate: Option<(u8, u16, bool)>,
    /// With each: whether the round ends after it.
    steps: Vec<(bool, Step<'a>)>,
}

#[derive(Debug, Arbitrary)]
enum Step<'a> {
    /// The flag chooses between the latest WebSocket and the first, here and below.
    Say(bool, Word),
    Frame(bool, u8, &'a [u8]),
    Bytes(bool, &'a [u8]),
    StreamEnd(bool),
    Written(bool),
    Probe,
    Poll,
    PollAborted,
    Post(bool, &'a [u8]),
    PostWords(Vec<Word>),
    Attachment(bool),
    Connect(bool),
    Disconnect(bool),
    Send {
        text: &'a str,
        attachment: Option<&'a [u8]>,
        volatile: bool,
        tick: u8,
        compress: bool,
    },
    /// To several clients at once, and so many emits in one.
    SendShared {
        texts: Vec<&'a str>,
        attachment: Option<&'a [u8]>,
        volatile: bool,
        tick: u8,
    },
    Close(bool),
    ClosePolled,
    CloseTimeout(u8),
    Fail(Option<&'a [u8]>),
    NotifyDrain,
    Raw(bool),
    Watched(bool),
    LeaveRequests,
    WatchFrames,
    Beat,
    Waiting,
    Pause(bool),
    Resume(bool),
    Sleep(u16),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Word {
    ProbePing,
    Upgrade,
    Ping,
    Pong,
    Close,
    Noop,
    Event,
    EventOfChat,
    Ack,
    TwoAttachments,
    Connect,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Self::ProbePing => "2probe",
            Self::Upgrade => "5",
            Self::Ping => "2",
            Self::Pong => "3",
            Self::Close => "1",
            Self::Noop => "6",
            Self::Event => "42[\"a\",1]",
            Self::EventOfChat => "42/chat,7[\"a\"]",
            Self::Ack => "431[]",
            Self::TwoAttachments => {
                "452-[\"a\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"
            }
            Self::Connect => "40",
        }
    }
}

/// A client's frame with a mask that changes nothing.
fn frame(first: u8, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u8::try_from(data.len()).ok().filter(|len| *len < 126) {
        Some(len) => frame.push(0x80 | len),
        None => {
            frame.push(0x80 | 126);
            frame.extend((data.len() as u16).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(data);
    frame
}

/// A Socket.IO text. JSON has no separator of revision 4 in it: it is written as an escape.
fn message(text: &str) -> Packet {
    Packet::text(PacketType::Message, &[text.replace('\x1e', "").as_bytes()])
}

struct Bench {
    ctx: Context,
    session: Session,
    port: Arc<Port>,
    /// Links that were given to the session, and how many.
    links: u32,
    requests: u32,
    /// The latest GET.
    poll: u32,
    aborted: BTreeSet<u32>,
    seen: Seen,
}

/// What JavaScript was told.
#[derive(Default)]
struct Seen {
    is_jsonp: bool,
    revision: Option<Revision>,
    closed: u32,
    upgraded: u32,
    answered: BTreeSet<u32>,
    written: BTreeMap<u32, Vec<u8>>,
    ended: BTreeSet<u32>,
}

const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
const HANDLE: u32 = 5;
/// Bytes that JavaScript reports as written, at most as many as it was given.
const BRIDGE_REPORT: usize = 16 * 1024;

fn web_socket(input: &Input<'_>, link: u32) -> WebSocket {
    let agreement = input.deflate.then(|| Agreement {
        settings: Settings::new(9, 1, 1, 0),
        threshold: 0,
        peer_window_bits: 15,
        peer_takes_context_over: true,
    });
    let stream = Stream::Bridge(BridgeFlow::default());
    let mut ws = WebSocket::new(link, stream, Some(input.max_payload.into()), agreement);
    ws.base64 = input.base64;
    ws
}

impl Bench {
    fn new(input: &Input<'_>) -> Self {
        let config = EngineConfig::new();
        config.set(ConfigKey::PingInterval, 300);
        config.set(ConfigKey::PingTimeout, 200);
        config.set(ConfigKey::UpgradeTimeout, 250);
        config.set(ConfigKey::MaxPayload, input.max_payload.into());
        config.set(ConfigKey::MaxBackpressure, input.max_backpressure.into());
        if let Some((events, bytes, disconnects)) = input.rate {
            config.set(ConfigKey::RateEvents, events.into());
            config.set(ConfigKey::RateBytes, bytes.into());
            config.set(ConfigKey::RateDisconnects, disconnects.into());
        }
        let mut ctx = Context::new(tokio::time::Instant::now(), Arc::new(Metrics::default()));
        let port = Arc::new(Port::new(|| {}));
        ctx.add_port(0, port.clone());
        let revision = if input.is_old { Revision::V3 } else { Revision::V4 };
        let config = Arc::new(config);
        let identity = Identity { key: 0, handle: HANDLE, port: 0, config, revision };
        let is_jsonp = input.starts_on_polling && input.is_jsonp;
        let (session, links) = if input.starts_on_polling {
            let jsonp = is_jsonp.then(|| "0".to_owned());
            let polling = Polling { pending: None, supports_binary: input.supports_binary, jsonp };
            (Session::polling(&mut ctx, identity, polling), 0)
        } else {
            let ws = web_socket(input, 1);
            (Session::websocket(&mut ctx, identity, ws, RESPONSE.into(), "{}"), 1)
        };
        let seen = Seen { is_jsonp, revision: Some(revision), ..Seen::default() };
        let aborted = BTreeSet::new();
        Self { ctx, session, port, links, requests: 0, poll: 0, aborted, seen }
    }

    fn link(&self, is_latest: bool) -> u32 {
        if is_latest { self.links } else { 1 }
    }

    fn request(&mut self) -> u32 {
        self.requests += 1;
        self.requests
    }

    /// As a shard does: nothing is asked of a session that is closed.
    fn take(&mut self, input: &Input<'_>, step: &Step<'_>) {
        if self.session.is_closed() {
            return;
        }
        match step {
            Step::Say(latest, word) => {
                self.bytes(*latest, frame(0x81, word.text().as_bytes()));
            }
            Step::Frame(latest, first, data) => self.bytes(*latest, frame(*first, data)),
            Step::Bytes(latest, data) => self.bytes(*latest, data.to_vec()),
            Step::StreamEnd(latest) => {
                let link = self.link(*latest);
                self.session.on_stream_end(&mut self.ctx, link);
            }
            Step::Written(latest) => {
                let link = self.link(*latest);
                self.session.on_bridge_written(&mut self.ctx, link, BRIDGE_REPORT);
            }
            Step::Probe => {
                self.links += 1;
                let ws = web_socket(input, self.links);
                self.session.on_probe(&mut self.ctx, ws, RESPONSE.into());
            }
            Step::Poll => {
                self.poll = self.request();
                self.session.on_poll(&mut self.ctx, self.poll);
            }
            Step::PollAborted => {
                if self.session.is_polled() {
                    self.aborted.insert(self.poll);
                }
                self.session.on_poll_aborted(&mut self.ctx, self.poll);
            }
            Step::Post(binary, body) => {
                let request = self.request();
                self.session.on_post(&mut self.ctx, request, body.to_vec(), *binary);
            }
            Step::PostWords(words) => {
                let request = self.request();
                let text = |word: &Word| match self.seen.revision {
                    Some(Revision::V3) => format!("{}:{}", word.text().len(), word.text()),
                    _ => format!("{}\x1e", word.text()),
                };
                let body = words.iter().map(text).collect::<String>();
                let body = body.trim_end_matches('\x1e').as_bytes().to_vec();
                self.session.on_post(&mut self.ctx, request, body, false);
            }
            Step::Attachment(latest) => self.bytes(*latest, frame(0x82, &[4, 0xff])),
            Step::Connect(is_chat) => {
                let name = if *is_chat { "/chat" } else { "/" };
                self.session.inbound().connect((*is_chat).into(), name.into());
            }
            Step::Disconnect(is_chat) => self.session.inbound().disconnect((*is_chat).into()),
            Step::Send { text, attachment, volatile, tick, compress } => {
                let packet = message(text);
                let packet = if *compress { packet } else { packet.uncompressed() };
                let attachment = attachment.map(Packet::binary);
                let packets = std::iter::once(packet).chain(attachment).collect();
                self.session.send(&mut self.ctx, packets, *volatile, (*tick).into());
            }
            Step::SendShared { texts, attachment, volatile, tick } => {
                let emits = texts.len().max(1) as u64;
                let packets: Group = texts
                    .iter()
                    .map(|text| message(text))
                    .chain(attachment.map(Packet::binary))
                    .collect();
                self.ctx.codec.begin_broadcast();
                let parcel = Parcel::new(&packets, emits);
                self.session.send_shared(&mut self.ctx, &parcel, *volatile, (*tick).into());
                self.ctx.codec.end_broadcast();
            }
            Step::Close(discard) => self.session.close(&mut self.ctx, *discard),
            Step::ClosePolled => {
                let waited = self.session.is_polled();
                let told = self.session.close_polled(&mut self.ctx);
                assert!(!told || (waited && self.session.is_closed()));
            }
            Step::CloseTimeout(ms) => {
                let timeout = Duration::from_millis((*ms).into());
                self.session.set_close_timeout(&mut self.ctx, timeout);
            }
            Step::Fail(close) => {
                let close = close.map(|close| close[..close.len().min(125)].to_vec());
                self.session.fail(&mut self.ctx, CloseReason::ParseError, Some("\"\n"), close);
            }
            Step::NotifyDrain => self.session.notify_drain(&mut self.ctx),
            Step::Raw(raw) => self.session.inbound().set_raw(&mut self.ctx, *raw),
            Step::Watched(watched) => self.session.set_watched(&mut self.ctx, *watched),
            Step::LeaveRequests => self.session.leave_requests(&mut self.ctx),
            Step::WatchFrames => self.session.inbound().watch_frames(),
            Step::Beat => self.session.inbound().on_heartbeat(&mut self.ctx),
            Step::Waiting => {
                self.session.waiting(&mut self.ctx);
            }
            Step::Pause(is_latest) => {
                let link = self.link(*is_latest);
                self.session.pause(link);
            }
            Step::Resume(is_latest) => {
                let link = self.link(*is_latest);
                self.session.resume(&mut self.ctx, link);
            }
            Step::Sleep(ms) => self.sleep(Duration::from_millis((*ms).into())),
        }
    }

    fn sleep(&mut self, time: Duration) {
        self.ctx.now += time;
        while let Some((due, _, kind)) = self.ctx.pop_due() {
            if !self.session.is_closed() {
                self.session.on_timer(&mut self.ctx, kind, due);
            }
        }
    }

    fn bytes(&mut self, is_latest: bool, mut bytes: Vec<u8>) {
        let link = self.link(is_latest);
        self.session.on_bytes(&mut self.ctx, link, &mut bytes);
    }

    fn end_round(&mut self) {
        while !std::mem::take(&mut self.ctx.dirty).is_empty() {
            if !self.session.is_closed() {
                self.session.flush(&mut self.ctx);
            }
        }
        self.ctx.flush_events();
        while !self.port.is_empty() {
            let (text, extras) = self.port.drain().into_parts();
            self.seen.read(&text, extras);
        }
    }

    fn finish(mut self) {
        if !self.session.is_closed() {
            self.session.close(&mut self.ctx, true);
        }
        if !self.session.is_closed() {
            // In the middle of an upgrade it waits for that, and that has a limit.
            self.sleep(Duration::from_secs(3_600));
        }
        assert!(self.session.is_closed());
        self.end_round();
        let Self { seen, aborted, ctx, .. } = self;
        assert_eq!(seen.closed, 1);
        assert!(seen.upgraded <= 1);
        for request in 1..=self.requests {
            let (is_answered, is_aborted) =
                (seen.answered.contains(&request), aborted.contains(&request));
            assert!(is_answered != is_aborted, "request {request}: {is_answered}");
        }
        for link in 1..=self.links {
            assert!(seen.ended.contains(&link), "link {link} has ended");
        }
        for (link, bytes) in &seen.written {
            check_frames(bytes.strip_prefix(RESPONSE.as_bytes()).expect("the handshake"), *link);
        }
        let metrics = &ctx.metrics;
        assert_eq!((metrics.websockets.get(), metrics.pollings.get()), (0, 0));
        assert_eq!(metrics.closed.iter().map(|counter| counter.get()).sum::<u64>(), 1);
    }
}

fn check_frames(mut bytes: &[u8], link: u32) {
    while let [first, second, rest @ ..] = bytes {
        let (len, rest) = match second {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => panic!("nothing was that long"),
            len => (usize::from(*len), rest),
        };
        assert!(matches!(first & 0x8f, 0x81 | 0x82 | 0x88 | 0x89 | 0x8a), "link {link}");
        let (data, behind) = rest.split_at_checked(len).expect("a whole frame");
        if *first == 0x81 {
            assert!(std::str::from_utf8(data).is_ok());
        }
        if *first == 0x88 {
            assert!(behind.is_empty(), "nothing follows a close frame");
        }
        bytes = behind;
    }
    assert!(bytes.is_empty());
}

impl Seen {
    fn read(&mut self, text: &str, extras: Vec<Extra>) {
        // Whatever is in them, the values can be told apart.
        let values: Vec<&RawValue> = serde_json::from_str(text).expect("a JSON array");
        let mut values = values.into_iter().map(RawValue::get);
        let mut extras = extras.into_iter();
        let mut number = {
            let mut is_chunk = false;
            move |values: &mut dyn Iterator<Item = &str>| -> Option<i64> {
                loop {
                    let number = values.next()?.parse().expect("a number");
                    if number >= 0 {
                        assert!(is_chunk, "a record of no session");
                        return Some(number);
                    }
                    assert_eq!(number, -i64::from(HANDLE) - 1);
                    is_chunk = true;
                }
            }
        };
        while let Some(kind) = number(&mut values) {
            let mut field = || values.next().expect("a field");
            match kind {
                0 | 1 => {
                    let (_ordinal, id, attachments) = (field(), field(), field());
                    assert!(kind == 0 || id != "-1");
                    assert!(field().starts_with('['));
                    for _ in 0..attachments.parse::<usize>().expect("a number") {
                        assert!(matches!(extras.next(), Some(Extra::Binary(_))));
                    }
                }
                2 => assert!(matches!(extras.next(), Some(Extra::Text(_)))),
                3 => assert!(matches!(extras.next(), Some(Extra::Binary(_)))),
                4 => {
                    assert!(field().starts_with('"'));
                    let description = field();
                    assert!(description == "null" || description.starts_with('"'));
                    self.closed += 1;
                }
                5 => self.upgraded += 1,
                6 | 9 | 14 | 15 | 17 => {
                    field().parse::<u32>().expect("a number");
                }
                7 | 8 => {}
                10 => {
                    let request = field().parse().expect("a number");
                    assert!(self.answered.insert(request), "one answer");
                    let status = field();
                    match field() {
                        "0" | "3" => {}
                        "4" => assert_eq!((status, field()), ("400", "3")),
                        body => self.read_body(body, extras.next()),
                    }
                }
                11 => {
                    let link = field().parse().expect("a number");
                    assert!(!self.ended.contains(&link), "written after the end");
                    let Some(Extra::Binary(data)) = extras.next() else { panic!("bytes") };
                    self.written.entry(link).or_default().extend(data);
                }
                12 => assert!(self.ended.insert(field().parse().expect("a number")), "one end"),
                16 => {
                    assert!(matches!(field(), "8" | "9" | "10"));
                    assert!(matches!(extras.next(), Some(Extra::Binary(_))));
                }
                kind => panic!("no such record: {kind}"),
            }
        }
        assert!(extras.next().is_none(), "every value belongs to a record");
    }

    fn read_body(&self, kind: &str, extra: Option<Extra>) {
        let mut packets = 0;
        let on_packet = |_: ferrio::proto::engine::Packet<'_>| {
            packets += 1;
            ControlFlow::Continue(())
        };
        let revision = self.revision.expect("known");
        let outcome = match (kind, extra) {
            ("1" | "5", Some(Extra::Text(text))) if self.is_jsonp => {
                return assert!(text.starts_with("___eio[0](\"") && text.ends_with("\");"));
            }
            ("1" | "5", Some(Extra::Text(text))) => {
                decode_payload(Body::Text(&text), revision, on_packet)
            }
            ("2" | "6", Some(Extra::Binary(data))) => {
                decode_payload(Body::Binary(&data), revision, on_packet)
            }
            other => panic!("no such body: {other:?}"),
        };
        assert!(outcome.is_ok() && packets > 0, "a client can read it");
    }
}

fuzz_target!(|input: Input<'_>| {
    let mut bench = Bench::new(&input);
    for (ends_round, step) in &input.steps {
        bench.take(&input, step);
        if *ends_round {
            bench.end_round();
        }
    }
    bench.finish();
});
