"use strict";

// The server: options, namespaces, and what connects them to an engine and an HTTP
// server. Its own event methods act on the main namespace. Transports and sessions
// are the engine's.

const debug = require("debug")("socket.io:server");
const cors = require("cors");
const { EventEmitter } = require("events");
const http = require("http");
const defaultParser = require("socket.io-parser");
const { defaultAdapter } = require("./adapter");
const { isAddress, listenAt } = require("./address");
const { Client } = require("./client");
const { CLIENT_FILES, sendFile, serveFile } = require("./client-files");
const { Server: Engine, attach: attachEngine } = require("./engine");
const { acceptorOf, kOwn } = require("./engine/acceptor");
const { markAsOurs } = require("./engine/policy");
const { createSecureServer } = require("./engine/tls");
const { attachApp } = require("./uws");
const { StrictEventEmitter } = require("./events");
const { readLimits } = require("./limits");
const { Namespace } = require("./namespace");
const {
  DEFAULT_CONNECT_TIMEOUT,
  DEFAULT_PATH,
  applyDefaults,
  isOptions,
  toPort,
} = require("./options");
const { metrics } = require("./metrics");
const { ParentNamespace } = require("./parent-namespace");
const { readTrust } = require("./trust-proxy");

class Server extends StrictEventEmitter {
  /**
   * @param {object|number|string} [srv] an HTTP server, a port, or the options
   * @param {object} [opts]
   */
  constructor(srv, opts = {}) {
    super();
    // Clients that the core does not reach, or not alone. Broadcasts go the native way only without.
    Object.defineProperty(this, "_longWays", { value: 0, writable: true });
    Object.defineProperty(this, "_engines", { value: new Set() });
    Object.defineProperty(this, "_secureServers", { value: new Set() });
    /** The namespaces by name. */
    this._nsps = new Map();
    /** The parent namespaces by the function that accepts names for them. */
    this.parentNsps = new Map();
    /** Those of the parent namespaces that were given as regular expressions. */
    this.parentNamespacesFromRegExp = new Map();
    if (isOptions(srv)) {
      opts = srv;
      srv = undefined;
    }
    Object.defineProperty(this, "_limits", { value: readLimits(opts) });
    Object.defineProperty(this, "_trust", { value: readTrust(opts.trustProxy) });
    this.path(opts.path || DEFAULT_PATH);
    this.connectTimeout(opts.connectTimeout || DEFAULT_CONNECT_TIMEOUT);
    this.serveClient(opts.serveClient !== false);
    this._parser = opts.parser || defaultParser;
    this.encoder = new this._parser.Encoder();
    this.opts = opts;
    applyDefaults(opts);
    this.adapter(opts.adapter || defaultAdapter(opts));
    /** The main namespace. */
    this.sockets = this.of("/");
    if (srv || typeof srv === "number") {
      this.attach(srv);
    }
    if (opts.cors) {
      this._corsMiddleware = cors(opts.cors);
    }
  }

  get _opts() {
    return this.opts;
  }

  /** Reads or sets whether the browser bundles are served. */
  serveClient(v) {
    if (arguments.length === 0) {
      return this._serveClient;
    }
    this._serveClient = v;
    return this;
  }

  /**
   * Asks the parent namespaces, in the order of their registration, for one that
   * accepts a name, and calls `fn` with its new child, or with false.
   */
  _checkNamespace(name, auth, fn) {
    const matchers = this.parentNsps.keys();
    const askNext = () => {
      const { value: matcher, done } = matchers.next();
      if (done) {
        fn(false);
        return;
      }
      matcher(name, auth, (err, allow) => {
        if (err || !allow) {
          askNext();
        } else if (this._nsps.has(name)) {
          // Someone else was faster while the matcher made up its mind.
          debug("dynamic namespace %s already exists", name);
          fn(this._nsps.get(name));
        } else {
          debug("dynamic namespace %s is created", name);
          fn(this.parentNsps.get(matcher).createChild(name));
        }
      });
    };
    askNext();
  }

  /** Reads or sets the path that requests are served under. */
  path(v) {
    if (arguments.length === 0) {
      return this._path;
    }
    this._path = v.replace(/\/$/, "");
    return this;
  }

  /** Reads or sets how long a client may take to join a namespace, in milliseconds. */
  connectTimeout(v) {
    if (v === undefined) {
      return this._connectTimeout;
    }
    this._connectTimeout = v;
    return this;
  }

  /** Reads or sets the adapter class; setting gives every namespace a new adapter. */
  adapter(v) {
    if (arguments.length === 0) {
      return this._adapter;
    }
    this._adapter = v;
    for (const nsp of this._nsps.values()) {
      nsp._initAdapter();
    }
    return this;
  }

  /** Attaches the server: the same as `attach()`. */
  listen(srv, opts = {}) {
    return this.attach(srv, opts);
  }

  /**
   * Attaches the server to an HTTP server, or to a port that it listens on from then.
   * @param {object|number|string} srv an http server, a port, or an object that says where to listen
   * @param {object} [opts] for the engine; the options of the constructor win
   * @returns {this}
   */
  attach(srv, opts = {}) {
    if (typeof srv === "function") {
      throw new Error(
        "You are trying to attach socket.io to an express request handler function. " +
          "Please pass a http.Server instance.",
      );
    }
    const port = toPort(srv);
    Object.assign(opts, this.opts);
    const isOpened = isAddress(srv) || port !== undefined;
    if (opts.tls !== undefined && !isOpened) {
      throw new TypeError(
        'the option "tls" is for io.listen(port, { tls }): a server that is attached to has its own',
      );
    }
    if (isOpened) {
      debug("creating http server and binding to %j", srv);
      const httpServer = createHttpServer(opts);
      if (isAddress(srv)) {
        listenAt(httpServer, srv);
      } else {
        httpServer.listen(port);
      }
      if (opts.tls !== undefined) {
        secureServersOf(this).add(httpServer);
      }
      srv = httpServer;
    }
    opts.path = opts.path || this._path;
    this.initEngine(srv, opts);
    return this;
  }

  /**
   * Attaches the server to an application of uWebSockets.js, which then does the transports.
   * @param {object} app
   * @param {object} [opts] for the engine; the options of the constructor win
   */
  attachApp(app, opts = {}) {
    Object.assign(opts, this.opts);
    opts.path = opts.path || this._path;
    attachApp(this, app, opts);
  }

  /** Reads the name of a file from a URL below the path of the server. */
  extractFilename(url) {
    return url.slice(this._path.length + 1).split("?", 1)[0];
  }

  /** Creates an engine for an HTTP server. */
  initEngine(srv, opts) {
    debug("creating engine with opts %j", opts);
    this.eio = attachEngine(srv, opts);
    if (this._serveClient) {
      this.attachServe(srv);
    }
    this.httpServer = srv;
    this.bind(this.eio);
  }

  /** Answers requests for the browser bundles before anything else sees them. */
  attachServe(srv) {
    debug("attaching the handler that serves the client");
    const listeners = srv.listeners("request");
    srv.removeAllListeners("request");
    const onRequest = (req, res) => {
      const filename = req.url.startsWith(this._path) && this.extractFilename(req.url);
      if (!CLIENT_FILES.has(filename)) {
        for (const listener of listeners) {
          listener.call(srv, req, res);
        }
      } else if (this._corsMiddleware) {
        this._corsMiddleware(req, res, () => this.serve(filename, req, res));
      } else {
        this.serve(filename, req, res);
      }
    };
    srv.on("request", markAsOurs(onRequest));
  }

  /** Answers a request for a file of the browser bundles. */
  serve(filename, req, res) {
    serveFile(filename, req, res, Server.sendFile);
  }

  /** Writes a file of the browser bundles. */
  static sendFile(filename, req, res) {
    sendFile(filename, req, res);
  }

  /**
   * Takes connections from an engine.
   * @param {object} engine emits `connection` and has a `close()`
   * @returns {this}
   */
  bind(engine) {
    this.engine = engine;
    const onConnection = this.onconnection.bind(this);
    if (engine instanceof Engine) {
      enginesOf(this).add(engine);
      if (this.onconnection === pristineOnConnection) {
        engine.ownListener = onConnection;
      }
    }
    this.engine.on("connection", onConnection);
    return this;
  }

  /** Takes a connection of the engine. */
  onconnection(conn) {
    debug("incoming connection with id %s", conn.id);
    const client = new Client(this, conn);
    if (conn.protocol === 3) {
      // Clients of the third protocol expect to be in the main namespace unasked.
      client.connect("/");
    }
    return this;
  }

  /**
   * Returns a namespace, which is created if need be.
   * @param {string|RegExp|Function} name a regular expression or a function makes a
   *   parent namespace, for all names that it accepts
   * @param {Function} [fn] a listener for connections
   */
  of(name, fn) {
    if (typeof name === "function" || name instanceof RegExp) {
      return createParent(this, name, fn);
    }
    if (String(name)[0] !== "/") {
      name = `/${name}`;
    }
    let nsp = this._nsps.get(name);
    if (!nsp) {
      for (const [regex, parent] of this.parentNamespacesFromRegExp) {
        if (regex.test(name)) {
          debug("attaching namespace %s to parent namespace %s", name, regex);
          return parent.createChild(name);
        }
      }
      debug("initializing namespace %s", name);
      nsp = new Namespace(this, name);
      this._nsps.set(name, nsp);
      if (name !== "/") {
        this.sockets.emitReserved("new_namespace", nsp);
      }
    }
    if (fn) {
      nsp.on("connect", fn);
    }
    return nsp;
  }

  /**
   * What the process has counted since it started: connections, events, bytes, drops and more.
   * @returns {import("../types/metrics").Metrics}
   */
  metrics() {
    return metrics();
  }

  /**
   * Disconnects all clients and closes the engine and the HTTP server.
   * @param {(err?: Error) => void} [fn] called when all is closed
   * @returns {Promise<void>}
   */
  async close(fn) {
    await Promise.allSettled(Array.from(this._nsps.values(), closeNamespace));
    // There is none in a server that was never attached.
    this.engine?.close();
    if (!this.httpServer) {
      fn?.();
      return;
    }
    await new Promise((resolve) => {
      this.httpServer.close((err) => {
        fn?.(err);
        if (err) {
          debug("the http server was not running");
        }
        resolve();
      });
    });
  }

  /**
   * Replaces the certificate, and what else of the option `tls` is given, for connections to come: of
   * all ports that were opened with it, and of an https server that is attached to last.
   * @param {object} options
   * @returns {this}
   */
  setSecureContext(options) {
    const servers = new Set(secureServersOf(this));
    if (typeof this.httpServer?.setSecureContext === "function") {
      servers.add(this.httpServer);
    }
    if (servers.size === 0) {
      throw new TypeError("setSecureContext() is for a server over TLS: io.listen(port, { tls })");
    }
    for (const server of servers) {
      server.setSecureContext(options);
    }
    return this;
  }

  /** Adds a middleware to the main namespace. */
  use(fn) {
    this.sockets.use(fn);
    return this;
  }

  /** Targets a room, or a list of rooms, when broadcasting. */
  to(room) {
    return this.sockets.to(room);
  }

  /** Targets a room: the same as `to()`. */
  in(room) {
    return this.sockets.in(room);
  }

  /** Excludes a room, or a list of rooms, when broadcasting. */
  except(room) {
    return this.sockets.except(room);
  }

  /** Sends a `message` event to every client of the main namespace. */
  send(...args) {
    this.sockets.emit("message", ...args);
    return this;
  }

  /** Sends a `message` event to every client of the main namespace. */
  write(...args) {
    this.sockets.emit("message", ...args);
    return this;
  }

  /** Sends an event to the other servers of the cluster. */
  serverSideEmit(ev, ...args) {
    return this.sockets.serverSideEmit(ev, ...args);
  }

  /** Sends an event to the other servers of the cluster and collects their answers. */
  serverSideEmitWithAck(ev, ...args) {
    return this.sockets.serverSideEmitWithAck(ev, ...args);
  }

  /** Resolves to the ids of the clients of the main namespace, on all servers. */
  allSockets() {
    return this.sockets.allSockets();
  }

  /** Sets whether the next broadcast may be compressed. */
  compress(compress) {
    return this.sockets.compress(compress);
  }

  /** Lets the next broadcast be lost for clients that are not ready to receive. */
  get volatile() {
    return this.sockets.volatile;
  }

  /** Limits the next broadcast to the clients of this server. */
  get local() {
    return this.sockets.local;
  }

  /** Sets how long to wait for the answers to the next broadcast, in milliseconds. */
  timeout(timeout) {
    return this.sockets.timeout(timeout);
  }

  /** Resolves to the sockets of the main namespace, on all servers. */
  fetchSockets() {
    return this.sockets.fetchSockets();
  }

  /** Makes all sockets of the main namespace join one or several rooms. */
  socketsJoin(room) {
    return this.sockets.socketsJoin(room);
  }

  /** Makes all sockets of the main namespace leave one or several rooms. */
  socketsLeave(room) {
    return this.sockets.socketsLeave(room);
  }

  /** Disconnects all sockets of the main namespace. */
  disconnectSockets(close = false) {
    return this.sockets.disconnectSockets(close);
  }
}

// Whatever one does to the server as an event emitter is done to `sockets`, also when
// the application has put another namespace in its place.
for (const [name, method] of Object.entries(EventEmitter.prototype)) {
  if (typeof method === "function") {
    Server.prototype[name] = function () {
      return this.sockets[name](...arguments);
    };
  }
}

/** Runs no code of the application. */
const pristineOnConnection = Server.prototype.onconnection;

module.exports = { Server };

function createParent(server, name, fn) {
  const isRegExp = name instanceof RegExp;
  if (isRegExp && (name.global || name.sticky)) {
    throw new Error("stateful regular expressions are not supported");
  }
  const parent = new ParentNamespace(server);
  debug("initializing parent namespace %s", parent.name);
  if (isRegExp) {
    server.parentNsps.set((nsp, auth, next) => next(null, name.test(nsp)), parent);
    server.parentNamespacesFromRegExp.set(name, parent);
  } else {
    server.parentNsps.set(name, parent);
  }
  if (fn) {
    parent.on("connect", fn);
  }
  return parent;
}

async function closeNamespace(nsp) {
  for (const socket of nsp.sockets.values()) {
    socket._onclose("server shutting down");
  }
  await nsp.adapter.close();
}

/** The http server of a port that the server opens itself. */
function createHttpServer({ tls, acceptor }) {
  const httpServer =
    tls === undefined
      ? http.createServer(answerNotFound)
      : createSecureServer(tls, answerNotFound, acceptorOf(acceptor, true) === "native");
  Object.defineProperty(httpServer, kOwn, { value: true });
  return httpServer;
}

function answerNotFound(req, res) {
  res.writeHead(404);
  res.end();
}

/** The http servers of ports that a server has opened with the option `tls`. */
function secureServersOf(/** @type {any} */ server) {
  return server._secureServers;
}

/** The native engines of a server. */
function enginesOf(/** @type {any} */ server) {
  return server._engines;
}
