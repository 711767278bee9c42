"use strict";

// Decides what the native listener may serve by itself: every kind of request that no
// code of the application has a part in. All others it gives to Node's http server, and
// here is also decided which of those the application has seen.

const { hasSubscribers } = require("diagnostics_channel");
const { EventEmitter } = require("events");
const http = require("http");
const cookie = require("cookie");
const debug = require("debug")("engine:acceptor");
const { isPlainWsEngine } = require("./foreign");
const { field } = require("./tls");

/** As it was when nobody had replaced it yet. */
const { emit: usualEmit } = EventEmitter.prototype;

/** Listeners of http servers that only pass on what is not the engine's. */
const ours = new WeakSet();

/** Marks a listener of `request` or `upgrade` that leaves the engine's requests to the engine. */
function markAsOurs(listener) {
  ours.add(listener);
  return listener;
}

/** Methods of the engine that the listener does without. */
const METHODS = [
  "_applyMiddlewares",
  "_upgrade",
  "abortRequest",
  "createTransport",
  "generateId",
  "handleRequest",
  "handleUpgrade",
  "handshake",
  "onWebSocket",
  "prepare",
  "upgrades",
  "verify",
];

/** Options whose change may change the decision. */
const OPTIONS = [
  "allowRequest",
  "allowUpgrades",
  "cookie",
  "httpCompression",
  "initialPacket",
  "maxHttpBufferSize",
  "perMessageDeflate",
  "pingInterval",
  "pingTimeout",
  "transports",
  "wsEngine",
];

/** The same for properties of the http server. */
const SERVER_SETTINGS = [
  "blockList",
  "headersTimeout",
  "keepAliveTimeout",
  "maxHeadersCount",
  "maxRequestsPerSocket",
  "requestTimeout",
  "shouldUpgradeCallback",
  "timeout",
];

/**
 * What the listener may do for an engine; undefined for nothing.
 * @param {import("./server").Server} engine
 * @param {string} path that its requests start with
 * @param {object} pristine the methods of the engine's class as they were made
 * @param {import("http").Server} httpServer
 */
function routeOf(engine, path, pristine, httpServer) {
  const { opts } = engine;
  const cors = corsOf(engine);
  if (
    engine._closed ||
    engine.hasForeignClients ||
    !path.startsWith("/") ||
    cors === undefined ||
    hasSay(engine, pristine) ||
    opts.initialPacket ||
    // A function of the application's that each id passes through.
    opts.cookie?.encode !== undefined ||
    !Array.isArray(opts.transports) ||
    // One listener is the http server's own.
    httpServer.listenerCount("connection") !== 1 ||
    httpServer.listenerCount("secureConnection") > 1 ||
    Boolean(/** @type {any} */ (httpServer).blockList) ||
    isTraced(httpServer) ||
    !makesUsualRequests(httpServer)
  ) {
    return undefined;
  }
  const compressFrom = compressionOf(opts.httpCompression);
  const takesUpgrades =
    opts.transports.includes("websocket") &&
    isPlainWsEngine(opts.wsEngine) &&
    areOurs(httpServer, "upgrade") &&
    upgradesAsUsual(httpServer);
  const polling =
    opts.transports.includes("polling") &&
    !opts.transports.includes("webtransport") &&
    compressFrom !== undefined &&
    !engine.watchesWrites() &&
    // A limit of requests that one connection may carry.
    !httpServer.maxRequestsPerSocket &&
    // A limit of silence, which a poll that waits may exceed.
    !httpServer.timeout &&
    areOurs(httpServer, "request");
  if (!takesUpgrades && !polling) {
    return undefined;
  }
  const cookieParts = opts.cookie ? cookieOf(opts.cookie) : [];
  if (cookieParts === undefined) {
    return undefined;
  }
  const [cookieHead, cookieTail] = cookieParts;
  return {
    engine: engine._engine,
    path,
    websocket: takesUpgrades,
    polling,
    upgrade: takesUpgrades,
    deflate: Boolean(opts.perMessageDeflate),
    websocketOpen: openPacket(opts, []),
    pollingOpen: openPacket(
      opts,
      engine.upgrades("polling").filter((name) => opts.transports.includes(name)),
    ),
    cors: cors ?? undefined,
    cookieHead,
    cookieTail,
    compressFrom: compressFrom ?? undefined,
  };
}

/** True when there are listeners, and none but those that leave the engine's requests to it. */
function areOurs(httpServer, event) {
  const listeners = httpServer.listeners(event);
  return listeners.length > 0 && listeners.every((listener) => ours.has(listener));
}

/** The application has a part in how requests are answered, middlewares aside. */
function hasSay(engine, pristine) {
  return (
    engine._wsReplaced ||
    METHODS.some((name) => engine[name] !== pristine[name]) ||
    engine.listenerCount("headers") > 0 ||
    engine.listenerCount("initial_headers") > 0 ||
    Boolean(engine.opts.allowRequest)
  );
}

/** True when somebody follows all requests, as tracing and monitoring do. */
function isTraced(httpServer) {
  return httpServer.emit !== usualEmit || TRACES.some(hasSubscribers);
}

/** Where Node tells of what the http server does. */
const TRACES = [
  "http.server.request.start",
  "http.server.response.created",
  "http.server.response.finish",
  "net.server.socket",
];

/** True where no function of the application's decides which upgrades are ones. Of Node 24. */
function upgradesAsUsual(/** @type {any} */ { shouldUpgradeCallback }) {
  usualUpgrade ??= String(/** @type {any} */ (http.createServer()).shouldUpgradeCallback);
  return String(shouldUpgradeCallback) === usualUpgrade;
}

let usualUpgrade;

/** True where requests and answers are what Node makes of them by default: those made here are. */
function makesUsualRequests(httpServer) {
  const makesOthers =
    field(httpServer, "IncomingMessage") !== http.IncomingMessage ||
    field(httpServer, "ServerResponse") !== http.ServerResponse;
  return !makesOthers && httpServer.maxHeadersCount === null && !httpServer.joinDuplicateHeaders;
}

/** Http servers of which somebody knows, or may know, sockets or upgrade requests. */
const watched = new WeakMap();

/** Notes from now on who gets to know sockets and upgrade requests of an http server. */
function noteListeners(/** @type {any} */ httpServer) {
  if (watched.has(httpServer)) {
    return;
  }
  // One listener is the http server's own.
  const isWatched =
    !(httpServer instanceof http.Server) ||
    httpServer.listenerCount("connection") !== 1 ||
    !httpServer.listeners("upgrade").every((listener) => ours.has(listener));
  watched.set(httpServer, isWatched);
  if (!isWatched) {
    httpServer.on("newListener", noteListener);
  }
}

/** @this {any} */
function noteListener(event, listener) {
  if (event === "connection" || (event === "upgrade" && !ours.has(listener))) {
    // For good: one that is removed may still know a socket.
    watched.set(this, true);
    this.removeListener("newListener", noteListener);
  }
}

/**
 * True for an upgrade request, and its socket, that nobody but Node and the engine has seen: the
 * application cannot tell when others take their place.
 * @param {import("./server").Server} engine
 * @param {object} pristine the methods of the engine's class as they were made
 * @param {import("http").Server} httpServer
 */
function isUnseen(engine, pristine, httpServer, req, socket) {
  return (
    watched.get(httpServer) === false &&
    socket.server === httpServer &&
    !socket.encrypted &&
    req.constructor === http.IncomingMessage &&
    req.httpVersion === "1.1" &&
    httpServer.maxHeadersCount === null &&
    !(/** @type {any} */ (httpServer).joinDuplicateHeaders) &&
    httpServer.emit === usualEmit &&
    corsOf(engine) !== undefined &&
    !hasSay(engine, pristine) &&
    !hasSubscribers("net.server.socket")
  );
}

/** What follows the sid in the open packet. */
function openPacket({ pingInterval, pingTimeout, maxHttpBufferSize }, upgrades) {
  return JSON.stringify({
    upgrades,
    pingInterval,
    pingTimeout,
    maxPayload: maxHttpBufferSize,
  }).slice(1);
}

/** The cookie before and after the sid; undefined where there is a fault in it. */
function cookieOf({ name, ...options }) {
  const mark = "SID-OF-THE-CONNECTION";
  try {
    return cookie.serialize(name, mark, options).split(mark);
  } catch (err) {
    debug("a cookie that each handshake will fail with: %s", err.message);
    return undefined;
  }
}

/** From how many bytes on answers are compressed: null for never, undefined if it is not that simple. */
function compressionOf(option) {
  if (!option) {
    return null;
  }
  const { threshold, ...others } = option;
  const isPlain = Number.isInteger(threshold) && threshold >= 0 && threshold < 2 ** 31;
  return isPlain && Object.keys(others).length === 0 ? threshold : undefined;
}

/**
 * The headers for other origins: null for none, undefined when middlewares have to run, be it to
 * ask a function about the origin.
 */
function corsOf(engine) {
  const { _middlewares: middlewares, corsMiddleware } = engine;
  const { cors } = engine.opts;
  if (engine.hasSharedMiddlewares) {
    return undefined;
  }
  if (middlewares.length === 0) {
    return null;
  }
  if (middlewares.length > 1 || middlewares[0] !== corsMiddleware || !isPlainCors(cors)) {
    return undefined;
  }
  const lines = [];
  if (cors.credentials === true) {
    lines.push("Access-Control-Allow-Credentials: true\r\n");
  }
  const exposed = cors.exposedHeaders;
  if (exposed?.length > 0) {
    lines.push(`Access-Control-Expose-Headers: ${[].concat(exposed).join(",")}\r\n`);
  }
  const rest = lines.join("");
  const origin = cors.origin ?? "*";
  if (origin === "*") {
    return { mode: 0, origins: [], rest };
  }
  if (origin === true) {
    return { mode: 2, origins: [], rest };
  }
  return Array.isArray(origin)
    ? { mode: 3, origins: origin, rest }
    : { mode: 1, origins: [origin], rest };
}

/** True when the headers follow from the options alone. */
function isPlainCors(cors) {
  // One that is undefined is no "*" to the cors package, but the end of it.
  if (cors === null || typeof cors !== "object" || ("origin" in cors && !cors.origin)) {
    return false;
  }
  const { origin = "*", exposedHeaders = [] } = cors;
  const origins = origin === true ? [] : [].concat(origin);
  return [...origins, ...[].concat(exposedHeaders)].every(
    (text) => typeof text === "string" && text !== "" && /^[\x20-\x7e]+$/.test(text),
  );
}

module.exports = {
  METHODS,
  OPTIONS,
  SERVER_SETTINGS,
  isTraced,
  isUnseen,
  markAsOurs,
  noteListeners,
  routeOf,
};
