"use strict";

// The WebSocket transport's handle, and what users know as `transport.socket`.

const { EventEmitter } = require("events");
const { core } = require("../dispatch");
const { NAME } = require("./deflate");
const { Transport } = require("./transport");

class WebSocket extends Transport {
  /**
   * @param {import("http").IncomingMessage} req
   * @param {import("./link").Link} link the stream
   * @param {string} subprotocol the one that was agreed on, or ""
   */
  constructor(req, link, subprotocol) {
    super(req);
    this.link = link;
    this._subprotocol = subprotocol;
    /** The engine's option. */
    this.perMessageDeflate = null;
  }

  get name() {
    return "websocket";
  }

  get handlesUpgrades() {
    return true;
  }

  /** False from a write until the end of the tick. */
  get writable() {
    const { conn } = this;
    return this.readyState === "open" && conn !== null && !conn.hasWritten();
  }

  /** A view of the connection for code that expects the object of the `ws` package. */
  get socket() {
    const socket = new SocketView(this);
    Object.defineProperty(this, "socket", { value: socket, configurable: true, writable: true });
    return socket;
  }

  doClose(fn) {
    core.close(this.conn.handle, this.discarded);
    fn();
  }
}

/** Stands for the `ws` WebSocket where users reach for it. */
class SocketView extends EventEmitter {
  constructor(transport) {
    super();
    this._transport = transport;
    const { deflate } = transport.link;
    /** The names of the extensions that were agreed on. */
    this.extensions = deflate ? NAME : "";
    this._extensions = deflate ? { [NAME]: new PerMessageDeflate(deflate) } : {};
    this.protocol = transport._subprotocol;
    transport.once("close", () => this.emit("close", 1006, Buffer.alloc(0)));
  }

  /** The stream below. */
  get _socket() {
    return this._transport.link.socket;
  }

  get readyState() {
    return { open: 1, closing: 2, closed: 3 }[this._transport.readyState];
  }

  /** Bytes that wait because the peer takes no more, as of when that began. */
  get bufferedAmount() {
    return this._transport.conn?.blockedBytes ?? 0;
  }

  /** Starts the close handshake. */
  close() {
    const { conn } = this._transport;
    if (this._transport.readyState === "open" && conn.transport === this._transport) {
      core.fail(conn.handle);
    }
  }

  /** Drops the connection without a close handshake. */
  terminate() {
    this._transport.link.destroy();
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

module.exports = { WebSocket };
