"use strict";

// The HTTP long-polling transport's handle: turns Node's requests into calls of the
// native core, and the core's answers into responses.

const zlib = require("zlib");
const accepts = require("accepts");
const debug = require("debug")("engine:polling");
const { addRequest, core, requests } = require("../dispatch");
const { maxBackpressure } = require("./limits");
const { Transport } = require("./transport");

class Polling extends Transport {
  /**
   * @param {import("http").IncomingMessage} req
   * @param {import("./server").Server} server
   */
  constructor(req, server) {
    super(req);
    this.server = server;
    /** Milliseconds that closing waits for the client's next GET. */
    this.closeTimeout = 30_000;
    this.maxHttpBufferSize = 1e6;
    this.httpCompression = undefined;
    /** The GET that waits, and its response. */
    this.req = null;
    this.res = null;
    /** The POST that is being read, and its response. */
    this.dataReq = null;
    this.dataRes = null;
    /** Answers to GETs that are on their way, and their bytes. */
    this._answers = 0;
    this._unread = 0;
  }

  get name() {
    return "polling";
  }

  static get upgradesTo() {
    return ["websocket", "webtransport"];
  }

  /** Digits that name the callback of a JSONP client. */
  get jsonp() {
    return undefined;
  }

  /** True while a GET waits that nothing was written to yet. */
  get writable() {
    return this.readyState === "open" && this.req !== null && !this.conn?.isWriting(true);
  }

  /** Answers the GET that opened the connection, before anybody hears of the connection. */
  answerHandshake(req, body) {
    this.req = req;
    this.res = req.res;
    req.res = null;
    this.write(body, { compress: true });
    this.req = null;
    this.res = null;
  }

  onRequest(req) {
    const { res } = req;
    // The response must not keep the request alive, or the other way round, once both are done.
    req.res = null;
    if (req.method === "GET") {
      this.onPollRequest(req, res);
    } else if (req.method === "POST") {
      this.onDataRequest(req, res);
    } else {
      res.writeHead(500);
      res.end();
    }
  }

  /** Takes a GET. */
  onPollRequest(req, res) {
    const { handle } = this.conn;
    // The last bytes of a single one may have gone this moment.
    if (this._answers > 1 && this._unread > maxBackpressure(this.server.opts)) {
      debug("%s asks for more and does not read", this.sid);
      core.cutOff(handle);
      return refuse(res, 400);
    }
    const first = this.req === null;
    const cleanup = () => {
      this.req = null;
      this.res = null;
    };
    const poll = {
      done: false,
      respond: (status, kind, body) => {
        poll.done = true;
        if (!first) {
          this._respond(req, res, status, kind, body);
          return;
        }
        if (this._isPayload(kind)) {
          debug("answering a poll of %s with %d characters or bytes", this.sid, body.length);
          this.write(body, { compress: kind === BODY_TEXT || kind === BODY_BINARY });
          cleanup();
        } else {
          cleanup();
          this._respond(req, res, status, kind, body);
        }
      },
    };
    const id = addRequest(poll);
    if (first) {
      debug("a poll of %s", this.sid);
      this.req = req;
      this.res = res;
      req.cleanup = cleanup;
    } else {
      debug("a second poll of %s while one waits", this.sid);
    }
    req.once("close", () => {
      if (!poll.done) {
        requests.delete(id);
        if (first) {
          cleanup();
        }
        core.abortPoll(handle, id);
      }
    });
    core.poll(handle, id);
    this.conn.onReady();
  }

  /** Takes a POST. */
  onDataRequest(req, res) {
    if (this.dataReq !== null) {
      this.onError("data request overlap from client");
      return refuse(res, 400);
    }
    const isBinary = req.headers["content-type"] === "application/octet-stream";
    if (isBinary && this.protocol === 4) {
      this.onError("invalid content");
      return refuse(res, 400);
    }
    this.dataReq = req;
    this.dataRes = res;
    const chunks = [];
    let length = 0;
    let refused = false;
    const done = () => {
      req.removeListener("data", onData);
      req.removeListener("end", onEnd);
      req.removeListener("close", onClose);
      this.dataReq = null;
      this.dataRes = null;
    };
    const onData = (chunk) => {
      length += chunk.length;
      if (length > this.maxHttpBufferSize && !refused) {
        refused = true;
        done();
        debug("a post of %s exceeds maxHttpBufferSize", this.sid);
        res.writeHead(413);
        res.end();
        return;
      }
      chunks.push(chunk);
    };
    const onClose = () => {
      done();
      this.onError("data request connection closed prematurely");
    };
    const onEnd = () => {
      req.removeListener("close", onClose);
      const close = holdClose(req);
      const id = addRequest({
        respond: (status, kind, body) => {
          done();
          this._respond(req, res, status, kind, body);
          close();
        },
      });
      debug("a post of %s with %d bytes", this.sid, length);
      core.post(this.conn.handle, id, Buffer.concat(chunks), isBinary);
    };
    req.on("close", onClose);
    req.on("data", onData);
    req.on("end", onEnd);
  }

  /** Headers of every answer. Listeners of `headers` may change them. */
  headers(req, headers = {}) {
    const agent = req.headers["user-agent"];
    if (agent && (agent.includes(";MSIE") || agent.includes("Trident/"))) {
      headers["X-XSS-Protection"] = "0";
    }
    headers["cache-control"] = "no-store";
    this.emit("headers", headers, req);
    return headers;
  }

  doClose(fn) {
    const { conn, discarded, req } = this;
    debug("closing the polling transport of %s", conn.id);
    if (this.dataReq !== null) {
      this.dataReq.destroy();
    }
    let isOver = discarded;
    if (discarded || req === null) {
      core.close(conn.handle, discarded);
    } else {
      // The core may have answered the GET that waits here: we would hear of it in a later turn.
      isOver = core.closePolled(conn.handle);
    }
    if (isOver) {
      fn();
    } else if (this.closeTimeout !== DEFAULT_CLOSE_TIMEOUT) {
      core.setCloseTimeout(conn.handle, this.closeTimeout);
    }
  }

  onClose() {
    const { dataReq } = this;
    super.onClose();
    // The rest of a body that is still on its way is of no use to anybody.
    dataReq?.destroy();
  }

  /**
   * Writes a payload to the GET that waits.
   * @param {string|Buffer} data
   * @param {{compress?: boolean}} options
   */
  write(data, options) {
    this.doWrite(data, options, noop);
  }

  _isPayload(kind) {
    return kind !== BODY_NONE && kind !== BODY_OK && kind !== BODY_ERROR;
  }

  _respond(req, res, status, kind, body) {
    endIfClosed(req, res);
    switch (kind) {
      case BODY_OK:
        res.writeHead(
          200,
          this.headers(req, { "Content-Type": "text/html", "Content-Length": "2" }),
        );
        res.end("ok");
        return;
      case BODY_ERROR:
        return this.server.abortRequest(req, res, body);
      default:
        return refuse(res, status);
    }
  }

  /**
   * Writes the response, compressed if that is worth it. Calls back when it is on its way.
   * @param {string|Buffer} body
   * @param {{compress?: boolean}} options
   * @param {() => void} callback
   */
  doWrite(body, { compress }, callback) {
    const { req, res } = this;
    endIfClosed(req, res);
    const isText = typeof body === "string";
    const headers = {
      "Content-Type": isText ? "text/plain; charset=UTF-8" : "application/octet-stream",
    };
    const length = isText ? Buffer.byteLength(body) : body.length;
    this._countUntilGone(res, length);
    const encoding = compress && this._encodingFor(req, length);
    if (!encoding) {
      headers["Content-Length"] = length;
      res.writeHead(200, this.headers(req, headers));
      res.end(body);
      callback();
      return;
    }
    headers["Content-Encoding"] = encoding;
    res.writeHead(200, this.headers(req, headers));
    const stream =
      encoding === "gzip"
        ? zlib.createGzip(this.httpCompression)
        : zlib.createDeflate(this.httpCompression);
    stream.on("error", () => res.destroy());
    stream.pipe(res);
    stream.end(body);
    callback();
  }

  /** Counts an answer while it is on its way. */
  _countUntilGone(res, length) {
    if (res.destroyed) {
      return;
    }
    this._answers++;
    this._unread += length;
    res.once("close", () => {
      this._answers--;
      this._unread -= length;
    });
  }

  /** The content encoding to use, if the answer is worth compressing. */
  _encodingFor(req, length) {
    const { httpCompression } = this;
    if (!httpCompression || length < httpCompression.threshold) {
      return undefined;
    }
    return accepts(req).encodings(["gzip", "deflate"]) || undefined;
  }
}

/** Polling for clients that read answers through script elements. The core wraps them. */
class JSONP extends Polling {
  constructor(req, server) {
    super(req, server);
    this.supportsBinary = false;
    this._digits = req._query.j.replace(/[^0-9]/g, "");
    this.head = `___eio[${this._digits}](`;
    this.foot = ");";
  }

  get jsonp() {
    return this._digits;
  }
}

/** Makes the kind of polling that a request asks for. */
function polling(req, server) {
  return typeof req._query.j === "string" ? new JSONP(req, server) : new Polling(req, server);
}

polling.upgradesTo = Polling.upgradesTo;

function noop() {}

function refuse(res, status) {
  res.writeHead(status);
  res.end();
}

/** Kinds of bodies: the table is in src/event.rs. */
const BODY_NONE = 0;
const BODY_TEXT = 1;
const BODY_BINARY = 2;
const BODY_OK = 3;
const BODY_ERROR = 4;

const DEFAULT_CLOSE_TIMEOUT = 30_000;

/**
 * Keeps a request that has ended from closing until it has its answer, which comes in a later turn: who
 * hears it close before that takes it for one that was aborted.
 * @param {any} req
 * @returns {() => void} closes it
 */
function holdClose(req) {
  const state = req._readableState;
  if (!state?.autoDestroy) {
    return noop;
  }
  state.autoDestroy = false;
  return () => req.destroy();
}

/**
 * A connection must not outlive a server that has closed: Node closes idle ones when that happens, and
 * this one was waiting for its answer.
 */
function endIfClosed(req, res) {
  if (req.socket?.server?.listening === false) {
    res.shouldKeepAlive = false;
  }
}

module.exports = { JSONP, Polling, polling };
