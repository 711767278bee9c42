"use strict";

// `transport.socket`: what stands for the WebSocket of the `ws` package where
// applications reach for it. The WebSocket itself is the native core's.

const { EventEmitter } = require("events");
const { core } = require("../dispatch");
const { NAME } = require("./deflate");

/** States by name, with the numbers of the standard. */
const STATES = { connecting: 0, open: 1, closing: 2, closed: 3 };
/** Events of frames that the core reports on demand. */
const FRAME_EVENTS = new Set(["ping", "pong", "close"]);
/** Opcodes of frames (RFC 6455, 5.2). */
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
/** Close codes that are never on the wire (RFC 6455, 7.4.1). */
const NO_STATUS = 1005;
const ABNORMAL = 1006;

class SocketView extends EventEmitter {
  constructor(transport) {
    super();
    this._transport = transport;
    this.binaryType = "nodebuffer";
    this.isPaused = false;
    const { deflate } = transport.link;
    /** The names of the extensions that were agreed on. */
    this.extensions = deflate ? NAME : "";
    this._extensions = deflate ? { [NAME]: new PerMessageDeflate(deflate) } : {};
    this.protocol = transport._subprotocol;
    this._closeCode = ABNORMAL;
    this._closeReason = Buffer.alloc(0);
    transport.once("close", () => this.emit("close", this._closeCode, this._closeReason));
  }

  /** The stream below. */
  get _socket() {
    return this._transport.link.socket;
  }

  get readyState() {
    return STATES[this._transport.readyState];
  }

  /** Bytes that wait to be written. */
  get bufferedAmount() {
    const { conn } = this._transport;
    return conn !== null && conn.handle !== -1 ? core.waiting(conn.handle)[0] : 0;
  }

  on(event, listener) {
    return this.addListener(event, listener);
  }

  addListener(event, listener) {
    observe(this, event);
    return super.addListener(event, listener);
  }

  prependListener(event, listener) {
    observe(this, event);
    return super.prependListener(event, listener);
  }

  /**
   * Sends a message as it is, past Engine.IO.
   * @param {string|Buffer|ArrayBuffer|ArrayBufferView} data
   * @param {{binary?: boolean}} [options]
   * @param {(err?: Error) => void} [callback] called when it was written
   */
  send(data, options, callback) {
    if (typeof options === "function") {
      callback = options;
      options = undefined;
    }
    const isBinary = options?.binary ?? typeof data === "object";
    this._frame(isBinary ? BINARY : TEXT, data, callback);
  }

  /** Sends a ping frame. */
  ping(data, mask, callback) {
    this._frame(PING, data, lastFunction(data, mask, callback));
  }

  /** Sends a pong frame. */
  pong(data, mask, callback) {
    this._frame(PONG, data, lastFunction(data, mask, callback));
  }

  /** Starts the close handshake. */
  close(code, reason) {
    const { conn, readyState } = this._transport;
    if (readyState !== "open" || conn?.transport !== this._transport || conn.handle === -1) {
      return;
    }
    const words = Buffer.from(reason ?? "");
    const payload = Buffer.alloc(code === undefined ? 0 : 2 + words.length);
    if (code !== undefined) {
      payload.writeUInt16BE(code);
      words.copy(payload, 2);
    }
    this._closeCode = code ?? NO_STATUS;
    this._closeReason = words;
    core.fail(conn.handle, undefined, payload);
  }

  /** Drops the connection without a close handshake. */
  terminate() {
    this._transport.link.destroy();
  }

  /** Takes a control frame of the peer. */
  onControl(opcode, data) {
    if (opcode === PING) {
      this.emit("ping", data);
    } else if (opcode === PONG) {
      this.emit("pong", data);
    } else if (opcode === CLOSE) {
      this._closeCode = data.length >= 2 ? data.readUInt16BE() : NO_STATUS;
      this._closeReason = data.subarray(2);
    }
  }

  _frame(opcode, data, callback) {
    const { conn, readyState } = this._transport;
    if (readyState !== "open" || conn === null || conn.handle === -1) {
      const state = Object.keys(STATES)[this.readyState].toUpperCase();
      callback?.(new Error(`WebSocket is not open: readyState ${this.readyState} (${state})`));
      return;
    }
    core.sendFrame(conn.handle, opcode, toBytes(data));
    if (callback !== undefined) {
      conn.afterWrite(() => callback());
    }
  }
}

/** What was agreed on, as `ws` shows it. */
class PerMessageDeflate {
  constructor({ params, native }) {
    this.params = Object.fromEntries(params);
    this._threshold = native.threshold;
    this._isServer = true;
  }
}

Object.assign(SocketView.prototype, { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });

function observe(view, event) {
  const { conn } = view._transport;
  if (event === "message") {
    conn?.setRaw();
  } else if (FRAME_EVENTS.has(event)) {
    conn?.watchFrames();
  }
}

function toBytes(data) {
  if (data === undefined || typeof data === "function") {
    return Buffer.alloc(0);
  }
  if (ArrayBuffer.isView(data)) {
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  }
  return Buffer.from(typeof data === "number" ? String(data) : data);
}

function lastFunction(...values) {
  return values.find((value) => typeof value === "function");
}

module.exports = { SocketView };
