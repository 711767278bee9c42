"use strict";

// What JavaScript holds of a connection whose request and socket nobody has seen, be it
// that the native listener has accepted it or that Node has: both are made when somebody
// first asks for them.

const http = require("http");
const net = require("net");
const debug = require("debug")("engine:ws");
const { core, links, ref, unref } = require("../dispatch");
const { markAsSecure } = require("./tls");

/** What is known of a request. Stands in for the request until somebody wants that. */
class Origin {
  /**
   * @param {Acceptor} acceptor
   * @param {import("./server").Server} engine
   * @param {any[]} fields the peer's address and port, our own, and the request's head
   * @param {AcceptedLink} [link] the stream, if it is a WebSocket's
   */
  constructor(acceptor, engine, fields, link) {
    this.acceptor = acceptor;
    this.engine = engine;
    this.link = link;
    /** The connection that it has opened over polling. @type {any} */
    this.conn = undefined;
    const [remoteAddress, remotePort, localAddress, localPort, head] = fields;
    this.remoteAddress = remoteAddress ?? undefined;
    this.remotePort = remotePort;
    this.localAddress = localAddress;
    this.localPort = localPort;
    this.head = head;
    /** @type {any} */
    this._request;
    /** @type {any} */
    this._socket;
  }

  /** What is read of a request when a connection begins. */
  get connection() {
    return this;
  }

  get encrypted() {
    return this.acceptor.tls !== undefined;
  }

  /** The request. */
  get request() {
    this._request ??= createRequest(this);
    return this._request;
  }

  /** Its socket. */
  get socket() {
    this._socket ??= new AcceptedSocket(this);
    return this._socket;
  }

  /** The stream is gone. */
  onGone() {
    this._socket?.destroy();
  }

  /** The socket was destroyed. A client that still polls loses its session with it. */
  onDestroyed() {
    if (this.link !== undefined) {
      this.link.destroy();
    } else if (this.conn?.transport.name === "polling") {
      core.fail(this.conn.handle, "poll connection closed prematurely", undefined);
    }
  }
}

/** A WebSocket's stream that is not Node's: it never was, or not any more. */
class AcceptedLink {
  /**
   * @param {number} id
   * @param {Acceptor} acceptor
   * @param {import("./server").Server} engine
   * @param {any[]} fields as for an Origin
   */
  constructor(id, acceptor, engine, fields) {
    this.id = id;
    this.handle = -1;
    /** @type {any} */
    this.transport = undefined;
    /** @type {import("./deflate").Agreement|undefined} */
    this.deflate;
    this.origin = new Origin(acceptor, engine, fields, this);
    links.set(id, this);
    ref();
    acceptor.count(1);
  }

  /** What stands for Node's socket. */
  get socket() {
    return this.origin.socket;
  }

  /** Names the session that the stream serves. */
  bind(handle, sid) {
    debug("%s: a WebSocket whose socket is made on demand", sid);
    this.handle = handle;
  }

  /** Nothing passes through JavaScript. */
  write() {}

  /** The core could not watch the descriptor and has closed it. */
  end() {
    this.onGone();
  }

  /** Drops the connection at once. */
  destroy() {
    if (!this.gone && this.handle !== -1) {
      core.kill(this.handle, this.id);
    }
  }

  /** The core has closed the descriptor. */
  onGone() {
    if (!this.gone) {
      debug("%s: the WebSocket is gone", this.transport?.conn?.id);
      this.gone = true;
      links.delete(this.id);
      unref();
      this.origin.onGone();
      this.origin.acceptor.count(-1);
    }
  }
}

/**
 * Whose connection it is.
 * @typedef {object} Acceptor
 * @property {any} httpServer
 * @property {any} tls what the core speaks, if it does
 * @property {(difference: number) => void} count keeps the http server's count of connections
 */

/** Stands for the connections of an http server that Node has accepted. */
class NodeAcceptor {
  /** @param {import("http").Server} httpServer */
  constructor(httpServer) {
    this.httpServer = httpServer;
    this.tls = undefined;
  }

  count(difference) {
    countConnections(this.httpServer, difference);
  }
}

/** Counts connections of an http server, which waits for them when it closes. */
function countConnections(/** @type {any} */ httpServer, difference) {
  httpServer._connections += difference;
  if (difference < 0) {
    httpServer._emitCloseIfDrained?.();
  }
}

// What most connections never change takes no room in them.
Object.assign(Origin.prototype, { _request: undefined, _socket: undefined });
Object.assign(AcceptedLink.prototype, { bridged: false, deflate: undefined, gone: false });

/** A socket without a handle: it has the addresses, and ends the connection when it is destroyed. */
class AcceptedSocket extends net.Socket {
  /** @param {Origin} origin */
  constructor(origin) {
    const { remoteAddress, remotePort, localAddress, localPort, link, acceptor } = origin;
    super({ allowHalfOpen: true });
    setAddresses(this, [remoteAddress, remotePort, localAddress, localPort]);
    define(this, {
      // Others who look after upgrade requests take an unwritten socket for an unclaimed one.
      bytesWritten: 1,
      server: acceptor.httpServer,
      // There is no half-closing: who ends the socket wants the connection gone.
      end: endAccepted,
      setTimeout: neverIdle,
      address: ownAddress,
    });
    if (acceptor.tls !== undefined) {
      markAsSecure(this);
    }
    this.on("error", noop);
    this.on("close", () => origin.onDestroyed());
    if (link?.gone) {
      this.destroy();
    }
  }
}

/** Makes the request that a connection began with, from its head. */
function createRequest(origin) {
  const [requestLine, ...lines] = origin.head.split("\r\n");
  const [method, url] = requestLine.split(" ");
  /** @type {any} Its inner fields are used too. */
  const req = new http.IncomingMessage(origin.socket);
  req.httpVersion = "1.1";
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  req.method = method;
  req.url = url;
  const rawHeaders = [];
  for (const line of lines) {
    if (line !== "") {
      const colon = line.indexOf(":");
      rawHeaders.push(line.slice(0, colon), line.slice(colon + 1).replace(SPACE_AROUND, ""));
    }
  }
  req._addHeaderLines(rawHeaders, rawHeaders.length);
  req.complete = true;
  req.upgrade = origin.link !== undefined;
  if (origin.link !== undefined) {
    Object.defineProperty(req, "websocket", {
      configurable: true,
      get: () => origin.link.transport?.socket,
    });
  }
  origin.engine.prepare(req);
  return req;
}

/**
 * Gives a socket the addresses of its connection.
 * @param {import("net").Socket} socket
 * @param {any[]} addresses the peer's address and port, and our own
 */
function setAddresses(socket, [remoteAddress, remotePort, localAddress, localPort]) {
  define(socket, {
    remoteAddress: remoteAddress ?? undefined,
    remotePort: remotePort ?? undefined,
    remoteFamily: familyOf(remoteAddress),
    localAddress: localAddress ?? undefined,
    localPort: localPort ?? undefined,
    localFamily: familyOf(localAddress),
  });
}

function define(object, values) {
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(object, name, { value, configurable: true, writable: true });
  }
}

function familyOf(address) {
  return address ? `IPv${net.isIP(address)}` : undefined;
}

/** @this {any} */
function ownAddress() {
  const { localAddress: address, localFamily: family, localPort: port } = this;
  return address === undefined ? {} : { address, family, port };
}

/**
 * `setTimeout` of a socket whose bytes pass elsewhere: nobody knows here whether it is idle.
 * @this {any}
 */
function neverIdle(ms, callback) {
  this.timeout = ms;
  if (callback !== undefined) {
    if (ms === 0) {
      this.removeListener("timeout", callback);
    } else {
      this.once("timeout", callback);
    }
  }
  return this;
}

function endAccepted() {
  return this.destroy();
}

function noop() {}

const SPACE_AROUND = /^[ \t]+|[ \t]+$/g;

module.exports = {
  AcceptedLink,
  NodeAcceptor,
  Origin,
  countConnections,
  neverIdle,
  setAddresses,
};
