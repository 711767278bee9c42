"use strict";

// The WebSocket transport's handle.

const debug = require("debug")("engine:ws");
const { core } = require("../dispatch");
const { SocketView } = require("./socket-view");
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
    /** The engine's option. */
    this.perMessageDeflate = null;
    this._subprotocol = subprotocol;
    this._view = undefined;
    if (!Object.isFrozen(req)) {
      req[kTransport] = this;
      Object.defineProperty(req, "websocket", ON_REQUEST);
    }
  }

  get name() {
    return "websocket";
  }

  get handlesUpgrades() {
    return true;
  }

  /** False from a write until it has left. */
  get writable() {
    return this.readyState === "open" && this.conn !== null && !this.conn.isWriting();
  }

  /** A view of the connection for code that expects the object of the `ws` package. */
  get socket() {
    this._view ??= new SocketView(this);
    return this._view;
  }

  set socket(socket) {
    Object.defineProperty(this, "socket", { value: socket, configurable: true, writable: true });
  }

  doClose(fn) {
    debug("closing the WebSocket of %s", this.conn.id);
    core.close(this.conn.handle, this.discarded);
    fn();
  }
}

/** The transport that a request has become, on the request. */
const kTransport = Symbol("transport");
/** One getter for all requests: with one each, V8 would give every request a table of its own. */
const ON_REQUEST = {
  configurable: true,
  get() {
    return this[kTransport].socket;
  },
};

module.exports = { WebSocket };
