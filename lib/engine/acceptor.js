"use strict";

// How connections of an http server come to Rust, which serves those of the engines by itself:
// either Node accepts, and offers Rust what it has accepted, or Rust accepts (the native listener),
// and gives every other connection to the http server.

const http = require("http");
const debug = require("debug")("engine:acceptor");
const { acceptors, core, ref, refuse, unref } = require("../dispatch");
const { nextTick, setImmediate } = require("../scheduling");
const { AcceptedLink, Origin, countConnections } = require("./accepted");
const { maxHandshakes } = require("./limits");
const {
  Listening,
  backlogOf,
  canFollow,
  fdOf,
  giveUp,
  keepAlive,
  obstacleOf,
} = require("./listening");
const { adopt, dropped, isFull } = require("./passed");
const { OPTIONS, SERVER_SETTINGS, isTraced, routeOf } = require("./policy");
const { kTls, markAsSecure } = require("./tls");
const { mustBe } = require("../must-be");

/** What `acceptor` may be. */
const ACCEPTORS = ["auto", "native", "node"];

/** The listener of an http server, if it has one. */
const listeners = new WeakMap();
/** The engines that are attached to an http server, and their paths. */
const claims = new WeakMap();

/** Notes that requests of a path are an engine's, as far as they are not another's already. */
function claimPath(httpServer, engine, path) {
  if (!claims.has(httpServer)) {
    claims.set(httpServer, []);
  }
  claims.get(httpServer).push({ engine, path });
  listeners.get(httpServer)?.refreshSoon();
}

/** True when Node's order of listeners decides which engine a request is for. */
function isContested(httpServer, { engine, path }) {
  return claims
    .get(httpServer)
    .some(
      (other) =>
        other.engine !== engine &&
        !other.engine._closed &&
        (other.path.startsWith(path) || path.startsWith(other.path)),
    );
}

/**
 * Who accepts the connections of an http server. Where that is one which Socket.IO has made for a
 * port, nobody can tell who does, so "auto" is the native listener there.
 * @param {string|undefined} asked the option `acceptor`
 * @param {boolean} isOwn the http server was made for a port, and has no other purpose
 */
function acceptorOf(asked, isOwn) {
  const [name, value] =
    asked === undefined
      ? ["environment variable FERRIO_ACCEPTOR", process.env.FERRIO_ACCEPTOR || "auto"]
      : ['option "acceptor"', asked];
  if (!ACCEPTORS.includes(value)) {
    const names = ACCEPTORS.map((one) => `"${one}"`).join(", ");
    throw new TypeError(mustBe(`the ${name}`, `one of ${names}`, value));
  }
  if (value === "auto" && process.platform !== "linux") {
    return "node";
  }
  return value === "auto" && isOwn ? "native" : value;
}

/**
 * Brings connections of an http server to Rust, now or when it listens.
 * @param {import("./server").Server} engine
 * @param {import("http").Server} httpServer
 * @param {string} path that the engine's requests start with
 * @param {object} pristine the methods of the engine's class as they were made
 * @param {object} how
 * @param {boolean} how.isNative Rust accepts
 * @param {boolean} how.isAsked the application has asked for it, and hears if it cannot be
 * @param {boolean} how.isProxied its connections begin with a header of the PROXY protocol
 */
function bringConnections(engine, httpServer, path, pristine, { isNative, isAsked, isProxied }) {
  let acceptor = listeners.get(httpServer);
  if (acceptor === undefined) {
    acceptor = new Acceptor(httpServer);
    listeners.set(httpServer, acceptor);
  }
  if (isNative && !acceptor.isNative) {
    acceptor.goNative();
  }
  acceptor.isProxied ||= isProxied;
  acceptor.add(engine, path, pristine, isAsked);
}

class Acceptor {
  /** @param {import("http").Server} httpServer */
  constructor(httpServer) {
    /** Its inner fields are used too. @type {any} */
    this.httpServer = httpServer;
    /** Number of the listener in the core; -1 while there is none. */
    this.id = -1;
    this.routes = [];
    /** Rust accepts, where that can be. */
    this.isNative = false;
    /** Connections begin with a header of the PROXY protocol. */
    this.isProxied = false;
    /** The TLS that the core speaks, if it does. */
    this.tls = undefined;
    this._asked = false;
    this._warned = false;
    this._policy = "";
    /** There is something that Rust may serve. */
    this._hasRoutes = false;
    /** What may change without a word was looked at in this turn of the event loop, and was this. */
    this._isFresh = false;
    this._contents = "";
    this._refreshing = false;
    /** Handshakes that JavaScript has heard of since it last said so. */
    this._heard = undefined;
    /** The handle on which Node accepts, if it offers what it has accepted. */
    this._followed = undefined;
    httpServer.on("listening", () => this._begin());
    const changed = () => this.refreshSoon();
    httpServer.on("newListener", changed);
    httpServer.on("removeListener", changed);
    for (const name of SERVER_SETTINGS) {
      watch(httpServer, name, changed);
    }
    if (httpServer.listening) {
      // What is registered in this turn counts.
      setImmediate(() => this._begin());
    }
  }

  /** Rust is to accept from now on, or from the next time that the http server listens. */
  goNative() {
    this.isNative = true;
    if (this._followed !== undefined) {
      this._asked = true;
      this._complain("the http server listens already, for an engine that has not asked for it");
    }
  }

  /** Adds an engine. */
  add(engine, path, pristine, asked) {
    this.routes.push({ engine, path, pristine });
    this._asked ||= asked;
    const changed = () => this.refreshSoon();
    // Another http server may have the same engine.
    const { onPolicyChange } = engine;
    engine.onPolicyChange = () => {
      onPolicyChange();
      changed();
    };
    for (const name of OPTIONS) {
      watch(engine.opts, name, changed);
    }
    this.refreshSoon();
  }

  /** Decides anew, later in this turn. */
  refreshSoon() {
    if (!this._refreshing) {
      this._refreshing = true;
      nextTick(() => {
        this._refreshing = false;
        this.refresh();
      });
    }
  }

  /** Tells the core what it may serve, if that has changed. */
  refresh() {
    if (this.id === -1) {
      return;
    }
    const { httpServer } = this;
    const routes = this.routes
      .filter((route) => !isContested(httpServer, route))
      .map(({ engine, path, pristine }) => routeOf(engine, path, pristine, httpServer))
      .filter((route) => route !== undefined);
    const times = {
      keepAlive: milliseconds(httpServer.keepAliveTimeout),
      ...timesOfRequest(httpServer),
    };
    const maxHead = httpServer.maxHeaderSize || http.maxHeaderSize;
    const policy = JSON.stringify([times, maxHead, routes]);
    if (policy !== this._policy) {
      debug("served natively from now on: %s", policy);
      this._policy = policy;
      this._hasRoutes = routes.length > 0;
      if (this._followed !== undefined) {
        // The core can tell by their first bytes only.
        core.deferAccept(fdOf(this._followed), this._hasRoutes);
      }
      core.setPolicy(this.id, times, maxHead, routes);
    }
  }

  /** Counts connections of the http server. */
  count(difference) {
    countConnections(this.httpServer, difference);
  }

  /** The http server does not listen any more. */
  stop() {
    this._followed = undefined;
    core.closeAcceptor(this.id);
    this.id = -1;
    this._policy = "";
    // Stands for the connections over HTTP, until the core says that they are gone.
    this.httpServer._connections++;
    ref();
  }

  // What the core reports. Called by the dispatcher only.

  /**
   * A connection of the engine is open. True when application code may have run.
   * @param {number} handle
   * @param {any[]} record the fields of an ACCEPTED record
   */
  onAccepted(handle, record) {
    this._hear(record[4]);
    const fields = record.slice(5);
    const route = this.routes.find(({ engine }) => engine._engine === record[0]);
    const { httpServer } = this;
    if (route === undefined || route.engine._closed || isFull(httpServer)) {
      debug("a connection that came too late, or is one too many, is closed");
      refuse(handle);
      if (isFull(httpServer)) {
        httpServer.emit("drop", dropped(fields));
      }
      return true;
    }
    const { engine } = route;
    const [, sid, isWebSocket, linkId] = record;
    const isHeard = engine.isHeard();
    if (isWebSocket) {
      engine.acceptWebSocket(handle, sid, new AcceptedLink(linkId, this, engine, fields));
    } else {
      engine.acceptPolling(handle, sid, new Origin(this, engine, fields));
    }
    return isHeard;
  }

  /** A WebSocket probes a connection. */
  onProbing(conn, linkId, fields) {
    // A connection that was refused has no server, and is being closed.
    conn.server?.acceptProbe(conn, new AcceptedLink(linkId, this, conn.server, fields));
  }

  /** Connections wait for the http server. */
  onPassed(id) {
    this._passOn(core.takePassed(id));
    this.refreshSoon();
  }

  /** Gives connections to the http server, the first first. */
  _passOn(passed) {
    try {
      while (passed.length > 0) {
        this._passOne(passed.shift());
      }
    } finally {
      if (passed.length > 0) {
        // A listener of the application has thrown: that is not the fault of the others.
        setImmediate(() => this._passOn(passed));
      }
    }
  }

  _passOne({ fd, bytes, addresses }) {
    const { httpServer } = this;
    const socket = adopt(httpServer, fd, addresses);
    if (socket === undefined) {
      return;
    }
    if (this.tls !== undefined) {
      markAsSecure(socket);
    }
    httpServer.emit(this.tls === undefined ? "connection" : "secureConnection", socket);
    if (bytes !== undefined) {
      // The parser reads from the handle; what was read before is given to it by hand.
      socket.emit("data", bytes);
    }
  }

  /** The core has closed the listener, and all that it served over HTTP is gone. */
  onUnlistened(id) {
    acceptors.delete(id);
    core.forgetAcceptor(id);
    unref();
    this.count(-1);
  }

  /** Bounds of the listener: where engines share it, the most that any of them takes. */
  _limits() {
    const counts = this.routes.map(({ engine }) => maxHandshakes(engine.opts));
    return {
      ...TIME_LIMITS,
      maxPending: Math.min(Math.max(...counts), MOST_HANDSHAKES),
      tlsHandshake: this.tls?.setup.handshakeTimeout ?? 0,
    };
  }

  _hear(id) {
    if (this._heard?.id === id) {
      this._heard.count++;
      return;
    }
    const heard = { id, count: 1 };
    this._heard = heard;
    this.refreshSoon();
    setImmediate(() => {
      core.heardHandshakes(id, heard.count);
      if (this._heard === heard) {
        this._heard = undefined;
      }
    });
  }

  /** The http server listens. */
  _begin() {
    const { httpServer } = this;
    const handle = httpServer._handle;
    if (!handle || this.id !== -1) {
      return;
    }
    const obstacle = this.isNative ? obstacleOf(httpServer, handle, this._asked) : undefined;
    if (obstacle !== undefined) {
      this._complain(obstacle);
    }
    if (this.isNative && obstacle === undefined) {
      this._take(handle);
    } else if (canFollow(httpServer, handle)) {
      this._follow(handle);
    }
  }

  /** Node accepts, and offers the core what it has accepted before it makes anything of it. */
  _follow(handle) {
    this.id = core.openAcceptor(this._limits(), false);
    acceptors.set(this.id, this);
    this._followed = handle;
    keepAlive(this.httpServer, handle);
    core.standAcceptor(this.id, fdOf(handle), backlogOf(this.httpServer));
    this.refresh();
    const { close, onconnection } = handle;
    const takes = (client) => this._offer(client);
    handle.onconnection = function (/** @type {number} */ status, /** @type {any} */ client) {
      if (status !== 0 || !takes(client)) {
        Reflect.apply(onconnection, this, arguments);
      }
    };
    const { id } = this;
    const stop = () => {
      // Once, and not what listens by now on another handle.
      if (this.id === id) {
        core.deferAccept(fdOf(handle), false);
        this.stop();
      }
    };
    handle.close = function () {
      stop();
      return Reflect.apply(close, this, arguments);
    };
    hookClosing(this.httpServer, this);
    debug("Node accepts, and offers its connections to the core");
  }

  /** True when the core takes a connection that Node has accepted. */
  _offer(client) {
    const { httpServer } = this;
    if (!this._isFresh) {
      // What is changed without a word, a list of origins for one, counts for the connections of the
      // next turn at the latest.
      this._isFresh = true;
      setImmediate(() => (this._isFresh = false));
      const contents = this.routes.map(({ engine }) => contentsOf(engine.opts)).join();
      if (contents !== this._contents) {
        this._contents = contents;
        this.refresh();
      }
    }
    // Where somebody has set a limit, Node counts, and drops.
    const isLimited = (httpServer.maxConnections ?? undefined) !== undefined;
    if (
      !this._hasRoutes ||
      isLimited ||
      httpServer.blockList ||
      isTraced(httpServer) ||
      !(client?.fd >= 0)
    ) {
      return false;
    }
    const isTaken = core.offerConnection(this.id, client.fd);
    if (isTaken) {
      client.close();
    }
    return isTaken;
  }

  /** Takes over from Node. */
  _take(handle) {
    const { httpServer } = this;
    this.tls = httpServer[kTls];
    if (this.tls !== undefined) {
      this.tls.onChange = () => this.id !== -1 && core.setTls(this.id, this.tls.setup.native);
    }
    const id = core.openAcceptor(this._limits(), this.isProxied);
    this.id = id;
    acceptors.set(id, this);
    this.refresh();
    keepAlive(httpServer, handle);
    try {
      this.tls?.onChange();
      core.startAcceptor(id, handle.fd, backlogOf(httpServer));
    } catch (err) {
      this.id = -1;
      acceptors.delete(id);
      core.forgetAcceptor(id);
      this._complain(err.message);
      return;
    }
    debug("the native listener %d has taken over from Node", id);
    httpServer._handle = new Listening(this, handle, httpServer._pipeName);
    hookClosing(httpServer, this);
    giveUp(handle, httpServer._pipeName);
  }

  _complain(obstacle) {
    debug("Node accepts: %s", obstacle);
    if ((this._asked || this.isProxied) && !this._warned) {
      this._warned = true;
      const refused = this.isProxied ? ", which refuses those with a PROXY header" : "";
      process.emitWarning(
        `the option acceptor: "native" does not apply, Node accepts connections${refused}: ${obstacle}`,
        { code: "FERRIO_ACCEPTOR" },
      );
    }
  }
}

/** Closing connections of the http server includes those that Node does not know. */
function hookClosing(httpServer, acceptor) {
  for (const [name, onlyIdle] of Object.entries(CLOSING)) {
    const method = httpServer[name];
    if (method === undefined || Object.hasOwn(httpServer, name)) {
      continue;
    }
    httpServer[name] = function () {
      for (const [id, known] of acceptors) {
        if (known === acceptor) {
          core.dropHttpConnections(id, onlyIdle);
        }
      }
      return Reflect.apply(method, this, arguments);
    };
  }
}

/**
 * How long the head of a request and the whole of it may take. Of two that are set, the shorter is the
 * head's, whichever it is called: so Node takes them.
 */
function timesOfRequest({ headersTimeout, requestTimeout }) {
  const isSwapped = requestTimeout > 0 && headersTimeout > requestTimeout;
  const [head, request] = isSwapped
    ? [requestTimeout, headersTimeout]
    : [headersTimeout, requestTimeout];
  return { head: milliseconds(head || request), request: milliseconds(request) };
}

/** A time of the http server's; 0 means for ever. */
function milliseconds(time) {
  return Math.min(time || FOREVER, FOREVER);
}

/** Of options that are objects or lists, what is in them: nobody hears when that changes. */
function contentsOf({ cors, transports }) {
  return cors ? `${transports} ${JSON.stringify(cors)}` : `${transports}`;
}

/** Calls `changed` whenever an option is assigned. */
function watch(options, name, changed) {
  const known = Object.getOwnPropertyDescriptor(options, name);
  let value = options[name];
  Object.defineProperty(options, name, {
    configurable: true,
    enumerable: known?.enumerable ?? false,
    get: known?.get ?? (() => value),
    set: (next) => {
      if (known?.set) {
        known.set(next);
      } else {
        value = next;
      }
      changed();
    },
  });
}

/** Methods of http servers that close connections, and whether only those that wait for a request. */
const CLOSING = { closeAllConnections: false, closeIdleConnections: true };
/** Marks an http server that was made for a port. */
const kOwn = Symbol("own");
/** As many as the core can count. */
const MOST_HANDSHAKES = 2 ** 32 - 1;
/** Milliseconds that a connection may take to say what it wants, and an answer to leave. */
const TIME_LIMITS = { firstBytes: 5_000, answer: 300_000 };
/** As long as a timer may run. */
const FOREVER = 2 ** 31 - 1;

module.exports = { Acceptor, acceptorOf, bringConnections, claimPath, kOwn };
