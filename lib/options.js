"use strict";

// How the arguments of the server's constructor and of `attach()` are read, and
// which defaults the Socket.IO layer fills in. Options of the engine are not here.

const DEFAULT_PATH = "/socket.io";
const DEFAULT_CONNECT_TIMEOUT = 45000;
const DEFAULT_RECOVERY = Object.freeze({
  maxDisconnectionDuration: 120000,
  skipMiddlewares: true,
});

/**
 * Tells whether the first argument of the constructor is the options object
 * rather than something to attach to.
 */
function isOptions(value) {
  return typeof value === "object" && value instanceof Object && !value.listen;
}

/**
 * Reads a port from a number or a numeric string.
 * @returns {number|undefined} undefined when `value` is not a port
 */
function toPort(value) {
  if (typeof value === "number") {
    return value;
  }
  if (typeof value === "string" && !Number.isNaN(Number(value))) {
    return Number(value);
  }
  return undefined;
}

/**
 * Fills in the options of the Socket.IO layer. The object is the caller's own and
 * is changed in place: adapters and applications read it back from the server.
 */
function applyDefaults(opts) {
  if (opts.connectionStateRecovery) {
    opts.connectionStateRecovery = { ...DEFAULT_RECOVERY, ...opts.connectionStateRecovery };
  }
  opts.cleanupEmptyChildNamespaces = !!opts.cleanupEmptyChildNamespaces;
}

module.exports = { DEFAULT_PATH, DEFAULT_CONNECT_TIMEOUT, isOptions, toPort, applyDefaults };
