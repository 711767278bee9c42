"use strict";

// What the transports have in common as JavaScript sees them. The transports
// themselves run in the native core; these objects are their handles.

const debug = require("debug")("engine:transport");
const { core } = require("../dispatch");
const { LeanEmitter, listenerTable, setListeners } = require("../lean-emitter");
const { onReplace } = require("../overrides");
const { parserFor } = require("./foreign");

/** Engine.IO packet types by digit. */
const PACKET_TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
/** Events that only come while the connection's writes are watched. */
const WRITE_EVENTS = new Set(["drain", "ready"]);

class Transport extends LeanEmitter {
  /** @param {import("http").IncomingMessage} req the request that opened the transport */
  constructor(req) {
    super();
    setListeners(this, new Listeners());
    /** Protocol revision, 3 or 4. */
    this.protocol = req._query.EIO === "4" ? 4 : 3;
    this._readyState = "open";
    this.discarded = false;
    this.supportsBinary = !req._query.b64;
    this.sid = req._query.sid;
    /** The connection that the transport serves. */
    this.conn = null;
    /** Somebody has listened to its packets. */
    this._isHeard = false;
  }

  /** The transports that clients of this one may upgrade to. */
  static get upgradesTo() {
    return [];
  }

  get readyState() {
    return this._readyState;
  }

  set readyState(state) {
    debug("%s of %s: readyState %s -> %s", nameOf(this), this.sid, this._readyState, state);
    this._readyState = state;
  }

  /** The packet codec of the protocol revision. The core has its own. */
  get parser() {
    return parserFor(this.protocol);
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

  /** Somebody listens to an event: some only come while the connection is watched. */
  _observe(event) {
    if (WRITE_EVENTS.has(event)) {
      this.conn?.watchWrites();
    } else if (event === "packet") {
      this._isHeard = true;
      this.conn?.setRaw();
    }
  }

  /** Nothing is sent over this transport any more. */
  discard() {
    this.discarded = true;
  }

  /** Takes an HTTP request of the client. */
  onRequest(_req) {}

  /** Hands packets to the core. They leave together. */
  send(packets) {
    const { conn } = this;
    for (const packet of packets) {
      const { type, data, options } = packet;
      if (type === "message") {
        const message = messageOf(packet, this);
        const flags = options?.compress === false ? 2 : 0;
        core.sendGroup(conn.handle, [message], flags, conn.touch(data?.length ?? 0));
      } else {
        const text = data === undefined ? undefined : `${data}`;
        const tick = conn.touch(text?.length ?? 0);
        core.sendPacket(conn.handle, PACKET_TYPES.indexOf(type), text, tick);
      }
    }
    conn.awaitDrain();
  }

  /**
   * Closes the transport, at once or when what is queued has left.
   * @param {() => void} [fn] called when it is closed without waiting
   */
  close(fn) {
    if (this.readyState === "closed" || this.readyState === "closing") {
      return;
    }
    this.readyState = "closing";
    /** @type {any} */ (this).doClose(fn || noop);
  }

  /**
   * Fails the connection.
   * @param {string} msg what happened
   * @param {any} [desc] more of it
   */
  onError(msg, desc) {
    const err = transportError(msg, desc);
    if (this.listenerCount("error") > 0) {
      this.emit("error", err);
    } else if (this.conn === null) {
      debug("ignored transport error %s (%s)", msg, desc);
    }
    this.conn?.onError(err);
  }

  /** Takes a packet. */
  onPacket(packet) {
    this.conn?.onPacket(packet);
    this.emit("packet", packet);
  }

  /** Takes an encoded packet. */
  onData(data) {
    this.onPacket(this.parser.decodePacket(data));
  }

  /** Notes the end. */
  onClose() {
    this.readyState = "closed";
    this.emit("close");
  }
}

const Listeners = listenerTable();
const { onPacket, send } = Transport.prototype;
onReplace(Transport.prototype, "onPacket", (transport) => transport.conn?.setRaw());
onReplace(Transport.prototype, "send", (transport) => {
  if (transport.conn) {
    transport.conn.watchWrites();
  } else {
    sendWasReplaced = true;
  }
});

/** Set once `send()` was replaced on a class of transports, or on one that serves nobody yet. */
let sendWasReplaced = false;

/** True when transports have to be handed what is sent. */
function sendsArePatched() {
  return sendWasReplaced || Transport.prototype.send !== send;
}

/** True while packets of the core may go past `transport.onPacket()`. */
function takesPacketsItself(transport) {
  return transport.onPacket === onPacket && !transport._isHeard;
}

/** Each transport has its own `name`. */
function nameOf(/** @type {any} */ transport) {
  return transport.name;
}

/**
 * The error that a broken transport is reported with.
 * @returns {Error & {type?: string, description?: any}}
 */
function transportError(message, description) {
  /** @type {any} */
  const err = new Error(message);
  err.type = "TransportError";
  err.description = description;
  return err;
}

/**
 * The message of a packet. Who sends a WebSocket frame that is made already means what that says,
 * except the adapter, whose frames say the same as the packet.
 * @param {{data?: any, options?: any}} packet
 * @param {any} transport the one in use
 */
function messageOf({ data, options }, transport) {
  const frame = options?.wsPreEncodedFrame;
  const counts = frame !== undefined && !options.preEncoded;
  if (counts && transport.name === "websocket" && !transport.perMessageDeflate) {
    return contentOf(Buffer.concat(frame));
  }
  return toMessage(data);
}

/** The message in an unmasked frame: the core makes frames itself. */
function contentOf(frame) {
  const length = frame[1];
  const payload = frame.subarray(length < 126 ? 2 : length === 126 ? 4 : 10);
  const isText = (frame[0] & 0x0f) === 1;
  // The first character of a text is the type of the packet.
  return isText ? payload.toString("utf8", 1) : payload;
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

function noop() {}

module.exports = {
  PACKET_TYPES,
  Transport,
  messageOf,
  sendsArePatched,
  takesPacketsItself,
  toMessage,
  transportError,
};
