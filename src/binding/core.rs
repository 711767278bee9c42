//! `Core`: what JavaScript sees of the engine. One per environment and copy of the package.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::*;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, JsString};
use napi_derive::napi;
use smallvec::smallvec;

use super::text::with_utf8;
use crate::config::{ConfigKey, EngineConfig};
use crate::event::{Body, CloseReason, Extra, Port};
use crate::owed::Owed;
use crate::proto::deflate::{Agreement, Settings};
use crate::proto::engine::{PacketType, Revision};
use crate::proto::frame::{self, OpCode};
use crate::session::{Identity, PortId, TOO_SLOW};
use crate::shard::{
    Answer, Barrier, Broadcast, Command, Group, Inline, Link, Open, Pool, Post, Registry, RoomId,
    SessionRef, Start, Unwritten, Upgrade, next_link,
};
use crate::transport::{Packet, Polling};

/// The engine as JavaScript holds it. Sessions are named by small integers ("handles").
#[napi]
pub struct Core {
    pub(super) port: Arc<Port>,
    pub(super) port_id: PortId,
    pub(super) engines: HashMap<u32, Engine>,
    next_engine: u32,
    namespaces: HashMap<u32, Arc<str>>,
    /// The listeners of this environment by number.
    #[cfg(target_os = "linux")]
    pub(super) acceptors: HashMap<u32, Arc<crate::server::Acceptor>>,
    /// Runs the sessions whose bytes pass through JavaScript, once there is one.
    inline: OnceCell<Option<Inline>>,
}

pub(super) struct Engine {
    pub(super) config: Arc<EngineConfig>,
    pub(super) shards: usize,
    /// Sessions that the listener has opened.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is no listener"))]
    pub(super) registry: Arc<Registry>,
}

/// What a handshake over polling is answered with.
#[napi(object)]
pub struct PollingHandshake {
    /// Name of the new session.
    pub handle: u32,
    /// The payload, if it is text.
    pub text: Option<String>,
    /// The payload, if it is binary (revision 3).
    pub data: Option<Buffer>,
}

/// A stream to complete a WebSocket handshake on.
#[napi(object)]
pub struct LinkOptions {
    /// Name of the stream, from `link()`.
    pub id: u32,
    /// Its file descriptor, which is duplicated; absent for a bridged stream.
    pub fd: Option<i32>,
    /// Bytes that were read with the request.
    pub head: Option<Buffer>,
    /// The HTTP answer to the upgrade request.
    pub response: String,
    /// The client takes binary data as base64 in text frames only.
    pub base64: bool,
    /// What it says about compression.
    pub deflate: Option<DeflateOptions>,
}

/// An agreement on permessage-deflate. Sizes of windows are powers of two.
#[napi(object)]
pub struct DeflateOptions {
    /// The window of what is sent, from 8 to 15.
    pub window_bits: u32,
    /// zlib's level from 0 to 9, or -1 for its default.
    pub level: i32,
    /// zlib's memory level from 1 to 9.
    pub mem_level: u32,
    /// zlib's strategy from 0 to 4.
    pub strategy: u32,
    /// Messages of fewer bytes are not compressed.
    pub threshold: f64,
    /// The window of what comes in, from 8 to 15.
    pub peer_window_bits: u32,
    /// The client's messages may refer to earlier ones.
    pub peer_takes_context_over: bool,
}

#[napi]
impl Core {
    /// `wake` is called, at most once until the next `drain()`, when events wait.
    #[napi(constructor, catch_unwind)]
    pub fn new(wake: Function<'_, (), ()>) -> Result<Self> {
        let wake = wake
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .callee_handled::<false>()
            .build()?;
        let port = Arc::new(Port::new(move || {
            wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }));
        let port_id = Pool::global().add_port(port.clone());
        Ok(Self {
            port,
            port_id,
            engines: HashMap::new(),
            next_engine: 0,
            namespaces: HashMap::new(),
            #[cfg(target_os = "linux")]
            acceptors: HashMap::new(),
            inline: OnceCell::new(),
        })
    }

    /// Makes an engine; its sessions are spread over `ioThreads` I/O threads.
    #[napi(catch_unwind)]
    pub fn create_engine(&mut self, io_threads: u32) -> Result<u32> {
        Pool::global().start().map_err(no_thread)?;
        let id = self.next_engine;
        self.next_engine += 1;
        let config = Arc::new(EngineConfig::new());
        let registry = Arc::new(Registry::default());
        self.engines.insert(id, Engine { config, shards: io_threads as usize, registry });
        Ok(id)
    }

    /// Sets an option of an engine: 0 pingInterval, 1 pingTimeout, 2 upgradeTimeout (ms),
    /// 3 maxHttpBufferSize (bytes), 4 maxBackpressure (bytes), rateLimit: 5 events, 6 bytes,
    /// 7 per (ms), 8 disconnects. A value that is no finite number means no limit.
    #[napi(catch_unwind)]
    pub fn set_option(&self, engine: u32, option: u32, value: f64) -> Result<()> {
        let key = match option {
            0 => ConfigKey::PingInterval,
            1 => ConfigKey::PingTimeout,
            2 => ConfigKey::UpgradeTimeout,
            3 => ConfigKey::MaxPayload,
            4 => ConfigKey::MaxBackpressure,
            5 => ConfigKey::RateEvents,
            6 => ConfigKey::RateBytes,
            7 => ConfigKey::RatePer,
            8 => ConfigKey::RateDisconnects,
            _ => return Err(Error::from_reason("unknown option")),
        };
        let value = if value.is_finite() { value.max(0.0) as u64 } else { u64::MAX };
        self.engine(engine)?.config.set(key, value);
        Ok(())
    }

    /// Takes what waits, up to a bound: `[json, extras]`, in the format of `src/event.rs`. For the rest it
    /// wakes JavaScript once more.
    #[napi(catch_unwind)]
    pub fn drain<'env>(&self, env: &'env Env) -> Result<Array<'env>> {
        let batch = match self.running_inline() {
            Some(inline) => inline.drain(&self.port),
            None => self.port.drain(),
        };
        let (text, extras) = batch.into_parts();
        let mut result = env.create_array(2)?;
        result.set(0, env.create_string_from_std(text)?)?;
        let mut list = env.create_array(extras.len() as u32)?;
        for (index, extra) in extras.into_iter().enumerate() {
            let index = index as u32;
            match extra {
                Extra::Text(text) => list.set(index, env.create_string_from_std(text)?)?,
                Extra::Binary(data) if data.len() >= EXTERNAL_FROM => {
                    list.set(index, &BufferSlice::from_data(env, data)?)?;
                }
                Extra::Binary(data) => list.set(index, &BufferSlice::copy_from(env, data)?)?,
            }
        }
        result.set(1, list)?;
        Ok(result)
    }

    /// A name for a stream, unique in the process.
    #[napi(catch_unwind)]
    pub fn link(&self) -> u32 {
        next_link()
    }

    /// Starts a session on polling. `first` are the messages that follow the open packet in the
    /// answer to the handshake. A WebSocket of a session that `is_bridged` has no descriptor.
    #[napi(catch_unwind)]
    #[allow(
        clippy::too_many_arguments,
        reason = "JavaScript passes what it has, without an object"
    )]
    pub fn open_polling(
        &self,
        engine: u32,
        open: String,
        revision: u32,
        supports_binary: bool,
        jsonp: Option<String>,
        first: Vec<Message<'_>>,
        is_bridged: bool,
    ) -> Result<PollingHandshake> {
        let mut group = packets(&first)?;
        group.insert(0, Packet::text(PacketType::Open, &[open.as_bytes()]));
        let polling = Polling { pending: None, supports_binary, jsonp: jsonp.clone() };
        let body = polling.encode(&group, revision_of(revision));
        let start = Start::Polling { supports_binary, jsonp };
        let handle = self.open(engine, String::new(), revision, start, is_bridged)?;
        Ok(match body {
            Body::Text { text, .. } => PollingHandshake { handle, text: Some(text), data: None },
            Body::Binary { data, .. } => {
                PollingHandshake { handle, text: None, data: Some(data.into()) }
            }
            _ => PollingHandshake { handle, text: None, data: None },
        })
    }

    /// Starts a session on WebSocket and returns its handle.
    #[napi(catch_unwind)]
    pub fn open_web_socket(
        &self,
        engine: u32,
        open: String,
        revision: u32,
        link: LinkOptions,
    ) -> Result<u32> {
        let is_bridged = link.fd.is_none();
        self.open(engine, open, revision, Start::WebSocket(link.try_into()?), is_bridged)
    }

    /// A WebSocket that asks to take over from polling.
    #[napi(catch_unwind)]
    pub fn probe(&self, handle: u32, link: LinkOptions) -> Result<()> {
        let session = SessionRef::from_handle(handle);
        if link.fd.is_some() && self.inline_of(session).is_some() {
            return Err(Error::from_reason("the session's bytes pass through JavaScript"));
        }
        let link = link.try_into()?;
        let upgrade = Upgrade { key: session.key, port: self.port_id, handle, link };
        Pool::global().send(session.shard, Command::Probe(Box::new(upgrade)));
        Ok(())
    }

    /// A GET. The answer comes as an event that names `request`.
    #[napi(catch_unwind)]
    pub fn poll(&self, handle: u32, request: u32) {
        let port = self.port_id;
        self.send(handle, |key| Command::Poll { key, port, handle, request });
    }

    /// A POST with its whole body. The answer comes as an event that names `request`.
    #[napi(catch_unwind)]
    pub fn post(&self, handle: u32, request: u32, body: Buffer, binary: bool) {
        let (port, body) = (self.port_id, body.to_vec());
        self.send(handle, |key| {
            Command::Post(Box::new(Post { key, port, handle, request, body, binary }))
        });
    }

    /// The client gave up a GET.
    #[napi(catch_unwind)]
    pub fn abort_poll(&self, handle: u32, request: u32) {
        self.send(handle, |key| Command::PollAborted { key, request });
    }

    /// The function `sendEvent(handle, head, args, flags, tick)`: a Socket.IO packet without attachments,
    /// given as its header (type, namespace, ack id) and the JSON text of its arguments. `flags`:
    /// 1 volatile, 2 not to be compressed. `tick`: changes with every tick in which something is sent.
    #[napi(catch_unwind)]
    pub fn send_event_function(&self, env: &Env) -> Result<Unknown<'static>> {
        super::fast::send_event_function(env)
    }

    /// Engine.IO messages that belong together: a packet and its attachments.
    #[napi(catch_unwind)]
    pub fn send_group(
        &self,
        handle: u32,
        group: Vec<Message<'_>>,
        flags: u32,
        tick: u32,
    ) -> Result<()> {
        deliver(SessionRef::from_handle(handle), packets(&group)?, flags, tick);
        Ok(())
    }

    /// An Engine.IO packet of another type.
    #[napi(catch_unwind)]
    pub fn send_packet(
        &self,
        handle: u32,
        digit: u32,
        data: Option<String>,
        tick: u32,
    ) -> Result<()> {
        let kind = u8::try_from(digit)
            .ok()
            .and_then(|digit| PacketType::from_digit(b'0' + digit))
            .ok_or_else(|| Error::from_reason("unknown packet type"))?;
        let data = data.unwrap_or_default();
        let packet = Packet::text(kind, &[data.as_bytes()]);
        deliver(SessionRef::from_handle(handle), smallvec![packet], 0, tick);
        Ok(())
    }

    /// Sends to every connected socket of a namespace, or of some rooms of it.
    #[napi(catch_unwind)]
    pub fn broadcast(
        &self,
        namespace: u32,
        rooms: Vec<u32>,
        except: Vec<u32>,
        group: Vec<Message<'_>>,
        flags: u32,
        tick: u32,
    ) -> Result<()> {
        let broadcast = Broadcast {
            namespace: self.room(namespace),
            rooms: rooms.into_iter().map(|room| self.room(room)).collect(),
            except: except.into_iter().map(|room| self.room(room)).collect(),
            packets: flagged(packets(&group)?, flags),
            volatile: flags & VOLATILE != 0,
            tick,
            emits: 1,
        };
        Pool::global().send_all(|| Command::Broadcast(Box::new(broadcast.clone())));
        Ok(())
    }

    /// Names a namespace.
    #[napi(catch_unwind)]
    pub fn add_namespace(&mut self, id: u32, name: String) {
        self.namespaces.insert(id, name.into());
    }

    /// Forgets a namespace.
    #[napi(catch_unwind)]
    pub fn remove_namespace(&mut self, id: u32) {
        self.namespaces.remove(&id);
    }

    /// A socket that is not connected yet joins a room.
    #[napi(catch_unwind)]
    pub fn attach(&self, handle: u32, ordinal: u32) {
        self.send(handle, |key| Command::Attach { key, ordinal });
    }

    /// A socket is connected to a namespace.
    #[napi(catch_unwind)]
    pub fn connect(&self, handle: u32, ordinal: u32, namespace: u32) -> Result<()> {
        let name = self.namespace(namespace)?.clone();
        let namespace = self.room(namespace);
        self.send(handle, |key| Command::Connect { key, ordinal, namespace, name });
        Ok(())
    }

    /// A socket is gone.
    #[napi(catch_unwind)]
    pub fn detach(&self, handle: u32, ordinal: u32) {
        self.send(handle, |key| Command::Detach { key, ordinal });
    }

    /// A socket joins a room.
    #[napi(catch_unwind)]
    pub fn join(&self, handle: u32, ordinal: u32, room: u32) {
        let room = self.room(room);
        self.send(handle, |key| Command::Join { key, ordinal, room });
    }

    /// A socket leaves a room.
    #[napi(catch_unwind)]
    pub fn leave(&self, handle: u32, ordinal: u32, room: u32) {
        let room = self.room(room);
        self.send(handle, |key| Command::Leave { key, ordinal, room });
    }

    /// Closes a session, with or without what is queued.
    #[napi(catch_unwind)]
    pub fn close(&self, handle: u32, discard: bool) {
        self.send(handle, |key| Command::Close { key, discard });
    }

    /// Ends a session with "transport error" and a description; without one, "transport close".
    /// `close` is the payload of the close frame.
    #[napi(catch_unwind)]
    pub fn fail(&self, handle: u32, description: Option<String>, close: Option<Buffer>) {
        let reason = match description {
            Some(_) => CloseReason::TransportError,
            None => CloseReason::TransportClose,
        };
        let close = close.map(|payload| payload.to_vec());
        self.send(handle, |key| Command::Fail { key, reason, description, close });
    }

    /// Ends the session of a client for which more waits in JavaScript than may.
    #[napi(catch_unwind)]
    pub fn cut_off(&self, handle: u32) {
        let reason = CloseReason::LimitExceeded;
        let description = Some(TOO_SLOW.to_owned());
        self.send(handle, |key| Command::Fail { key, reason, description, close: None });
    }

    /// Sends a WebSocket frame as it is. Opcodes: 1 text, 2 binary, 9 ping, 10 pong.
    #[napi(catch_unwind)]
    pub fn send_frame(&self, handle: u32, opcode: u32, payload: &[u8]) -> Result<()> {
        let opcode = match opcode {
            1 => OpCode::Text,
            2 => OpCode::Binary,
            9 => OpCode::Ping,
            10 => OpCode::Pong,
            _ => return Err(Error::from_reason("unknown opcode")),
        };
        let frame = frame::encode_frame(opcode, payload);
        self.send(handle, |key| Command::Frame { key, frame });
        Ok(())
    }

    /// Reports ping, pong and close frames from now on.
    #[napi(catch_unwind)]
    pub fn watch_frames(&self, handle: u32) {
        self.send(handle, |key| Command::WatchFrames { key });
    }

    /// Starts the heartbeat's interval anew.
    #[napi(catch_unwind)]
    pub fn beat(&self, handle: u32) {
        self.send(handle, |key| Command::Beat { key });
    }

    /// What is not written yet: bytes that the stream has not taken, then the length of each
    /// packet that waits. Asks the I/O thread and waits for it.
    #[napi(catch_unwind)]
    pub fn waiting(&self, handle: u32) -> Vec<u32> {
        let waiting: Unwritten = self.ask(handle, |key, answer| Command::Waiting { key, answer });
        let bytes = u32::try_from(waiting.bytes).unwrap_or(u32::MAX);
        std::iter::once(bytes).chain(waiting.packets).collect()
    }

    /// Closes a polling session; what is queued is still sent. True when a GET that waited has told the
    /// client; else a `CLOSED` record follows once another has. Asks the I/O thread and waits for it.
    #[napi(catch_unwind)]
    pub fn close_polled(&self, handle: u32) -> bool {
        self.ask(handle, |key, answer| Command::ClosePolled { key, answer })
    }

    /// Milliseconds that the deferred close of a polling session may take.
    #[napi(catch_unwind)]
    pub fn set_close_timeout(&self, handle: u32, timeout: f64) {
        let timeout = Duration::from_millis(timeout.max(0.0) as u64);
        self.send(handle, |key| Command::CloseTimeout { key, timeout });
    }

    /// Leaves pings and pongs to JavaScript, or takes them back.
    #[napi(catch_unwind)]
    pub fn set_watched(&self, handle: u32, watched: bool) {
        self.send(handle, |key| Command::SetWatched { key, watched });
    }

    /// Delivers packets undecoded, or decoded again.
    #[napi(catch_unwind)]
    pub fn set_raw(&self, handle: u32, raw: bool) {
        self.send(handle, |key| Command::SetRaw { key, raw });
    }

    /// Asks for one event when everything queued so far is written.
    #[napi(catch_unwind)]
    pub fn notify_drain(&self, handle: u32) {
        self.send(handle, |key| Command::NotifyDrain { key });
    }

    /// The close event was handled: the handle may be given to another session.
    #[napi(catch_unwind)]
    pub fn release(&self, handle: u32) {
        Pool::global().release(SessionRef::from_handle(handle));
    }

    /// Bytes of a bridged stream arrived.
    #[napi(catch_unwind)]
    pub fn bridge_data(&self, handle: u32, link: u32, data: &[u8]) {
        let data = data.to_vec();
        self.send(handle, |key| Command::BridgeData { key, link, data });
    }

    /// A bridged stream ended.
    #[napi(catch_unwind)]
    pub fn bridge_end(&self, handle: u32, link: u32) {
        self.send(handle, |key| Command::BridgeEnd { key, link });
    }

    /// A bridged stream took so many bytes of what it was given.
    #[napi(catch_unwind)]
    pub fn bridge_written(&self, handle: u32, link: u32, bytes: u32) {
        self.send(handle, |key| Command::BridgeWritten { key, link, bytes });
    }

    /// What is counted, in JSON: of each shard, the I/O threads first, and of this environment's queue.
    #[napi(catch_unwind)]
    pub fn metrics(&self) -> String {
        let shards: Vec<_> =
            Pool::global().metrics().iter().map(|metrics| metrics.to_json()).collect();
        serde_json::json!({
            "shards": shards,
            "threads": Pool::global().threads(),
            "queuedBytes": self.port.queued(),
            "drains": self.port.drains(),
            "waited": self.port.waited().as_secs_f64(),
        })
        .to_string()
    }

    /// True while a GET waits for something to be written.
    #[napi(catch_unwind)]
    pub fn is_polled(&self, handle: u32) -> bool {
        self.ask(handle, |key, answer| Command::IsPolled { key, answer })
    }

    /// Drops a stream at once.
    #[napi(catch_unwind)]
    pub fn kill(&self, handle: u32, link: u32) {
        self.send(handle, |key| Command::Kill { key, link });
    }

    /// Waits until everything sent so far was handed to the kernel, `limit` ms at most.
    #[napi(catch_unwind)]
    pub fn flush_sync(&self, limit: u32) {
        let mut barriers = Vec::new();
        Pool::global().send_all(|| {
            let barrier = Arc::new(Barrier::default());
            barriers.push(barrier.clone());
            Command::Flush(barrier)
        });
        if let Some(inline) = self.running_inline() {
            inline.round();
        }
        let deadline = std::time::Instant::now() + Duration::from_millis(limit.into());
        for barrier in barriers {
            barrier.wait(deadline.saturating_duration_since(std::time::Instant::now()));
        }
        Owed::wait_for_all(deadline);
    }
}

fn no_thread(error: std::io::Error) -> Error {
    Error::from_reason(format!("an I/O thread could not start: {error}"))
}

/// The value of `Sec-WebSocket-Accept` (RFC 6455, 4.2.2).
#[napi(catch_unwind)]
pub fn accept_key(key: String) -> String {
    frame::accept_key(&key)
}

impl Core {
    /// Sends a command that is answered. The default when its shard is too busy to do so soon.
    fn ask<T: Default>(&self, handle: u32, command: impl Fn(u32, Arc<Answer<T>>) -> Command) -> T {
        let answer = Arc::new(Answer::default());
        self.send(handle, |key| command(key, answer.clone()));
        if let Some(inline) = self.inline_of(SessionRef::from_handle(handle)) {
            inline.round();
        }
        answer.wait(WAITING_LIMIT)
    }

    fn running_inline(&self) -> Option<&Inline> {
        self.inline.get()?.as_ref()
    }

    /// The shard of this thread, if the session is there.
    fn inline_of(&self, session: SessionRef) -> Option<&Inline> {
        self.running_inline().filter(|inline| inline.index() == session.shard)
    }

    /// A slot for a session that this thread runs by itself.
    fn reserve_inline(&self) -> Option<SessionRef> {
        let lend = || Pool::global().lend(&self.port, self.port_id);
        Pool::global().reserve_inline(self.inline.get_or_init(lend).as_ref()?)
    }

    fn engine(&self, id: u32) -> Result<&Engine> {
        self.engines.get(&id).ok_or_else(|| Error::from_reason("unknown engine"))
    }

    fn namespace(&self, id: u32) -> Result<&Arc<str>> {
        self.namespaces.get(&id).ok_or_else(|| Error::from_reason("unknown namespace"))
    }

    fn open(
        &self,
        engine: u32,
        open: String,
        revision: u32,
        start: Start,
        is_bridged: bool,
    ) -> Result<u32> {
        let engine = self.engine(engine)?;
        let inline = if is_bridged { self.reserve_inline() } else { None };
        let session = match inline {
            Some(session) => session,
            None => Pool::global().reserve(engine.shards).map_err(no_thread)?,
        };
        let handle = session.handle();
        let identity = Identity {
            key: session.key,
            handle,
            port: self.port_id,
            config: engine.config.clone(),
            revision: revision_of(revision),
        };
        let open = Open { identity, open, start, accepted: None };
        Pool::global().send(session.shard, Command::Open(Box::new(open)));
        Ok(handle)
    }

    pub(super) fn send(&self, handle: u32, make: impl FnOnce(u32) -> Command) {
        let session = SessionRef::from_handle(handle);
        Pool::global().send(session.shard, make(session.key));
    }

    /// Room numbers are an environment's own; the shards are everybody's.
    fn room(&self, number: u32) -> RoomId {
        (self.port_id as u64) << 32 | u64::from(number)
    }
}

fn revision_of(number: u32) -> Revision {
    if number == 3 { Revision::V3 } else { Revision::V4 }
}

/// Sends packets that belong together to one session.
pub(super) fn deliver(session: SessionRef, packets: Group, flags: u32, tick: u32) {
    let volatile = flags & VOLATILE != 0;
    let packets = flagged(packets, flags);
    let command = Command::Send { key: session.key, tick, volatile, packets };
    Pool::global().send(session.shard, command);
}

/// An Engine.IO message: text or bytes.
type Message<'env> = Either<JsString<'env>, Buffer>;

fn packets(group: &[Message<'_>]) -> Result<Group> {
    group
        .iter()
        .map(|message| match message {
            Either::A(text) => with_utf8(text, |text| Packet::text(PacketType::Message, &[text])),
            Either::B(data) => Ok(Packet::binary(data)),
        })
        .collect()
}

fn flagged(packets: Group, flags: u32) -> Group {
    if flags & UNCOMPRESSED == 0 {
        return packets;
    }
    packets.into_iter().map(Packet::uncompressed).collect()
}

impl Drop for Core {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        for acceptor in self.acceptors.values() {
            acceptor.close(true);
        }
        Pool::global().remove_port(self.port_id);
        if let Some(inline) = self.inline.take().flatten() {
            Pool::global().take_back(inline);
        }
    }
}

impl TryFrom<LinkOptions> for Link {
    type Error = Error;

    fn try_from(link: LinkOptions) -> Result<Self> {
        Ok(Self {
            id: link.id,
            #[cfg(unix)]
            fd: link.fd.map(crate::transport::duplicate_raw).transpose()?,
            #[cfg(unix)]
            tls: None,
            head: link.head.map(|head| head.to_vec()).unwrap_or_default(),
            response: link.response,
            agreement: link.deflate.map(Agreement::from),
            base64: link.base64,
        })
    }
}

impl From<DeflateOptions> for Agreement {
    fn from(options: DeflateOptions) -> Self {
        let DeflateOptions { window_bits, level, mem_level, strategy, .. } = options;
        Self {
            settings: Settings::new(window_bits, level, mem_level, strategy),
            // The cast saturates, which is what infinity and negative numbers ask for.
            threshold: options.threshold as usize,
            peer_window_bits: options.peer_window_bits.clamp(8, 15) as u8,
            peer_takes_context_over: options.peer_takes_context_over,
        }
    }
}

/// How long JavaScript waits for an answer of an I/O thread that has stopped responding.
const WAITING_LIMIT: Duration = Duration::from_millis(250);
/// Flag: drop the packet unless the transport is idle.
const VOLATILE: u32 = 1;
/// Flag: do not compress the packet.
const UNCOMPRESSED: u32 = 2;
/// Below this size copying into JavaScript's heap is cheaper than a finalizer.
const EXTERNAL_FROM: usize = 4096;
