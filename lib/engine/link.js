"use strict";

// A stream whose WebSocket lives in the native core. Its file descriptor is taken
// over where there is one; else its bytes are passed through ("bridged").

const net = require("net");
const debug = require("debug")("engine:ws");
const { core, links, ref, unref } = require("../dispatch");
const { AcceptedLink, neverIdle } = require("./accepted");
const { kDecrypted } = require("./tls");

class Link {
  /**
   * @param {import("net").Socket} socket the stream, in truth any Duplex of an upgrade request
   * @param {Buffer} head what was read behind the request
   * @param {import("./deflate").Agreement} [deflate] what was agreed on about compression
   */
  constructor(socket, head, deflate) {
    this.id = core.link();
    this.socket = socket;
    this.handle = -1;
    this.sid = undefined;
    this.gone = false;
    this.bridged = !canTakeOver(socket);
    this.head = head;
    this.deflate = deflate;
    /** The HTTP answer went ahead. */
    this.answered = false;
    /** Bytes of a bridged stream that the core does not know to be written. */
    this._unreported = 0;
    this._draining = false;
    links.set(this.id, this);
    ref();
    socket.on("error", noop);
    socket.on("close", () => this._onSocketClose());
  }

  /** True once the peer has left. Node's socket knows that a while before it says so. */
  get hasEnded() {
    return this.gone || this.socket.destroyed;
  }

  /**
   * Sends the HTTP answer ahead of everything else. Usually it leaves together with the first
   * frame, which is one segment less; a client that starts to listen when it sees the answer
   * would miss that frame.
   */
  answer(response) {
    this.answered = true;
    this.socket.write(response);
  }

  /**
   * Completes the handshake in the core.
   * @param {string} response the HTTP answer
   * @param {boolean} base64 the client takes no binary frames
   * @param {(options: object) => number|void} open calls into the core
   * @returns {number|void} what `open` returned
   */
  start(response, base64, open) {
    const { socket, head } = this;
    const rest = this.answered ? "" : response;
    const options = { id: this.id, response: rest, base64, deflate: this.deflate?.native };
    this.head = undefined;
    if (!this.bridged) {
      socket._handle.readStop();
      socket._handle.reading = false;
      socket.pause();
      options.head = drain(socket, head);
      options.fd = socket._handle.fd;
      try {
        const result = open(options);
        detach(socket, Buffer.byteLength(response));
        return result;
      } catch (err) {
        // Out of descriptors, most likely. A bridged stream needs none.
        debug("the socket could not be taken over: %s", err.message);
        this.bridged = true;
        delete options.fd;
      }
    } else if (head.length > 0) {
      options.head = head;
    }
    return open(options);
  }

  /**
   * Parts with Node's socket, which nobody knows of.
   * @param {import("./accepted").Acceptor} acceptor who counts the connection from now on
   * @param {import("./server").Server} engine
   * @param {string} head of the request
   * @returns {AcceptedLink} what stands for the stream now
   */
  release(acceptor, engine, head) {
    const { socket, id } = this;
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    const addresses = [remoteAddress, remotePort, localAddress, localPort];
    this._forget();
    const link = new AcceptedLink(id, acceptor, engine, [...addresses, head]);
    if (this.deflate !== undefined) {
      link.deflate = this.deflate;
    }
    socket.destroy();
    return link;
  }

  /** Gives up a stream whose handshake was not completed. */
  abandon() {
    this._forget();
    this.socket.destroy();
  }

  /** Names the session that the stream serves; a bridged stream starts to flow. */
  bind(handle, sid) {
    debug("%s: a WebSocket, %s", sid, this.bridged ? "bridged" : "its descriptor taken over");
    this.sid = sid;
    this.handle = handle;
    if (this.bridged && this.socket.destroyed) {
      core.bridgeEnd(handle, this.id);
    } else if (this.bridged) {
      const { socket } = this;
      socket.on("data", (chunk) => core.bridgeData(handle, this.id, chunk));
      socket.on("end", () => core.bridgeEnd(handle, this.id));
      socket.resume();
    }
  }

  /** Writes bytes of the core to a bridged stream. */
  write(data) {
    const { socket } = this;
    if (socket.destroyed || !socket.writable) {
      return;
    }
    this._unreported += data.length;
    if (!socket.write(data)) {
      if (!this._draining) {
        this._draining = true;
        socket.once("drain", () => this._onDrain());
      }
    } else if (this._unreported >= REPORT_FROM && !this._draining) {
      this._report();
    }
  }

  _onDrain() {
    this._draining = false;
    this._report();
  }

  /** Tells the core what was written: it counts what is under way. */
  _report() {
    const bytes = this._unreported;
    this._unreported = 0;
    core.bridgeWritten(this.handle, this.id, bytes);
  }

  /** Ends a bridged stream; a peer that does not close is dropped. */
  end() {
    if (!this.bridged) {
      // The core could not watch the descriptor and has closed it.
      this.onGone();
      return;
    }
    const { socket } = this;
    if (socket.destroyed) {
      return;
    }
    socket.end();
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT);
    timer.unref();
    socket.once("close", () => clearTimeout(timer));
  }

  /** Drops the connection at once. */
  destroy() {
    if (this.gone) {
      return;
    }
    if (this.bridged) {
      this.socket.destroy();
    } else if (this.handle !== -1) {
      core.kill(this.handle, this.id);
    }
  }

  /** The core has closed the descriptor: Node's socket may say so now. */
  onGone() {
    if (!this.gone) {
      debug("%s: the WebSocket is gone", this.sid);
      this._forget();
      this.socket.destroy();
    }
  }

  _onSocketClose() {
    if (this.gone) {
      return;
    }
    if (this.handle === -1) {
      this._forget();
    } else if (this.bridged) {
      core.bridgeEnd(this.handle, this.id);
      this._forget();
    } else {
      // Somebody destroyed Node's socket: the connection goes with it.
      core.kill(this.handle, this.id);
    }
  }

  _forget() {
    if (!this.gone) {
      this.gone = true;
      links.delete(this.id);
      unref();
    }
  }
}

/** True for a plain TCP or unix socket. */
function isPlain(socket) {
  return (
    process.platform !== "win32" &&
    socket instanceof net.Socket &&
    // What the core decrypts comes through a descriptor of its own.
    (!socket.encrypted || socket[kDecrypted] === true)
  );
}

/** True for a plain socket with nothing left to write. */
function canTakeOver(socket) {
  return (
    isPlain(socket) &&
    socket._handle != null &&
    typeof socket._handle.fd === "number" &&
    socket._handle.fd >= 0 &&
    typeof socket._handle.readStop === "function" &&
    socket.writableLength === 0 &&
    !socket.destroyed
  );
}

/** Everything that was read from the stream but not consumed. */
function drain(socket, head) {
  let chunk = socket.read();
  if (chunk === null) {
    return head.length > 0 ? head : undefined;
  }
  const chunks = [head];
  while (chunk !== null) {
    chunks.push(chunk);
    chunk = socket.read();
  }
  return Buffer.concat(chunks);
}

/**
 * Takes the descriptor from Node's socket without ending the socket object: it goes on to count
 * as a connection of its server, keeps its addresses, and emits `close` when we say so.
 */
function detach(socket, written) {
  const handle = socket._handle;
  const { localAddress, localPort, localFamily } = socket;
  // Node caches the peer's address when it is first read, but not our own.
  void socket.remoteAddress;
  Object.defineProperties(socket, {
    localAddress: { value: localAddress, configurable: true, writable: true },
    localPort: { value: localPort, configurable: true, writable: true },
    localFamily: { value: localFamily, configurable: true, writable: true },
    // Others who look after upgrade requests take an unwritten socket for an unclaimed one.
    bytesWritten: { value: written, configurable: true, writable: true },
    // There is no half-closing any more: who ends the socket wants the connection gone.
    end: { value: endDetached, configurable: true, writable: true },
    setTimeout: { value: neverIdle, configurable: true, writable: true },
  });
  socket.timeout = 0;
  socket._handle = null;
  handle.onread = noop;
  handle.close();
}

function endDetached() {
  return this.destroy();
}

function noop() {}

/** Bytes that are worth a report. */
const REPORT_FROM = 16 * 1024;
/** As long as the core waits for the peer's close frame. */
const CLOSE_TIMEOUT = 30_000;

module.exports = { Link, isPlain };
