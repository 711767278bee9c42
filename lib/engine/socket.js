"use strict";

// One connection of the engine as JavaScript sees it: `socket.conn`. The connection
// itself lives in the native core. What nobody listens to is never produced: packets
// come in decoded until somebody wants to see them as they are.

const { EventEmitter } = require("events");
const { AsyncResource } = require("async_hooks");
const debug = require("debug")("engine:socket");
const { onReplace } = require("../overrides");
const { connections, core, currentTick, ref, touchTick, unref } = require("../dispatch");

/** Events that show packets as they came in: the core stops decoding for them. */
const RAW_EVENTS = new Set(["packet", "data", "message", "heartbeat"]);
/** Events that show packets as they go out: broadcasts must pass through here for them. */
const WRITE_EVENTS = new Set(["packetCreate", "flush", "drain"]);

/** Engine.IO packet types by digit. */
const PACKET_TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];

class Socket extends EventEmitter {
  /**
   * @param {string} id the secret session id
   * @param {import("./server").Server} server
   * @param {import("./transport").Transport} transport
   * @param {import("http").IncomingMessage} req the request that opened the connection
   * @param {3|4} protocol
   */
  constructor(id, server, transport, req, protocol) {
    super();
    this.id = id;
    this.server = server;
    /** The first HTTP request; may be set to null to save memory. */
    this.request = req;
    this.protocol = protocol;
    /** The peer's address, as it was at the handshake. */
    this.remoteAddress = req.connection?.remoteAddress;
    this.transport = transport;
    this.upgrading = false;
    this.upgraded = false;
    this.packetsFn = [];
    this.sentCallbackFn = [];
    this._readyState = "opening";
    this._writeBuffer = [];
    /** Name of the session in the core; -1 before and after. */
    this.handle = -1;
    /** The Socket.IO client, which takes packets the short way. */
    this.receiver = null;
    /** Sockets by the ordinal that the core knows them by. */
    this.ordinals = new Map();
    this.nextOrdinal = 0;
    /** Bytes that the peer does not take, as far as the core has reported. */
    this.blockedBytes = 0;
    this._blockedWrites = 0;
    this._raw = false;
    this._writtenIn = 0;
    this._writes = 0;
    this._probes = undefined;
    this._writesWatched = false;
    // Listeners run in the asynchronous context of the handshake, whichever read or timer of the
    // core has brought the news.
    this._context = new AsyncResource("FERRIOCONNECTION", { requireManualDestroy: true });
    transport.conn = this;
  }

  get readyState() {
    return this._readyState;
  }

  set readyState(state) {
    debug("readyState updated from %s to %s", this._readyState, state);
    this._readyState = state;
  }

  /** What was sent in this tick and is not handed over yet, as a view. */
  get writeBuffer() {
    const waiting = this._waiting();
    while (this._writeBuffer.length < waiting) {
      this._writeBuffer.push({ type: "message", options: {} });
    }
    if (waiting === 0 && this._viewed) {
      this._writeBuffer.length = 0;
    }
    this._viewed = waiting > 0;
    return this._writeBuffer;
  }

  set writeBuffer(buffer) {
    this._writeBuffer = buffer;
  }

  /** Has packets delivered undecoded from now on. */
  setRaw() {
    this._observe("data");
  }

  /** Binds the connection to its session in the core. Called by the server. */
  attach(handle) {
    this.handle = handle;
    connections.set(handle, this);
    ref();
    this.readyState = "open";
    if (this._raw) {
      core.setRaw(handle, true);
    }
    this.transport.link?.bind(handle);
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
    debug("sending packet %s (%s)", type, data);
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
    this._handOver(packet);
  }

  /** Does nothing: what is sent is on its way already. */
  flush() {}

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
    if (this._waiting() > 0) {
      debug("there are packets to write: waiting for them before closing");
      this.transport.readyState = "closing";
      core.close(this.handle, false);
      return;
    }
    this.closeTransport(false);
  }

  /** Closes the transport, then the connection. */
  closeTransport(discard) {
    debug("closing the transport (discard? %s)", !!discard);
    if (discard) {
      this.transport.discard();
      this.transport.readyState = "open";
    }
    this.transport.close(() => this.onClose("forced close"));
  }

  /** Transports that the client may upgrade to. */
  getAvailableUpgrades() {
    const { opts } = this.server;
    return opts.allowUpgrades ? this.server.upgrades(this.transport.name) : [];
  }

  /** Takes an Engine.IO packet. Replacing this method on the instance stops the default handling. */
  onPacket(packet) {
    if (this._readyState !== "open") {
      debug("packet received with closed socket");
      return;
    }
    debug("received packet %s", packet.type);
    this.emit("packet", packet);
    if (packet.type === "message") {
      this.emit("data", packet.data);
      this.emit("message", packet.data);
      this.receiver?.ondata(packet.data);
    }
  }

  /** Takes an error of the transport. */
  onError(err) {
    debug("transport error: %s", err && err.message);
    this.onClose("transport error", err);
  }

  /** Takes the end of the connection. Idempotent. */
  onClose(reason, description) {
    if (this._readyState === "closed") {
      return;
    }
    this.readyState = "closed";
    debug("closed: %s", reason);
    if (this.handle !== -1) {
      // Whatever ended it here, the core has to end it too. It knows already if it said so.
      core.close(this.handle, true);
    }
    if (this._writesWatched) {
      this.server.writeWatchers--;
    }
    this.packetsFn = [];
    this.sentCallbackFn = [];
    process.nextTick(clearWriteBuffer, this);
    if (this.transport.readyState !== "closed") {
      this.transport.onClose();
    }
    this.emit("close", reason, description);
  }

  /** True after a write in this tick, or while a poll that was written to is being answered. */
  hasWritten() {
    return this.blockedBytes > 0 || this._writtenIn === currentTick();
  }

  /** Notes a write. */
  touch() {
    const tick = touchTick();
    if (this.blockedBytes > 0) {
      this._blockedWrites++;
    }
    if (this._writtenIn === tick) {
      this._writes++;
    } else {
      this._writtenIn = tick;
      this._writes = 1;
    }
  }

  /** True while packets may take the short way out: nobody watches what is written. */
  isPlainWriter() {
    return (
      this._readyState === "open" &&
      !this._writesWatched &&
      this.sendPacket === pristine.sendPacket &&
      this.write === pristine.write &&
      !this.server.watchesWrites()
    );
  }

  // What the core reports. Called by the dispatcher only.

  /** Decoded packets of one chunk; `alone` when the chunk held one and nothing else. */
  onDecoded(wave, alone) {
    const { receiver } = this;
    if (receiver === null || this._readyState !== "open") {
      return;
    }
    if (this.onPacket !== pristine.onPacket || this._raw) {
      this._context.runInAsyncScope(this._showDecoded, this, wave);
    } else {
      this._context.runInAsyncScope(receiver.onpackets, receiver, wave, alone);
    }
  }

  /** Somebody wants to see packets since the core was told to decode them. */
  _showDecoded(wave) {
    this._observe("packet");
    for (const packet of wave) {
      for (const data of this.receiver?.encodeDecoded(packet) ?? []) {
        this.onPacket({ type: "message", data });
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
    if (this.onPacket !== pristine.onPacket || this._raw) {
      this._context.runInAsyncScope(this.onPacket, this, { type: "message", data });
    } else if (this._readyState === "open" && this.receiver !== null) {
      // Looked up now: the application may have replaced it.
      this._context.runInAsyncScope(this.receiver.ondata, this.receiver, data);
    }
  }

  /** A packet without data, while somebody watches packets. */
  onEnginePacket(digit) {
    this._context.runInAsyncScope(this.onPacket, this, { type: PACKET_TYPES[digit] });
  }

  onHeartbeat() {
    if (this._readyState === "open") {
      this._context.runInAsyncScope(this.emit, this, "heartbeat");
    }
  }

  onNativeDrain() {
    this._context.runInAsyncScope(emitDrain, undefined, this);
  }

  onNativeClose(reason, description) {
    const { handle } = this;
    connections.delete(handle);
    unref();
    this.handle = -1;
    core.release(handle);
    let error;
    if (description !== null) {
      error = new Error(description);
      error.type = "TransportError";
      error.description = undefined;
    }
    this._context.runInAsyncScope(this._endWith, this, reason, error);
  }

  _endWith(reason, error) {
    try {
      if (error !== undefined && this.transport.listenerCount("error") > 0) {
        this.transport.emit("error", error);
      }
    } finally {
      this.onClose(reason, error);
    }
  }

  /** A WebSocket asks to take over. */
  startUpgrade(transport) {
    this.upgrading = true;
    (this._probes ??= new Map()).set(transport.link.id, transport);
    transport.conn = this;
    transport.link.bind(this.handle);
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
    debug("got upgrade packet - upgrading");
    const previous = this.transport;
    previous.discard();
    this.upgraded = true;
    this.transport = transport;
    // A POST that is still being read has lost its transport; that is no fault of the connection.
    previous.conn = null;
    previous.dataReq?.destroy();
    previous.onClose();
    this._context.runInAsyncScope(this.emit, this, "upgrade", transport);
  }

  onProbeFailed(link) {
    debug("the upgrade has failed");
    const transport = this._probes?.get(link);
    this._probes?.delete(link);
    this.upgrading = false;
    if (transport !== undefined) {
      this._context.runInAsyncScope(transport.onClose, transport);
    }
  }

  _observe(event) {
    if (WRITE_EVENTS.has(event)) {
      this._watchWrites();
    } else if (RAW_EVENTS.has(event) && !this._raw) {
      this._raw = true;
      if (this.handle !== -1) {
        core.setRaw(this.handle, true);
      }
    }
  }

  /** From now on every packet for this connection passes through `sendPacket()`. */
  _watchWrites() {
    if (!this._writesWatched && this._readyState !== "closed") {
      this._writesWatched = true;
      this.server.writeWatchers++;
    }
  }

  /** How many packets a close would have to wait for. */
  _waiting() {
    const inTick = this._writtenIn === currentTick() ? this._writes - 1 : 0;
    return Math.max(inTick, this._blockedWrites);
  }

  _handOver(packet) {
    const { server } = this;
    const watched =
      this.packetsFn.length > 0 ||
      this.listenerCount("flush") > 0 ||
      this.listenerCount("drain") > 0 ||
      server.watchesWrites();
    if (watched) {
      const buffer = [packet];
      this.emit("flush", buffer);
      server.emit("flush", this, buffer);
    }
    if (this.handle === -1) {
      return;
    }
    sendNative(this.handle, packet);
    this.touch();
    if (watched) {
      this.sentCallbackFn.push(this.packetsFn);
      this.packetsFn = [];
      core.notifyDrain(this.handle);
    }
  }
}

for (const name of ["send", "write", "sendPacket", "flush"]) {
  onReplace(Socket.prototype, name, (conn) => conn._watchWrites());
}

/** What the fast paths stand for. A patched prototype differs. */
const pristine = {
  onPacket: Socket.prototype.onPacket,
  sendPacket: Socket.prototype.sendPacket,
  write: Socket.prototype.write,
};

function emitDrain(conn) {
  if (conn._readyState === "closed") {
    return;
  }
  const callbacks = conn.sentCallbackFn.flat();
  conn.sentCallbackFn = [];
  for (const callback of callbacks) {
    callback(conn.transport);
  }
  conn.emit("drain");
  conn.server.emit("drain", conn);
}

/** Hands an engine packet to the core. */
function sendNative(handle, { type, data, options }) {
  if (type !== "message") {
    core.sendPacket(handle, PACKET_TYPES.indexOf(type), data === undefined ? undefined : `${data}`);
    return;
  }
  core.sendGroup(handle, [toMessage(data)], options.compress === false ? UNCOMPRESSED : 0);
}

/** A message in one of the two forms that the core takes: a string or a Buffer. */
function toMessage(data) {
  if (Buffer.isBuffer(data)) {
    return data;
  }
  if (ArrayBuffer.isView(data)) {
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  }
  if (data instanceof ArrayBuffer) {
    return Buffer.from(data);
  }
  return data === undefined ? "" : `${data}`;
}

/** Flag of the core: not to be compressed. */
const UNCOMPRESSED = 2;

function clearWriteBuffer(conn) {
  conn._writeBuffer.length = 0;
}

/** True when somebody has replaced how all connections write. */
function writesArePatched() {
  const { sendPacket, write } = Socket.prototype;
  return sendPacket !== pristine.sendPacket || write !== pristine.write;
}

module.exports = { Socket, toMessage, writesArePatched };
