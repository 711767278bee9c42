"use strict";

// Limits that the reference does not have, on what one client may make the Socket.IO layer
// hold. Those of the engine are in engine/limits.js.

const { mustBe } = require("./must-be");

const DEFAULTS = Object.freeze({ maxNamespaces: 1000, maxRooms: 65_536 });

/**
 * Reads the limits among the options.
 * @param {any} opts
 * @returns {{maxNamespaces: number, maxRooms: number}}
 */
function readLimits(opts) {
  const limits = { ...DEFAULTS };
  for (const name of Object.keys(limits)) {
    const value = opts[name];
    if (value !== undefined) {
      checkLimit(name, value, 1);
      limits[name] = value;
    }
  }
  return limits;
}

/**
 * The limits of a server.
 * @param {any} server
 * @returns {{maxNamespaces: number, maxRooms: number}}
 */
function limitsOf(server) {
  return server._limits;
}

/** Throws unless the value of that option is a number from `least` on, or Infinity. */
function checkLimit(name, value, least) {
  if (typeof value !== "number" || !(value >= least)) {
    throw wrongOption(name, `a number from ${least} on, or Infinity`, value);
  }
}

/** The error for an option whose value is not `expected`. */
function wrongOption(name, expected, value) {
  return new RangeError(mustBe(`the option "${name}"`, expected, value));
}

/**
 * Closes the connection of a client that has gone beyond a limit.
 * @param {any} conn
 * @param {string} what the words of the error that listeners are given
 */
function cutOff(conn, what) {
  conn.onClose("limit exceeded", new Error(what));
}

module.exports = { checkLimit, cutOff, limitsOf, readLimits, wrongOption };
