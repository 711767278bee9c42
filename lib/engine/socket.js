"use strict";

// One connection of the engine as JavaScript sees it: `socket.conn`. The connection
// itself lives in the native core. What nobody listens to is never produced: packets
// come in decoded until somebody wants to see them as they are.

const { AsyncResource } = require("async_hooks");
const debug = require("debug")("engine:socket");
const { LeanEmitter, listenerTable, setListeners } = require("../lean-emitter");
const { onReplace } = require("../overrides");
const { connections, core, currentTick, ref, touchTick, unref } = require("../dispatch");
const {
  PACKET_TYPES,
  messageOf,
  sendsArePatched,
  takesPacketsItself,
  toMessage,
  transportError,
} = require("./transport");
const { Origin } = require("./accepted");
const { maxBackpressure } = require("./limits");
const { dropViews, holdsPackets, showWaiting } = require("./waiting");

/** Events that show packets as they came in: the core stops decoding for them. */
const RAW_EVENTS = new Set(["packet", "data", "message", "heartbeat"]);
/** Events that show packets as they go out: broadcasts must pass through here for them. */
const WRITE_EVENTS = new Set(["packetCreate", "flush", "drain"]);

class Socket extends LeanEmitter {
  /**
   * @param {string} id the secret session id
   * @param {import("./server").Server} server
   * @param {import("./transport").Transport} transport
   * @param {any} req the request that opened the connection, or its origin
   * @param {3|4} protocol
   */
  constructor(id, server, transport, req, protocol) {
    super();
    setListeners(this, new Listeners());
    this.id = id;
    this.server = server;
    /** The first HTTP request; may be set to null, or deleted, to save memory. */
    if (req instanceof Origin) {
      /** What the native listener has read of it. */
      this._request = req;
      Object.defineProperty(this, "request", ON_DEMAND);
    } else {
      this.request = req;
    }
    this.protocol = protocol;
    /** The peer's address, as it was at the handshake. */
    this.remoteAddress = req.connection?.remoteAddress;
    /** @type {any} the handle of the transport in use */
    this.transport = transport;
    this._readyState = "opening";
    /** Name of the session in the core; -1 before and after. */
    this.handle = -1;
    /** The Socket.IO client, which takes packets the short way. */
    this.receiver = null;
    /** The connection's only socket, usually, and the ordinal that the core knows it by. */
    this._socket = undefined;
    this._ordinal = -1;
    this.nextOrdinal = 0;
    this._writtenIn = 0;
    /** Length of what waits here, and not in the core. */
    this._waitingBytes = 0;
    /** Lengths of what was written in that tick behind the first packet. */
    this._more = NONE;
    // Listeners run in the asynchronous context of the handshake, whichever read or timer of the
    // core has brought the news.
    this._context = new AsyncResource("FERRIOCONNECTION", { requireManualDestroy: true });
    transport.conn = this;
  }

  /**
   * The request while nobody has asked for it, if the native listener has read it.
   * @returns {Origin|undefined}
   */
  get origin() {
    const { _request } = this;
    return _request instanceof Origin && "request" in this ? _request : undefined;
  }

  get readyState() {
    return this._readyState;
  }

  set readyState(state) {
    debug("%s: readyState %s -> %s", this.id, this._readyState, state);
    this._readyState = state;
  }

  /**
   * What waits to be written. While nobody watches writes, packets wait in the core: then this
   * shows how many there are and how long their data is, not the data.
   */
  get writeBuffer() {
    if (this._readyState !== "closed") {
      dropViews(this._writeBuffer);
      if (this.handle !== -1 && !this._isWatched()) {
        showWaiting(this._buffer(), core.waiting(this.handle).slice(1), this._lengths());
      }
    }
    return this._buffer();
  }

  set writeBuffer(buffer) {
    this._writeBuffer = buffer;
  }

  /** Callbacks of packets that were not handed over yet. */
  get packetsFn() {
    return (this._packetsFn ??= []);
  }

  set packetsFn(callbacks) {
    this._packetsFn = callbacks;
  }

  /** Callbacks of packets that were handed over, those of one flush together. */
  get sentCallbackFn() {
    return (this._sentCallbackFn ??= []);
  }

  set sentCallbackFn(callbacks) {
    this._sentCallbackFn = callbacks;
  }

  /** True while packets come in undecoded. */
  get isRaw() {
    return this._raw;
  }

  /** The socket that the core knows by that ordinal. */
  socketAt(ordinal) {
    return ordinal === this._ordinal ? this._socket : this._others?.get(ordinal);
  }

  /** Gives a socket an ordinal. It is never used again: packets that name it may be on their way. */
  addSocket(socket) {
    const ordinal = this.nextOrdinal++;
    if (this._ordinal === -1) {
      this._socket = socket;
      this._ordinal = ordinal;
    } else {
      this._others = (this._others ?? new Map()).set(ordinal, socket);
    }
    return ordinal;
  }

  /** Forgets the socket of that ordinal. */
  removeSocket(ordinal) {
    if (ordinal === this._ordinal) {
      this._socket = undefined;
      this._ordinal = -1;
    } else {
      this._others?.delete(ordinal);
    }
  }

  /** Has packets delivered undecoded from now on. */
  setRaw() {
    this._observe("data");
  }

  /** Has ping, pong and close frames reported from now on. */
  watchFrames() {
    this._watchesFrames = true;
    if (this.handle !== -1) {
      core.watchFrames(this.handle);
    }
  }

  /** Binds the connection to its session in the core. Called by the server. */
  attach(handle) {
    this.handle = handle;
    connections.set(handle, this);
    ref();
    this.transport.sid = this.id;
    if (this._writesWatched || this.server.watchesWrites()) {
      core.setWatched(handle, true);
    }
    if (this._raw) {
      core.setRaw(handle, true);
    }
    if (this._watchesFrames) {
      core.watchFrames(handle);
    }
    this.transport.link?.bind(handle, this.id);
    this.onOpen();
  }

  /** The open packet is on its way. */
  onOpen() {
    this.readyState = "open";
    this.emit("open");
  }

  /** What runs when the transport is left: the core cleans up by itself. */
  get cleanupFn() {
    return [];
  }

  /** Makes a transport the connection's own. */
  setTransport(transport) {
    this.transport = transport;
    transport.conn = this;
  }

  /** Parts with the transport. */
  clearTransport() {
    this.transport.close();
  }

  /** Starts the wait for the next heartbeat anew. */
  schedulePing() {
    if (this.handle !== -1) {
      core.beat(this.handle);
    }
  }

  /** Starts the wait for the next heartbeat anew. */
  resetPingTimeout() {
    this.schedulePing();
  }

  on(event, listener) {
    return this.addListener(event, listener);
  }

  addListener(event, listener) {
    this._observe(event);
    return super.addListener(event, listener);
  }

  prependListener(event, listener) {
    this._observe(event);
    return super.prependListener(event, listener);
  }

  /**
   * Sends a message.
   * @param {string|Buffer|ArrayBuffer|ArrayBufferView} data
   * @param {{compress?: boolean}} [options]
   * @param {(transport: object) => void} [callback] called when it was written
   * @returns {this}
   */
  send(data, options, callback) {
    this.sendPacket("message", data, options, callback);
    return this;
  }

  /** The same as `send()`. */
  write(data, options, callback) {
    this.sendPacket("message", data, options, callback);
    return this;
  }

  /** Sends a packet of any type. Ignored once the connection closes. */
  sendPacket(type, data, options = {}, callback) {
    if (typeof options === "function") {
      callback = options;
      options = {};
    }
    if (this._readyState === "closing" || this._readyState === "closed") {
      return;
    }
    debug("%s: sending packet %s (%s)", this.id, type, data);
    options.compress = options.compress !== false;
    const packet = { type, options };
    if (data) {
      packet.data = data;
    }
    if (this.listenerCount("packetCreate") > 0) {
      this.emit("packetCreate", packet);
    }
    if (typeof callback === "function") {
      this.packetsFn.push(callback);
    }
    if (this._isWatched()) {
      dropViews(this._writeBuffer);
      if (this._isTooSlow()) {
        // The core does not see what waits here.
        core.cutOff(this.handle);
        return;
      }
      this._waitingBytes += lengthOf(packet);
      this._buffer().push(packet);
      this.flush();
    } else {
      this._handOver(packet);
    }
  }

  /** True when so much waits here that nothing more should. */
  _isTooSlow() {
    // One message may be as large as it likes.
    const limit = maxBackpressure(this.server.opts) + lengthOf(this._writeBuffer[0]);
    if (this._waitingBytes > limit) {
      // Others may have taken something out.
      this._waitingBytes = this._writeBuffer.reduce((sum, packet) => sum + lengthOf(packet), 0);
    }
    return this._waitingBytes > limit && this.handle !== -1;
  }

  /** Hands over what waits here, if the transport can take it. */
  flush() {
    dropViews(this._writeBuffer);
    if (this._readyState === "closed" || this._writeBuffer.length === 0) {
      return;
    }
    const { transport } = this;
    if (!transport.writable) {
      return;
    }
    debug("%s: flushing %d packets", this.id, this._writeBuffer.length);
    this.emit("flush", this._writeBuffer);
    this.server.emit("flush", this, this._writeBuffer);
    const buffer = this._writeBuffer;
    this._writeBuffer = NONE;
    this._waitingBytes = 0;
    this.sentCallbackFn.push(this.packetsFn);
    this.packetsFn = [];
    transport.send(buffer);
    this.emit("drain");
    this.server.emit("drain", this);
  }

  /** Runs the callbacks of what was written. */
  onDrain() {
    for (const callback of this._sentCallbackFn?.shift() ?? []) {
      callback(this.transport);
    }
  }

  /** The transport can take packets. */
  onReady() {
    if (this.transport.listenerCount("ready") > 0) {
      this.transport.emit("ready");
    }
    if (this._writeBuffer.length > 0) {
      this.flush();
    }
  }

  /** Has the core say when all it was given so far has left. */
  awaitDrain() {
    if (this.handle !== -1) {
      this._inFlight = true;
      core.notifyDrain(this.handle);
    }
  }

  /** Calls back when all that was sent so far has left. */
  afterWrite(callback) {
    this.sentCallbackFn.push([callback]);
    this.awaitDrain();
  }

  /**
   * Closes the connection.
   * @param {boolean} [discard] drop what was not written yet
   */
  close(discard) {
    if (discard && (this._readyState === "open" || this._readyState === "closing")) {
      this.closeTransport(true);
      return;
    }
    if (this._readyState !== "open") {
      return;
    }
    this.readyState = "closing";
    dropViews(this._writeBuffer);
    if (this._writeBuffer.length > 0) {
      debug("%s: %d packets wait, closing after them", this.id, this._writeBuffer.length);
      this.once("drain", () => this.closeTransport(discard));
      return;
    }
    if (this._waiting() > 0) {
      debug("%s: packets were written in this tick, closing after them", this.id);
      this.transport.readyState = "closing";
      core.close(this.handle, false);
      return;
    }
    this.closeTransport(false);
  }

  /** Closes the transport, then the connection. */
  closeTransport(discard) {
    debug("%s: closing the transport (discard? %s)", this.id, !!discard);
    if (discard) {
      this.transport.discard();
      this.transport.readyState = "open";
    }
    this.transport.close(() => this.onClose("forced close"));
  }

  /** Transports that the client may upgrade to. */
  getAvailableUpgrades() {
    const { transports } = this.server.opts;
    return this.server.upgrades(this.transport.name).filter((name) => transports.includes(name));
  }

  /** Takes an Engine.IO packet. May be replaced on the instance. */
  onPacket(packet) {
    if (this._readyState !== "open") {
      debug("%s: packet received although closed", this.id);
      return;
    }
    debug("%s: received packet %s", this.id, packet.type);
    this.emit("packet", packet);
    if (packet.type === "message") {
      // The client of the reference is the first of the listeners for data.
      this.receiver?.receive(packet.data);
      this.emit("data", packet.data);
      this.emit("message", packet.data);
    }
  }

  /** Takes an error of the transport. */
  onError(err) {
    debug("%s: transport error: %s", this.id, err && err.message);
    this.onClose("transport error", err);
  }

  /** Takes the end of the connection. Idempotent. */
  onClose(reason, description) {
    if (this._readyState === "closed") {
      return;
    }
    this.readyState = "closed";
    debug("%s: closed: %s", this.id, reason);
    if (this.handle !== -1) {
      // Whatever ended it here, the core has to end it too. It knows already if it said so.
      core.close(this.handle, true);
    }
    if (this._writesWatched) {
      this.server.writeWatchers--;
    }
    this._packetsFn = undefined;
    this._sentCallbackFn = undefined;
    process.nextTick(clearWriteBuffer, this);
    if (this.transport.readyState !== "closed") {
      this.transport.onClose();
    }
    this.emit("close", reason, description);
  }

  /** True after a write in this tick, or while the peer takes no more. */
  hasWritten() {
    return this.blockedBytes > 0 || this._writtenIn === currentTick();
  }

  /**
   * True until what was written has left.
   * @param {boolean} [untilRead] what waits for the peer to ask does not count
   */
  isWriting(untilRead) {
    if (this._isWatched()) {
      return this._inFlight;
    }
    if (this.hasWritten()) {
      return true;
    }
    return !untilRead && this.handle !== -1 && core.waiting(this.handle).length > 1;
  }

  /**
   * Notes a write of data of that length.
   * @returns {number} the tick, for the core
   */
  touch(length) {
    const tick = touchTick();
    if (this.blockedBytes > 0) {
      this._blockedWrites++;
    }
    if (this._writtenIn !== tick) {
      this._writtenIn = tick;
      this._more = NONE;
    } else if (this._more === NONE) {
      this._more = [length];
    } else {
      this._more.push(length);
    }
    return tick;
  }

  /** True while packets may take the short way out: nobody watches what is written. */
  isPlainWriter() {
    return (
      this._readyState === "open" &&
      this.sendPacket === pristine.sendPacket &&
      this.write === pristine.write &&
      !this._isWatched()
    );
  }

  _isWatched() {
    return (
      this._writesWatched ||
      holdsPackets(this._writeBuffer) ||
      this.server.watchesWrites() ||
      flushesArePatched()
    );
  }

  // What the core reports. Called by the dispatcher only.

  /** Decoded packets of one chunk; `alone` when the chunk held one and nothing else. */
  onDecoded(wave, alone) {
    const { receiver } = this;
    if (receiver === null || this._readyState !== "open") {
      return;
    }
    if (this._showsPackets()) {
      this._context.runInAsyncScope(this._showDecoded, this, wave);
    } else {
      debug("%s: received %d decoded packets", this.id, wave.length);
      this._context.runInAsyncScope(receiver.onpackets, receiver, wave, alone);
    }
  }

  /** Somebody wants to see packets since the core was told to decode them. */
  _showDecoded(wave) {
    this._observe("packet");
    for (const packet of wave) {
      for (const data of this.receiver?.encodeDecoded(packet) ?? []) {
        deliver(this, { type: "message", data });
      }
    }
  }

  /** True for an end that the peer's last packets are heard before. */
  closesLate(reason) {
    return reason === "transport close" && this.transport.name === "websocket";
  }

  /** The peer takes no more, or takes all again. */
  onBlocked(bytes) {
    this.blockedBytes = bytes;
    this._blockedWrites = bytes > 0 ? 1 : 0;
  }

  /** A message that the core does not decode. */
  onRaw(data) {
    // On the wire an empty message is a packet without data.
    data = data === "" ? undefined : data;
    if (this._showsPackets()) {
      this._context.runInAsyncScope(deliver, undefined, this, { type: "message", data });
    } else if (this._readyState === "open" && this.receiver !== null) {
      this._context.runInAsyncScope(this.receiver.receive, this.receiver, data);
    }
  }

  /** A packet without data, while somebody watches packets. */
  onEnginePacket(digit) {
    this._context.runInAsyncScope(deliver, undefined, this, { type: PACKET_TYPES[digit] });
  }

  /** A control frame, while somebody watches them. */
  onControlFrame(opcode, data) {
    const { _view: view } = this.transport;
    if (view !== undefined) {
      this._context.runInAsyncScope(view.onControl, view, opcode, data);
    }
  }

  /** A ping or pong is due that has to pass through here, because somebody watches writes. */
  onSendDue(number) {
    if (this._readyState === "open") {
      this._context.runInAsyncScope(this.sendPacket, this, PACKET_TYPES[number]);
    }
  }

  onHeartbeat() {
    if (this._readyState === "open") {
      this._context.runInAsyncScope(this.emit, this, "heartbeat");
    }
  }

  onNativeDrain() {
    this._inFlight = false;
    this._context.runInAsyncScope(drained, undefined, this);
  }

  onNativeClose(reason, description) {
    const { handle } = this;
    connections.delete(handle);
    unref();
    this.handle = -1;
    core.release(handle);
    let error;
    if (description !== null) {
      error = transportError(description);
    }
    if (reason === "forced close" && this.readyState === "open") {
      // Not the connection was closed, but its transport alone.
      reason = "transport close";
    }
    debug("%s: the core has closed the session: %s", this.id, reason);
    try {
      this._context.runInAsyncScope(this._endWith, this, reason, error);
    } finally {
      this._context.emitDestroy();
    }
  }

  _endWith(reason, error) {
    try {
      if (error !== undefined && this.transport.listenerCount("error") > 0) {
        this.transport.emit("error", error);
      }
    } finally {
      if (error !== undefined && reason === "transport error") {
        this.onError(error);
      } else {
        this.onClose(reason, error);
      }
    }
  }

  /** A transport asks to take over. */
  _maybeUpgrade(transport) {
    debug("%s: might upgrade from %s to %s", this.id, this.transport.name, transport.name);
    if (transport.link === undefined) {
      // The session is the core's, and the core cannot hand it over to JavaScript.
      transport.close();
      return;
    }
    this.upgrading = true;
    (this._probes ??= new Map()).set(transport.link.id, transport);
    transport.conn = this;
    transport.link.bind(this.handle, this.id);
  }

  onUpgrading(link) {
    const transport = this._probes?.get(link);
    if (transport && this._readyState === "open") {
      this._context.runInAsyncScope(this.emit, this, "upgrading", transport);
    }
  }

  onUpgraded() {
    const [transport] = this._probes?.values() ?? [];
    this._probes = undefined;
    this.upgrading = false;
    if (!transport || this._readyState === "closed") {
      return;
    }
    debug("%s: upgraded to %s", this.id, transport.name);
    const previous = this.transport;
    previous.discard();
    this.upgraded = true;
    this.transport = transport;
    // A POST that is still being read has lost its transport; that is no fault of the connection.
    previous.conn = null;
    previous.dataReq?.destroy();
    previous.onClose();
    this._context.runInAsyncScope(upgraded, undefined, this, transport);
  }

  onProbeFailed(link) {
    debug("%s: the upgrade has failed", this.id);
    const transport = this._probes?.get(link);
    this._probes?.delete(link);
    this.upgrading = (this._probes?.size ?? 0) > 0;
    if (transport !== undefined) {
      this._context.runInAsyncScope(transport.onClose, transport);
    }
  }

  _observe(event) {
    if (WRITE_EVENTS.has(event)) {
      this.watchWrites();
    } else if (RAW_EVENTS.has(event) && !this._raw) {
      this._raw = true;
      if (this.handle !== -1) {
        core.setRaw(this.handle, true);
      }
    }
  }

  /** From now on every packet for this connection passes through `sendPacket()`. */
  watchWrites() {
    if (!this._writesWatched && this._readyState !== "closed") {
      this._writesWatched = true;
      this.server.writeWatchers++;
      if (this.handle !== -1) {
        core.setWatched(this.handle, true);
      }
      if (this.hasWritten()) {
        this.awaitDrain();
      }
    }
  }

  /** True when packets have to be shown as they came in. */
  _showsPackets() {
    return this._raw || this.onPacket !== pristine.onPacket || !takesPacketsItself(this.transport);
  }

  /** How many packets a close would have to wait for. */
  _waiting() {
    const inTick = this._writtenIn === currentTick() ? this._more.length : 0;
    return Math.max(inTick, this._blockedWrites);
  }

  /** Lengths of what was written in this tick and would still wait: all but the first. */
  _lengths() {
    return this._writtenIn === currentTick() ? this._more.slice() : NONE;
  }

  /** The buffer of the connection's own, which others may change. */
  _buffer() {
    if (this._writeBuffer === NONE) {
      this._writeBuffer = [];
    }
    return this._writeBuffer;
  }

  /** @param {{type: string, data?: any, options: any}} packet */
  _handOver(packet) {
    if (this.handle === -1) {
      return;
    }
    const { type, data, options } = packet;
    if (type === "message") {
      const message = messageOf(packet, this.transport);
      const flags = options.compress === false ? UNCOMPRESSED : 0;
      core.sendGroup(this.handle, [message], flags, this.touch(data?.length ?? 0));
    } else {
      const text = data === undefined ? undefined : `${data}`;
      const tick = this.touch(text?.length ?? 0);
      core.sendPacket(this.handle, PACKET_TYPES.indexOf(type), text, tick);
    }
    if (this._packetsFn?.length > 0) {
      this.sentCallbackFn.push(this._packetsFn);
      this._packetsFn = undefined;
      core.notifyDrain(this.handle);
    }
  }
}

/**
 * The request of a connection that the native listener has opened: it is made when asked for. One
 * accessor for all connections: with one each, V8 would give each a table of its own.
 */
const ON_DEMAND = {
  configurable: true,
  enumerable: true,
  get() {
    return this._request instanceof Origin ? this._request.request : this._request;
  },
  set(req) {
    this._request = req;
  },
};

/**
 * Length of a packet's data; 0 if there is none.
 * @param {any} packet
 */
function lengthOf(packet) {
  return packet?.data?.length ?? packet?.data?.byteLength ?? 0;
}

const Listeners = listenerTable();

/** No packets, which is the usual case and needs no list of its own. @type {any} */
const NONE = Object.freeze([]);

Object.assign(Socket.prototype, {
  // As in the reference while there is none: nothing here has a timer of its own.
  pingTimeoutTimer: null,
  pingIntervalTimer: null,
  hasRefreshedPingTimeout: false,

  // What most connections never change takes no room in them.

  /** Bytes that the peer does not take, as far as the core has reported. */
  blockedBytes: 0,
  _blockedWrites: 0,
  _raw: false,
  /** Packets were handed over and have not left. Known only while writes are watched. */
  _inFlight: false,
  /** Sockets besides the first, by ordinal. */
  _others: undefined,
  _packetsFn: undefined,
  _probes: undefined,
  upgraded: false,
  upgrading: false,
  _sentCallbackFn: undefined,
  _watchesFrames: false,
  _writeBuffer: NONE,
  _writesWatched: false,
});

for (const name of ["send", "write", "sendPacket", "flush"]) {
  onReplace(Socket.prototype, name, (conn) => conn.watchWrites());
}

/** What the fast paths stand for. A patched prototype differs. */
const pristine = {
  flush: Socket.prototype.flush,
  onPacket: Socket.prototype.onPacket,
  sendPacket: Socket.prototype.sendPacket,
  write: Socket.prototype.write,
};

/** Hands a packet to whoever takes packets of the transport now. */
function deliver(conn, packet) {
  const { transport } = conn;
  if (transport._view?.listenerCount("message") > 0) {
    transport._view.emit("message", ...asFrame(packet, conn.protocol));
  }
  if (takesPacketsItself(transport)) {
    conn.onPacket(packet);
  } else {
    transport.onPacket(packet);
  }
}

/** The WebSocket message that has brought a packet, and whether it is binary. */
function asFrame({ type, data }, protocol) {
  if (typeof data === "object") {
    return [protocol === 3 ? Buffer.concat([Buffer.from([4]), data]) : data, true];
  }
  return [Buffer.from(`${PACKET_TYPES.indexOf(type)}${data ?? ""}`), false];
}

/** All that the core was given has left. */
function drained(conn) {
  if (conn._readyState === "closed") {
    return;
  }
  for (let left = conn._sentCallbackFn?.length ?? 0; left > 0; left--) {
    conn.onDrain();
  }
  if (conn.transport.listenerCount("drain") > 0) {
    conn.transport.emit("drain");
  }
  if (conn.transport.name === "websocket" || conn.transport.writable) {
    conn.onReady();
  }
}

function upgraded(conn, transport) {
  conn.emit("upgrade", transport);
  conn.flush();
}

/** Flag of the core: not to be compressed. */
const UNCOMPRESSED = 2;

function clearWriteBuffer(conn) {
  conn._writeBuffer = NONE;
}

/** True when somebody has replaced how all connections write. */
function writesArePatched() {
  const { sendPacket, write } = Socket.prototype;
  return sendPacket !== pristine.sendPacket || write !== pristine.write || flushesArePatched();
}

/** True when somebody has replaced how all connections, or transports, let packets go. */
function flushesArePatched() {
  return Socket.prototype.flush !== pristine.flush || sendsArePatched();
}

// Who looks at the listeners for data, or takes all off, finds Socket.IO's among them.
for (const name of ["listenerCount", "listeners", "rawListeners", "removeAllListeners"]) {
  const method = Socket.prototype[name];
  Object.defineProperty(Socket.prototype, name, {
    value: function (event) {
      if (event === "data" || event === undefined) {
        this.receiver?.listen();
      }
      return method.apply(this, arguments);
    },
    configurable: true,
    writable: true,
  });
}

module.exports = { Socket, toMessage, writesArePatched };
