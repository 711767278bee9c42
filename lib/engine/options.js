"use strict";

// Options of the engine with their defaults. Those that the native core uses are
// passed on whenever they change, because they are read at use, not copied.

const os = require("os");
const { core } = require("../dispatch");
const { checkOptions } = require("./deflate");
const { isPlainWsEngine, ws } = require("./foreign");
const { defineLimits } = require("./limits");
const { mustBe } = require("../must-be");

/** Options that the core reads, with its number for each. */
const NATIVE = { pingInterval: 0, pingTimeout: 1, upgradeTimeout: 2, maxHttpBufferSize: 3 };

/** Where the options object keeps the core's number of the engine. */
const kEngine = Symbol("engine");

/**
 * @param {object} given what the application asked for
 * @param {(ioThreads: number) => number} createEngine
 * @returns {object} the live options
 */
function defineOptions(given, createEngine) {
  const opts = {
    // Others make engines of their own with our options, such as `@azure/web-pubsub-socket.io`.
    wsEngine: ws().Server,
    pingTimeout: 20000,
    pingInterval: 25000,
    upgradeTimeout: 10000,
    maxHttpBufferSize: 1e6,
    transports: ["polling", "websocket"],
    allowUpgrades: true,
    httpCompression: { threshold: 1024 },
    cors: false,
    allowEIO3: false,
    perMessageDeflate: false,
    ...given,
  };
  if (opts.cookie) {
    opts.cookie = { name: "io", path: "/", httpOnly: true, sameSite: "lax", ...opts.cookie };
  }
  if (opts.perMessageDeflate) {
    opts.perMessageDeflate = { threshold: 1024, ...opts.perMessageDeflate };
    if (isPlainWsEngine(opts.wsEngine)) {
      checkOptions(opts.perMessageDeflate);
    }
  }
  const engine = createEngine(ioThreads(opts.ioThreads));
  for (const name of Object.keys(NATIVE)) {
    let value = opts[name];
    core.setOption(engine, NATIVE[name], Number(value));
    Object.defineProperty(opts, name, {
      configurable: true,
      enumerable: true,
      get: () => value,
      set: (next) => {
        value = next;
        core.setOption(engine, NATIVE[name], Number(next));
      },
    });
  }
  defineLimits(opts, engine);
  Object.defineProperty(opts, kEngine, { value: engine });
  return opts;
}

defineOptions.engine = kEngine;

/** How many I/O threads the connections of a server are spread over. */
function ioThreads(asked) {
  if (asked === undefined) {
    const cores = os.availableParallelism?.() ?? os.cpus().length;
    return Math.max(1, Math.min(4, Math.floor(cores / 2)));
  }
  if (!Number.isInteger(asked) || asked < 1 || asked > 64) {
    throw new RangeError(mustBe('the option "ioThreads"', "a whole number from 1 to 64", asked));
  }
  return asked;
}

module.exports = { defineOptions };
