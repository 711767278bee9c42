"use strict";

// What the native engine cannot run is run by the classes of the `engine.io` package:
// a WebSocket server that is not the `ws` package's, WebTransport, transports that an
// application brings. Here is the only way to that package; it is loaded when needed.

const { createRequire } = require("module");
const { EventEmitter } = require("events");
const debug = require("debug")("engine");

let cached;

/** The `engine.io` package. */
function engineIo() {
  cached ??= require("engine.io");
  return cached;
}

/** The `ws` package that `engine.io` uses. */
function ws() {
  return createRequire(require.resolve("engine.io"))("ws");
}

const parsers = new Map();

/** The packet codec of a protocol revision. */
function parserFor(protocol) {
  if (!parsers.has(protocol)) {
    const { Transport } = engineIo();
    parsers.set(protocol, new Transport({ _query: { EIO: String(protocol) } }).parser);
  }
  return parsers.get(protocol);
}

/** The methods that make a class the server of the `ws` package, whichever copy of it. */
const WS_METHODS = ["address", "close", "completeUpgrade", "handleUpgrade", "shouldHandle"];

/**
 * Tells whether the native engine does the same as this option asks for: none, or the server
 * class of any copy of the `ws` package. A subclass is another thing: it may do anything.
 */
function isPlainWsEngine(wsEngine) {
  if (wsEngine === undefined || wsEngine === null) {
    return true;
  }
  const { prototype } = wsEngine;
  return (
    typeof wsEngine === "function" &&
    wsEngine.name === "WebSocketServer" &&
    Object.getPrototypeOf(prototype) === EventEmitter.prototype &&
    WS_METHODS.every((name) => Object.hasOwn(prototype, name))
  );
}

let warned = false;

/** Says once that a server goes without native transports because of its `wsEngine`. */
function warnOfWsEngine() {
  debug("the option wsEngine is not the ws package's server: native transports are off");
  if (!warned) {
    warned = true;
    process.emitWarning(
      "native transports are off because the option `wsEngine` is not the server of the `ws` " +
        "package. Leave the option out to have them.",
      { type: "FerrioWarning", code: "FERRIO_WS_ENGINE" },
    );
  }
}

const warnedOf = new Set();

/** Says once of each limit among the options that it does not hold for connections such as this one. */
function warnOfLimits(conn, { rateLimit, maxBackpressure }) {
  if (!rateLimit && !maxBackpressure) {
    return;
  }
  // There it is an option of uWebSockets.js, which holds.
  const isUws = conn.server instanceof engineIo().uServer;
  const given = { rateLimit, maxBackpressure: isUws ? undefined : maxBackpressure };
  for (const [name, value] of Object.entries(given)) {
    if (value && !warnedOf.has(name)) {
      warnedOf.add(name);
      process.emitWarning(
        `the option "${name}" does not hold for connections that JavaScript runs: on uWebSockets.js, with a ` +
          'foreign `wsEngine` or transports of your own, and for WebTransport and polling where "webtransport" is ' +
          "among the transports.",
        { type: "FerrioWarning", code: "FERRIO_OPTION_WITHOUT_EFFECT" },
      );
    }
  }
}

/** Makes the engine that the options ask for: ours, or npm's for a foreign `wsEngine`. */
function createEngine(NativeServer, opts) {
  if (isPlainWsEngine(opts?.wsEngine)) {
    return new NativeServer(opts);
  }
  warnOfWsEngine();
  return new (engineIo().Server)(opts);
}

module.exports = { createEngine, engineIo, isPlainWsEngine, parserFor, warnOfLimits, ws };
