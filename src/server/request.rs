//! Reads the head of a request and says what it asks for. Only what is beyond doubt a well-formed
//! request of Engine.IO's fourth revision, and needs no answer but the usual one, is ours: all
//! else is for Node's parser, which sees the bytes as they came.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use httparse::{EMPTY_HEADER, Header, Status};
use memchr::{memchr_iter, memmem};

use crate::shard::Sid;

use super::policy::{Policy, Route};

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// More bytes have to come before this can be said.
    More,
    /// Not ours.
    Foreign,
    /// Ours.
    Ours(Request),
}

/// A request that is served here.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Bytes of its head.
    pub len: usize,
    /// Which of the policy's routes it is for.
    pub route: usize,
    /// What it asks for.
    pub kind: Kind,
    /// The client wants the connection closed after the answer.
    pub close: bool,
    /// Where the page comes from that makes the request.
    pub origin: Option<Vec<u8>>,
    /// The client takes gzip.
    pub encoding: Encoding,
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are named after what the request calls them")]
pub enum Kind {
    /// A new connection over WebSocket.
    OpenWebSocket { key: String },
    /// A new connection over polling.
    OpenPolling,
    /// A GET of a connection.
    Poll { sid: Sid },
    /// A POST of a connection.
    Post { sid: Sid, length: usize },
    /// A WebSocket for a connection that is on polling.
    Upgrade { sid: Sid, key: String },
}

impl Kind {
    /// True when the connection becomes a WebSocket.
    pub fn is_for_web_socket(&self) -> bool {
        matches!(self, Self::OpenWebSocket { .. } | Self::Upgrade { .. })
    }
}

/// The encoding that an answer may have.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// None but its own.
    #[default]
    Identity,
    /// gzip.
    Gzip,
    /// Something that has to be weighed: asked for with weights, or other encodings.
    Unclear,
}

/// Longest head that is read here: Node's own limit.
pub const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// Looks at what has come of a request.
pub fn look(bytes: &[u8], policy: &Policy) -> Look {
    if !may_concern(bytes, policy) {
        return Look::Foreign;
    }
    let Some(len) = head_len(bytes) else {
        let may_become_one = bytes.len() < policy.max_head && !has_bare_break(bytes);
        return if may_become_one { Look::More } else { Look::Foreign };
    };
    match bytes.get(..len).filter(|_| len <= policy.max_head).and_then(|head| read(head, policy)) {
        Some(request) => Look::Ours(request),
        None => Look::Foreign,
    }
}

/// False as soon as the first bytes show that the request is for no route.
fn may_concern(bytes: &[u8], policy: &Policy) -> bool {
    [&b"GET "[..], b"POST "].iter().any(|method| {
        let Some(target) = bytes.strip_prefix(*method) else {
            return method.starts_with(bytes);
        };
        policy.routes.iter().any(|route| {
            let path = route.path.as_bytes();
            target.starts_with(path) || path.starts_with(target)
        })
    })
}

fn head_len(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

fn read(head: &[u8], policy: &Policy) -> Option<Request> {
    if !has_plain_lines(head) {
        return None;
    }
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head) {
        Ok(Status::Complete(len)) if len == head.len() => {}
        _ => return None,
    }
    let (method, target) = (parsed.method?, parsed.path?);
    if parsed.version != Some(1) || !target.bytes().all(|c| c.is_ascii_graphic() && c != b'#') {
        return None;
    }
    let (path, query) = target.split_once('?')?;
    let concerned = policy.routes.iter().enumerate();
    let route = only(concerned.filter(|(_, route)| path.starts_with(&route.path)))?;
    if route.1.path != path {
        return None;
    }
    let query = Query::parse(query)?;
    let fields = Fields::read(parsed.headers)?;
    if fields.encoding == Encoding::Unclear && route.1.compression.is_some() {
        return None;
    }
    let kind = kind_of(method, &query, &fields, route.1)?;
    Some(Request {
        len: head.len(),
        route: route.0,
        kind,
        close: fields.close,
        origin: fields.origin.map(<[u8]>::to_vec),
        encoding: fields.encoding,
    })
}

/// A line that ends without a carriage return.
fn has_bare_break(bytes: &[u8]) -> bool {
    memchr_iter(b'\n', bytes).any(|at| at > 0 && bytes.get(at - 1) != Some(&b'\r'))
}

/// Every line ends as it should, and none goes on in the next.
fn has_plain_lines(head: &[u8]) -> bool {
    let follows = |at: usize| head.get(at + 1) == Some(&b'\n');
    memchr_iter(b'\r', head).all(follows)
        && memchr_iter(b'\r', head).count() == memchr_iter(b'\n', head).count()
}

fn kind_of(method: &str, query: &Query, fields: &Fields<'_>, route: &Route) -> Option<Kind> {
    let has_body = fields.length.is_some_and(|length| length > 0);
    match (method, query.transport, query.sid) {
        ("GET", Transport::WebSocket, sid) if fields.upgrades && !has_body => {
            let key = fields.key?;
            let sound = key.len() == 24 && STANDARD.decode(key).is_ok_and(|key| key.len() == 16);
            let negotiates =
                fields.offers_subprotocols || (fields.offers_extensions && route.deflate);
            if !sound || fields.version != Some(b"13") || negotiates {
                return None;
            }
            let key = String::from_utf8(key.to_vec()).ok()?;
            match sid {
                None if route.websocket => Some(Kind::OpenWebSocket { key }),
                Some(sid) if route.upgrade => Some(Kind::Upgrade { sid, key }),
                _ => None,
            }
        }
        _ if fields.has_upgrade || !route.polling => None,
        ("GET", Transport::Polling, None) if !has_body => Some(Kind::OpenPolling),
        ("GET", Transport::Polling, Some(sid)) if !has_body => Some(Kind::Poll { sid }),
        ("POST", Transport::Polling, Some(sid)) if fields.is_text => {
            let length = fields.length?;
            let fits = route.config.max_payload().is_none_or(|limit| length as u64 <= limit);
            (fits && length <= MAX_BODY).then_some(Kind::Post { sid, length })
        }
        _ => None,
    }
}

/// Longest body that is read here, whatever the engine allows.
const MAX_BODY: usize = 8 << 20;

#[derive(Clone, Copy)]
enum Transport {
    Polling,
    WebSocket,
}

/// The parameters of Engine.IO.
struct Query {
    transport: Transport,
    sid: Option<Sid>,
}

impl Query {
    /// Nothing unless it is of the fourth revision and asks for nothing out of the ordinary. As in
    /// JavaScript, the last of several parameters of a name counts.
    fn parse(query: &str) -> Option<Self> {
        let mut revision = None;
        let mut transport = None;
        let mut sid = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "EIO" => revision = Some(value),
                "transport" => transport = Some(value),
                "sid" => sid = Some(value),
                // Clients that take no binary data, or read answers through script elements.
                "b64" | "j" => return None,
                _ => {}
            }
        }
        if revision.as_deref() != Some("4") {
            return None;
        }
        let transport = match transport.as_deref() {
            Some("polling") => Transport::Polling,
            Some("websocket") => Transport::WebSocket,
            _ => return None,
        };
        let sid = match sid {
            None => None,
            Some(sid) => Some(sid.as_bytes().try_into().ok()?),
        };
        Some(Self { transport, sid })
    }
}

/// What the headers say, as far as it matters.
#[derive(Default)]
struct Fields<'a> {
    /// `Upgrade: websocket`, and `Connection` says so.
    upgrades: bool,
    has_upgrade: bool,
    key: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    /// Subprotocols are offered.
    offers_subprotocols: bool,
    offers_extensions: bool,
    length: Option<usize>,
    /// The body's type is one of text, or is not given.
    is_text: bool,
    close: bool,
    origin: Option<&'a [u8]>,
    encoding: Encoding,
}

impl<'a> Fields<'a> {
    fn read(headers: &[Header<'a>]) -> Option<Self> {
        let mut fields = Self { is_text: true, ..Self::default() };
        let mut hosts = 0;
        let mut connection_upgrade = false;
        let mut upgrade = None;
        let mut types = None;
        for header in headers {
            let value = header.value;
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("host") {
                hosts += 1;
            } else if is("connection") {
                for token in value.split(|c| *c == b',') {
                    let token = token.trim_ascii();
                    connection_upgrade |= token.eq_ignore_ascii_case(b"upgrade");
                    fields.close |= token.eq_ignore_ascii_case(b"close");
                }
            } else if is("upgrade") {
                once(&mut upgrade, value)?;
            } else if is("sec-websocket-key") {
                once(&mut fields.key, value)?;
            } else if is("sec-websocket-version") {
                once(&mut fields.version, value)?;
            } else if is("sec-websocket-protocol") {
                fields.offers_subprotocols = true;
            } else if is("sec-websocket-extensions") {
                fields.offers_extensions = true;
            } else if is("content-length") {
                once(&mut fields.length, length(value)?)?;
            } else if is("content-type") {
                once(&mut types, ())?;
                fields.is_text = !value.eq_ignore_ascii_case(b"application/octet-stream");
            } else if is("origin") {
                if value.is_empty() || value.iter().any(|c| *c < b' ' || *c == 0x7f) {
                    return None;
                }
                once(&mut fields.origin, value)?;
            } else if is("accept-encoding") {
                fields.encoding = encoding(value);
            } else if is("user-agent") {
                // Their answers carry one more header.
                if contains(value, b";MSIE") || contains(value, b"Trident/") {
                    return None;
                }
            } else if is("proxy-connection")
                || is("transfer-encoding")
                || is("expect")
                || is("te")
                || is("trailer")
            {
                return None;
            }
        }
        fields.has_upgrade = upgrade.is_some();
        fields.upgrades = connection_upgrade
            && upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case(b"websocket"));
        (hosts == 1).then_some(fields)
    }
}

fn encoding(value: &[u8]) -> Encoding {
    if contains(value, b";") || contains(value, b"*") {
        return Encoding::Unclear;
    }
    // Of those that the server has, the client's first counts.
    let mut names = value.split(|c| *c == b',').map(<[u8]>::trim_ascii);
    let is = |name: &[u8], known: &[u8]| name.eq_ignore_ascii_case(known);
    match names.find(|name| is(name, b"gzip") || is(name, b"deflate")) {
        Some(name) if is(name, b"gzip") => Encoding::Gzip,
        Some(_) => Encoding::Unclear,
        None => Encoding::Identity,
    }
}

fn contains(value: &[u8], part: &[u8]) -> bool {
    value.windows(part.len()).any(|window| window == part)
}

fn length(value: &[u8]) -> Option<usize> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Notes a value; none may come twice.
fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
