"use strict";

// The engine's server: `io.engine`. Decides which requests may open or continue a
// connection, runs middlewares, and hands what is sound to the transports.

const { EventEmitter } = require("events");
const debug = require("debug")("engine");
const cookie = require("cookie");
const { connections, core } = require("../dispatch");
const { createIdGenerator } = require("../base64id");
const { onReplace } = require("../overrides");
const { setImmediate } = require("../scheduling");
const { attach } = require("./attach");
const { negotiate } = require("./deflate");
const { errorMessages, errors } = require("./errors");
const { accept, chooseSubprotocol, findFault, refusal } = require("./handshake");
const { maxHandshakes } = require("./limits");
const { Link, isPlain } = require("./link");
const { engineIo, ws } = require("./foreign");
const { METHODS } = require("./policy");
const { AcceptedPolling } = require("./accepted-polling");
const { viewOf } = require("./clients");
const { Pending } = require("./pending");
const { Polling, polling } = require("./polling");
const { Socket } = require("./socket");
const { Transport, toMessage } = require("./transport");
const { UpgradeResponse } = require("./upgrade-response");
const { WebSocket } = require("./websocket");
const { defineOptions } = require("./options");

const generateId = createIdGenerator();

class Server extends EventEmitter {
  /** @param {object} [opts] options of the engine */
  constructor(opts = {}) {
    super();
    this._clients = {};
    /** The same for the application, once it has asked. */
    this._clientsView = undefined;
    /** They are in an object of the application's. */
    this.hasForeignClients = false;
    this.clientsCount = 0;
    this._middlewares = [];
    /** Somebody has got hold of the list: nobody knows what is in it from one moment to the next. */
    this.hasSharedMiddlewares = false;
    /** The one that the option `cors` stands for. */
    this.corsMiddleware = undefined;
    /** Called when something that has a say in requests may have changed. */
    this.onPolicyChange = noop;
    /** Connections whose writes somebody watches: broadcasts go past them one by one. */
    this.writeWatchers = 0;
    /** Who has accepted the connection of an upgrade request that nobody else has seen. */
    this.unseen = new WeakMap();
    /** The listener for connections by which the Socket.IO server takes them. */
    this.ownListener = undefined;
    this._pending = new Pending();
    this._ws = undefined;
    this._wsReplaced = false;
    this.opts = defineOptions(opts, (ioThreads) => core.createEngine(ioThreads));
    this._engine = this.opts[defineOptions.engine];
    if (this.opts.cors) {
      this.corsMiddleware = require("cors")(this.opts.cors);
      this.use(this.corsMiddleware);
    }
    this.init();
  }

  static errors = errors;
  static errorMessages = errorMessages;

  on(event, listener) {
    return this.addListener(event, listener);
  }

  addListener(event, listener) {
    super.addListener(event, listener);
    this.onPolicyChange();
    return this;
  }

  prependListener(event, listener) {
    super.prependListener(event, listener);
    this.onPolicyChange();
    return this;
  }

  /** Prepares for WebSocket connections; again when the http server listens again. */
  init() {
    this._closed = false;
    this.onPolicyChange();
    if (this._ws !== undefined && !this._wsReplaced) {
      this._ws.close();
      this._ws = undefined;
    }
  }

  /** Refuses new WebSocket connections. */
  cleanup() {
    debug("no more WebSockets are accepted");
    this._closed = true;
    this.onPolicyChange();
    this._ws?.close();
  }

  /**
   * The WebSocket server for connections that JavaScript runs. The others never see it, unless
   * an application puts one of its own here. None without the transport.
   */
  get ws() {
    if (this._ws === undefined && this.opts.transports.includes("websocket")) {
      this._ws = createWebSocketServer(this);
    }
    return this._ws;
  }

  set ws(server) {
    this._ws = server;
    this._wsReplaced = true;
    this.onPolicyChange();
  }

  /** Serves the requests of an http server that concern the engine. */
  attach(httpServer, options = {}) {
    attach(this, httpServer, options, pristine);
  }

  /** Connections by session id. */
  get clients() {
    this._clientsView ??= viewOf(this._clients, leaveRequests);
    return this._clientsView;
  }

  set clients(clients) {
    // What is in it is the application's from now on: every request is looked up there.
    Object.values(this._clients).forEach(leaveRequests);
    this._clients = clients;
    this._clientsView = clients;
    this.hasForeignClients = true;
    this.onPolicyChange();
  }

  /** The middlewares, in order. */
  get middlewares() {
    if (!this.hasSharedMiddlewares) {
      this.hasSharedMiddlewares = true;
      this.onPolicyChange();
    }
    return this._middlewares;
  }

  set middlewares(list) {
    this._middlewares = list;
    this.hasSharedMiddlewares = true;
    this.onPolicyChange();
  }

  /**
   * Adds a middleware for every request of the engine, upgrades included.
   * @param {(req, res, next: (err?: any) => void) => void} fn
   */
  use(fn) {
    this._middlewares.push(fn);
    this.onPolicyChange();
  }

  /** Transports that a client on `transport` may upgrade to. */
  upgrades(transport) {
    return this.opts.allowUpgrades && transport === "polling" ? Polling.upgradesTo : [];
  }

  /** The path that requests have to start with. */
  _computePath(options) {
    let path = (options.path || "/engine.io").replace(/\/$/, "");
    if (options.addTrailingSlash !== false) {
      path += "/";
    }
    return path;
  }

  /** Makes the secret id of a new connection. May be replaced; may return a promise. */
  generateId(_req) {
    return generateId();
  }

  /** Reads the query of a request, unless somebody has. */
  prepare(req) {
    if (!req._query) {
      req._query = Object.fromEntries(new URL(req.url, "https://socket.io").searchParams);
    }
  }

  /** True while somebody wants to know of each write on any connection. */
  watchesWrites() {
    return this.listenerCount("flush") > 0 || this.listenerCount("drain") > 0;
  }

  /**
   * Decides whether a request may go on.
   * @param {(code?: number, context?: object) => void} fn without arguments: it may
   */
  verify(req, upgrade, fn) {
    const { transport, sid } = req._query;
    if (!this.opts.transports.includes(transport) || transport === "webtransport") {
      debug('unknown transport "%s"', transport);
      return fn(errors.UNKNOWN_TRANSPORT, { transport });
    }
    const { origin } = req.headers;
    if (origin !== undefined && hasInvalidCharacter(origin)) {
      req.headers.origin = null;
      debug("origin header invalid");
      return fn(errors.BAD_REQUEST, { name: "INVALID_ORIGIN", origin });
    }
    if (sid) {
      return this._verifyKnown(req, upgrade, fn);
    }
    if (req.method !== "GET") {
      return fn(errors.BAD_HANDSHAKE_METHOD, { method: req.method });
    }
    if (transport === "websocket" && !upgrade) {
      debug("invalid transport upgrade");
      return fn(errors.BAD_REQUEST, { name: "TRANSPORT_HANDSHAKE_ERROR" });
    }
    if (!this.opts.allowRequest) {
      return fn();
    }
    let hasAnswered = false;
    return this.opts.allowRequest(req, (message, success) => {
      if (hasAnswered) {
        debug("allowRequest has answered already");
        return;
      }
      hasAnswered = true;
      if (success) {
        fn();
      } else {
        fn(errors.FORBIDDEN, { message });
      }
    });
  }

  _verifyKnown(req, upgrade, fn) {
    const { transport, sid } = req._query;
    const conn = Object.hasOwn(this._clients, sid) ? this._clients[sid] : undefined;
    if (!conn && this._isNews(sid)) {
      debug('"%s" was opened by the native listener a moment ago', sid);
      setImmediate(() => this._verifyKnown(req, upgrade, fn));
      return undefined;
    }
    if (!conn) {
      debug('unknown sid "%s"', sid);
      return fn(errors.UNKNOWN_SID, { sid });
    }
    const previousTransport = conn.transport.name;
    if (!upgrade && previousTransport !== transport) {
      debug("bad request: unexpected transport without upgrade");
      return fn(errors.BAD_REQUEST, { name: "TRANSPORT_MISMATCH", transport, previousTransport });
    }
    const protocol = protocolOf(req);
    if (protocol !== conn.protocol) {
      return fn(errors.BAD_REQUEST, {
        name: "PROTOCOL_MISMATCH",
        protocol,
        previousProtocol: conn.protocol,
      });
    }
    return fn();
  }

  /** True for a sid that the native listener has given out and JavaScript has not heard of. */
  _isNews(sid) {
    const handle = core.findSession?.(this._engine, `${sid}`);
    return typeof handle === "number" && !connections.has(handle);
  }

  /** Serves an HTTP request. */
  handleRequest(req, res) {
    debug('handling "%s" http request "%s"', req.method, req.url);
    this.prepare(req);
    req.res = res;
    if (this._isCrowded(req)) {
      res.writeHead(503, RETRY);
      res.end();
      return;
    }
    const answered = this._await(req, res);
    const onVerified = (code, context) => {
      answered();
      if (code !== undefined) {
        this._report(req, code, context);
        this.abortRequest(req, res, code, context);
      } else if (req._query.sid) {
        debug('new %s request of client "%s"', req.method, req._query.sid);
        this._clients[req._query.sid].transport.onRequest(req);
      } else {
        this.handshake(req._query.transport, req, (code, context) =>
          this.abortRequest(req, res, code, context),
        );
      }
    };
    this._applyMiddlewares(req, res, (err) => {
      if (err) {
        onVerified(errors.BAD_REQUEST, { name: "MIDDLEWARE_FAILURE" });
      } else {
        this.verify(req, false, onVerified);
      }
    });
  }

  /** Serves an upgrade request. */
  handleUpgrade(req, socket, head) {
    // Middlewares may take their time; a peer that leaves meanwhile is no error.
    socket.on("error", noop);
    this.prepare(req);
    if (this._isCrowded(req)) {
      endWith(socket, refusal(503, "Service Unavailable", "", RETRY));
      return;
    }
    const answered = this._await(req, socket);
    // Only middlewares look at it.
    const res = this._middlewares.length > 0 ? new UpgradeResponse(req, socket) : undefined;
    const onVerified = (code, context) => {
      answered();
      if (code !== undefined) {
        this._report(req, code, context);
        abortUpgrade(socket, code, context);
        return;
      }
      res?.writeHead();
      this._upgrade(req, socket, head, res?.extraHeaders ?? {});
    };
    this._applyMiddlewares(req, res, (err) => {
      if (err) {
        onVerified(errors.BAD_REQUEST, { name: "MIDDLEWARE_FAILURE" });
      } else {
        this.verify(req, true, onVerified);
      }
    });
  }

  /**
   * Opens a connection.
   * @param {string} transportName
   * @param {import("http").IncomingMessage} req
   * @param {(code: number, context?: object) => void} closeConnection refuses the request
   */
  async handshake(transportName, req, closeConnection) {
    const refuse = (code, context) => {
      this._report(req, code, context);
      closeConnection(code, context);
    };
    const protocol = protocolOf(req);
    if (protocol === 3 && !this.opts.allowEIO3) {
      debug("unsupported protocol version");
      return refuse(errors.UNSUPPORTED_PROTOCOL_VERSION, { protocol });
    }
    let id;
    try {
      id = await this.generateId(req);
    } catch (error) {
      debug("error while generating an id");
      return refuse(errors.BAD_REQUEST, { name: "ID_GENERATION_ERROR", error });
    }
    if (upgrades.get(req)?.link.hasEnded) {
      debug("the client has left during the handshake");
      return undefined;
    }
    debug('handshaking client "%s" over %s, protocol %d', id, transportName, protocol);
    /** @type {any} one of ours, or of npm's engine.io */
    let transport;
    let started;
    if (this._isReplaceable(req)) {
      started = this._start(req, this._openPacket(id, []), protocol);
      if (this._isReplaceable(req)) {
        return this.acceptWebSocket(started, id, this._release(req));
      }
    }
    try {
      transport = this.createTransport(transportName, req);
    } catch (error) {
      debug('error handshaking to transport "%s"', transportName);
      return refuse(errors.BAD_REQUEST, { name: "TRANSPORT_HANDSHAKE_ERROR", error });
    }
    if (!isNative(transport)) {
      return this._adopt(id, transport, req, protocol);
    }
    const conn = new Socket(id, this, transport, req, protocol);
    const open = this._openPacket(id, conn.getAvailableUpgrades());
    if (transportName === "websocket") {
      conn.attach(started ?? this._start(req, open, protocol));
      upgrades.delete(req);
    } else {
      const { supportsBinary, jsonp } = transport;
      const { handle, text, data } = core.openPolling(
        this._engine,
        open,
        protocol,
        supportsBinary,
        jsonp,
        this.opts.initialPacket ? [toMessage(this.opts.initialPacket)] : [],
        // Its WebSocket will be decrypted here, too.
        !isPlain(req.socket),
      );
      conn.attach(handle);
      transport.on("headers", (headers, req) => this._onHeaders(headers, req, id));
      transport.answerHandshake(req, text ?? data);
    }
    this._showOpening(conn, transportName === "polling" && this.opts.initialPacket);
    if (transportName === "websocket" && this.opts.initialPacket) {
      conn.sendPacket("message", this.opts.initialPacket);
    }
    this._register(conn);
    return transport;
  }

  /** Opens a session over the stream of an upgrade request. */
  _start(req, open, protocol) {
    const { link, response } = upgrades.get(req);
    if (protocol === 3) {
      // Clients of that age do not expect to get both at once.
      link.answer(response);
    }
    return link.start(response, Boolean(req._query.b64), (options) =>
      core.openWebSocket(this._engine, open, protocol, options),
    );
  }

  /** True for an upgrade request that, as its socket, nobody misses once the core has the stream. */
  _isReplaceable(req) {
    const upgrade = upgrades.get(req);
    return (
      this.unseen.has(req) &&
      upgrade !== undefined &&
      !upgrade.link.bridged &&
      upgrade.subprotocol === "" &&
      protocolOf(req) === 4 &&
      !req._query.b64 &&
      !this.opts.initialPacket
    );
  }

  /** Lets go of an upgrade request and its socket, which the core has taken over. */
  _release(req) {
    const { link } = upgrades.get(req);
    upgrades.delete(req);
    return link.release(this.unseen.get(req), this, headOf(req));
  }

  /** The data of the packet that a connection begins with. */
  _openPacket(sid, upgrades) {
    const { pingInterval, pingTimeout, maxHttpBufferSize: maxPayload } = this.opts;
    return JSON.stringify({ sid, upgrades, pingInterval, pingTimeout, maxPayload });
  }

  /** Makes the handle of a transport, or a transport of `engine.io` for what is not native. */
  createTransport(name, req) {
    const { opts } = this;
    const upgrade = upgrades.get(req);
    if (upgrade !== undefined) {
      const { link, subprotocol } = upgrade;
      const transport = new WebSocket(req, link, subprotocol);
      transport.perMessageDeflate = opts.perMessageDeflate;
      return transport;
    }
    const isNative = name === "polling" && !this._runsInJavaScript(name);
    const transport = isNative ? polling(req, this) : new (engineIo().transports[name])(req);
    if (name === "polling") {
      transport.maxHttpBufferSize = opts.maxHttpBufferSize;
      transport.httpCompression = opts.httpCompression;
    } else if (name === "websocket") {
      transport.perMessageDeflate = opts.perMessageDeflate;
    }
    return transport;
  }

  /**
   * Takes an open WebSocket, of the `ws` package or alike: one that an application has accepted.
   * JavaScript runs its connection.
   */
  onWebSocket(req, socket, websocket) {
    engineIo().Server.prototype.onWebSocket.call(this, req, socket, websocket);
  }

  /**
   * Takes a WebTransport session. JavaScript runs its connection.
   * @param {object} session
   * @returns {Promise<void>}
   */
  onWebTransportSession(session) {
    const { hasSharedMiddlewares } = this;
    const taken = engineIo().Server.prototype.onWebTransportSession.call(this, session);
    if (this.hasSharedMiddlewares !== hasSharedMiddlewares) {
      // That has read the list of middlewares, and does not keep it.
      this.hasSharedMiddlewares = hasSharedMiddlewares;
      this.onPolicyChange();
    }
    return taken;
  }

  /** Closes all connections and drops what they had not written. */
  close() {
    debug("closing all %d clients", this.clientsCount);
    for (const id of Object.keys(this._clients)) {
      // One that has just closed may have taken others along.
      this._clients[id]?.close(true);
    }
    this.cleanup();
    return this;
  }

  /** Answers an HTTP request with an error of the protocol. */
  abortRequest(req, res, code, context) {
    if (res.headersSent) {
      res.end();
      return;
    }
    const status = code === errors.FORBIDDEN ? 403 : 400;
    const message = context?.message || errorMessages[code];
    res.writeHead(status, { "Content-Type": "application/json" });
    res.end(JSON.stringify({ code, message }));
  }

  /** True for a handshake that is one too many. */
  _isCrowded(req) {
    if (req._query.sid || this._pending.count < maxHandshakes(this.opts)) {
      return false;
    }
    this._report(req, errors.BAD_REQUEST, { name: "TOO_MANY_HANDSHAKES" });
    return true;
  }

  /** Counts a handshake that the application has a say in, until it has answered. */
  _await(req, peer) {
    const isAsked = this._middlewares.length > 0 || this.opts.allowRequest;
    return isAsked && !req._query.sid ? this._pending.begin(peer) : noop;
  }

  _applyMiddlewares(req, res, done) {
    if (this._middlewares.length === 0) {
      done();
      return;
    }
    runAll(this._middlewares, req, res).then(() => done(), done);
  }

  _upgrade(req, socket, head, headers) {
    if (socket.destroyed || !socket.readable || !socket.writable) {
      debug("the client has left before the upgrade");
      return socket.destroy();
    }
    if (this._closed) {
      return endWith(socket, refusal(503, "Service Unavailable", "Service Unavailable"));
    }
    const fault = findFault(req);
    if (fault) {
      const reason = fault.status === 405 ? "Method Not Allowed" : "Bad Request";
      return endWith(socket, refusal(fault.status, reason, fault.message, fault.headers));
    }
    if (this._upgradesInJavaScript(req)) {
      debug("the WebSocket is accepted in JavaScript");
      req[kExtraHeaders] = headers;
      this.ws.handleUpgrade(req, socket, Buffer.from(head), (websocket) =>
        this.onWebSocket(req, socket, websocket),
      );
      return undefined;
    }
    let deflate;
    try {
      deflate = negotiate(req.headers["sec-websocket-extensions"], this.opts.perMessageDeflate);
    } catch (err) {
      debug("no agreement on compression: %s", err.message);
      return endWith(socket, refusal(400, "Bad Request", BAD_EXTENSIONS));
    }
    if (!req._query.sid) {
      this.emit("initial_headers", headers, req);
    }
    this.emit("headers", headers, req);
    const subprotocol = chooseSubprotocol(req);
    let response;
    try {
      response = accept(req, subprotocol, headers, deflate?.header);
    } catch (error) {
      this._report(req, errors.BAD_REQUEST, { name: "INVALID_HEADER", error });
      return endWith(socket, refusal(500, "Internal Server Error", "Internal Server Error"));
    }
    const { sid, transport } = req._query;
    const conn = sid === undefined ? undefined : this._clients[sid];
    const takes = transport === "websocket" && (!sid || canUpgrade(conn));
    if (!takes) {
      debug("the connection cannot take this WebSocket");
      return endWith(socket, Buffer.concat([Buffer.from(response), EMPTY_CLOSE_FRAME]));
    }
    socket.setTimeout?.(0);
    socket.setNoDelay?.(true);
    const link = new Link(socket, head, deflate);
    upgrades.set(req, { link, response, subprotocol });
    if (sid) {
      debug('upgrading the transport of client "%s"', sid);
      link.start(response, Boolean(req._query.b64), (options) => core.probe(conn.handle, options));
      if (this._isReplaceable(req)) {
        this.acceptProbe(conn, this._release(req));
      } else {
        const transport = this.createTransport("websocket", req);
        upgrades.delete(req);
        conn._maybeUpgrade(transport);
      }
    } else {
      this.handshake("websocket", req, (code, context) => {
        abortUpgrade(socket, code, context);
        link.abandon();
      });
    }
    return undefined;
  }

  /** Takes a connection over WebSocket whose request is made on demand. */
  acceptWebSocket(handle, sid, link) {
    debug('client "%s" has connected over websocket', sid);
    const transport = this._acceptedTransport(link, undefined);
    const conn = new Socket(sid, this, transport, link.origin, 4);
    conn.attach(handle);
    this._showOpening(conn);
    this._register(conn);
    return transport;
  }

  /** Takes a connection that the native listener has opened over polling. */
  acceptPolling(handle, sid, origin) {
    debug('handshaking client "%s" over polling, done by the native listener', sid);
    const transport = new AcceptedPolling(ACCEPTED_REQUEST, this);
    transport.maxHttpBufferSize = this.opts.maxHttpBufferSize;
    transport.httpCompression = this.opts.httpCompression;
    const conn = new Socket(sid, this, transport, origin, 4);
    conn.attach(handle);
    origin.conn = conn;
    transport.on("headers", (headers, req) => this._onHeaders(headers, req, sid));
    this._register(conn);
  }

  /** Takes a WebSocket that the native listener lets probe a connection. */
  acceptProbe(conn, link) {
    conn._maybeUpgrade(this._acceptedTransport(link, conn.id));
  }

  _acceptedTransport(link, sid) {
    const transport = new WebSocket(ACCEPTED_REQUEST, link, "");
    transport.sid = sid;
    transport.perMessageDeflate = this.opts.perMessageDeflate;
    link.transport = transport;
    return transport;
  }

  /** Runs a connection whose transport is not native by the classes of `engine.io`. */
  _adopt(id, transport, req, protocol) {
    debug('client "%s" is run in JavaScript', id);
    const conn = new (engineIo().Socket)(id, this, transport, req, protocol);
    transport.on("headers", (headers, req) => this._onHeaders(headers, req, id));
    transport.onRequest(req);
    this._register(conn);
    return transport;
  }

  /** Shows those who watch writes the one of the handshake, which the core has done. */
  _showOpening(conn, initialPacket) {
    if (this.watchesWrites()) {
      const packet = (type, data) => ({ type, options: { compress: true }, data });
      const packets = [packet("open", this._openPacket(conn.id, conn.getAvailableUpgrades()))];
      if (initialPacket) {
        packets.push(packet("message", initialPacket));
      }
      if (conn.transport.name === "websocket") {
        // Nothing else is written before this is.
        conn.awaitDrain();
      }
      this.emit("flush", conn, packets);
      this.emit("drain", conn);
    }
  }

  _register(conn) {
    this._clients[conn.id] = conn;
    this.clientsCount++;
    conn.on("close", unregister);
    this.emit("connection", conn);
  }

  /** True when application code hears of new connections, not the Socket.IO server alone. */
  isHeard() {
    // One listener is kept as it is.
    return /** @type {any} */ (this)._events.connection !== this.ownListener;
  }

  /**
   * True when new connections of a transport cannot be native: an application has a part in
   * making them, or they may have to move on to a transport that is not native.
   */
  _runsInJavaScript(transport) {
    return (
      this._wsReplaced ||
      this.createTransport !== pristine.createTransport ||
      this.onWebSocket !== pristine.onWebSocket ||
      (transport === "polling" && this.opts.transports.includes("webtransport"))
    );
  }

  _upgradesInJavaScript(req) {
    const { sid, transport } = req._query;
    const conn = sid === undefined ? undefined : this._clients[sid];
    return conn === undefined ? this._runsInJavaScript(transport) : !(conn instanceof Socket);
  }

  _onHeaders(headers, req, id) {
    if (!req._query.sid) {
      const { cookie: options } = this.opts;
      if (options) {
        headers["Set-Cookie"] = [cookie.serialize(options.name, id, options)];
      }
      this.emit("initial_headers", headers, req);
    }
    this.emit("headers", headers, req);
  }

  _report(req, code, context) {
    debug("refused %s: %s %j", req.url, errorMessages[code], context?.name ?? "");
    this.emit("connection_error", { req, code, message: errorMessages[code], context });
  }
}

/** Requests of a connection are JavaScript's from now on. */
function leaveRequests(conn) {
  if (conn?.handle >= 0) {
    core.leaveRequests?.(conn.handle);
  }
}

/** A connection has closed. One listener for all connections. @this {any} */
function unregister() {
  this.removeListener("close", unregister);
  delete this.server._clients[this.id];
  this.server.clientsCount--;
}

/** Makes the WebSocket server for connections that JavaScript runs. */
function createWebSocketServer(engine) {
  const { wsEngine = ws().Server, perMessageDeflate, maxHttpBufferSize } = engine.opts;
  const server = new wsEngine({
    noServer: true,
    clientTracking: false,
    perMessageDeflate,
    maxPayload: maxHttpBufferSize,
  });
  server.on("headers", (lines, req) => {
    const headers = req[kExtraHeaders] ?? {};
    delete req[kExtraHeaders];
    if (!req._query.sid) {
      engine.emit("initial_headers", headers, req);
    }
    engine.emit("headers", headers, req);
    for (const name of Object.keys(headers)) {
      lines.push(`${name}: ${headers[name]}`);
    }
  });
  return server;
}

/** Runs middlewares one after the other, each at least a microtask after the one before. */
async function runAll(middlewares, req, res) {
  await undefined;
  for (const middleware of middlewares) {
    await new Promise((resolve, reject) => {
      const result = middleware(req, res, (err) => (err ? reject(err) : resolve()));
      // An async middleware that fails has failed, even if it never calls next().
      result?.catch?.(reject);
    });
  }
}

/** The head of a request as text, of which the request can be made again. */
function headOf({ method, url, rawHeaders }) {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  return lines.join("\r\n");
}

function canUpgrade(conn) {
  return conn !== undefined && conn.readyState === "open" && !conn.upgrading && !conn.upgraded;
}

function protocolOf(req) {
  return req._query.EIO === "4" ? 4 : 3;
}

function abortUpgrade(socket, code, context = {}) {
  socket.on("error", noop);
  if (socket.writable) {
    const message = context.message || errorMessages[code];
    socket.write(refusal(400, "Bad Request", message));
  }
  socket.destroy();
}

function endWith(socket, data) {
  socket.on("error", noop);
  socket.once("finish", () => socket.destroy());
  socket.end(data);
}

/** A character that a header may not have: the tab is allowed, as is all from 128 on. */
function hasInvalidCharacter(text) {
  // eslint-disable-next-line no-control-regex -- these are the ones it looks for
  return /[\0-\b\n-\x1f\x7f]/.test(text);
}

function noop() {}

/** Headers for who comes at a bad time. */
const RETRY = Object.freeze({ "Retry-After": "1" });
const BAD_EXTENSIONS = "Invalid or unacceptable Sec-WebSocket-Extensions header";
const EMPTY_CLOSE_FRAME = Buffer.from([0x88, 0]);
/** What transports read of their request, where the native listener has read it. @type {any} */
const ACCEPTED_REQUEST = Object.freeze({ _query: Object.freeze({ EIO: "4" }) });
/**
 * Streams whose handshake is under way, by request. Not on the request, which lives as long as the
 * connection: an object that has lost a property takes four times the memory.
 */
const upgrades = new WeakMap();

/** Headers of middlewares, until the WebSocket server asks for them. */
const kExtraHeaders = Symbol("extra headers");
/** What the native ways stand for. */
const pristine = Object.fromEntries(METHODS.map((name) => [name, Server.prototype[name]]));

for (const name of METHODS) {
  onReplace(Server.prototype, name, (engine) => engine.onPolicyChange());
}

module.exports = { Server };

/**
 * True for a transport that runs in the core.
 * @returns {boolean}
 */
function isNative(transport) {
  return transport instanceof Transport;
}
