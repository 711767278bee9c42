"use strict";

// Limits that the reference does not have: how much may wait for a client that does not
// read, how much a client may send, and how many may be on their way in. Checked here; all
// but the last are kept by the core.

const { core } = require("../dispatch");
const { checkLimit, wrongOption } = require("../limits");

/** The core's numbers of these options. */
const MAX_BACKPRESSURE = 4;
const RATE_EVENTS = 5;
const RATE_BYTES = 6;
const RATE_PER = 7;
const RATE_DISCONNECTS = 8;

const DEFAULT_MAX_BACKPRESSURE = 64 * 1024 * 1024;
const DEFAULT_MAX_HANDSHAKES = 16_384;
const DEFAULT_PER = 1000;
const LONGEST_PER = 24 * 3600 * 1000;

/** What each limit does with its value; a wrong one throws before anything has changed. */
const LIMITS = {
  maxBackpressure(engine, value = DEFAULT_MAX_BACKPRESSURE) {
    checkLimit("maxBackpressure", value, 0);
    core.setOption(engine, MAX_BACKPRESSURE, value);
  },

  maxHandshakes(_engine, value = DEFAULT_MAX_HANDSHAKES) {
    checkLimit("maxHandshakes", value, 1);
  },

  rateLimit(engine, value) {
    const limit = value === undefined || value === null || value === false ? {} : value;
    if (typeof limit !== "object") {
      throw wrongOption(
        "rateLimit",
        "an object with events, bytes, per and action, or false",
        value,
      );
    }
    const { events = Infinity, bytes = Infinity, per = DEFAULT_PER, action = "drop" } = limit;
    for (const [name, count] of Object.entries({ events, bytes })) {
      checkLimit(`rateLimit.${name}`, count, 0);
    }
    if (typeof per !== "number" || !(per >= 1 && per <= LONGEST_PER)) {
      throw wrongOption("rateLimit.per", `milliseconds from 1 to ${LONGEST_PER}`, per);
    }
    if (action !== "drop" && action !== "disconnect") {
      throw wrongOption("rateLimit.action", '"drop" or "disconnect"', action);
    }
    core.setOption(engine, RATE_EVENTS, events);
    core.setOption(engine, RATE_BYTES, bytes);
    core.setOption(engine, RATE_PER, per);
    core.setOption(engine, RATE_DISCONNECTS, action === "disconnect" ? 1 : 0);
  },
};

/**
 * How many handshakes may be under way.
 * @param {any} opts
 * @returns {number}
 */
function maxHandshakes(opts) {
  return opts.maxHandshakes ?? DEFAULT_MAX_HANDSHAKES;
}

/**
 * How many bytes may wait for a client.
 * @param {any} opts
 * @returns {number}
 */
function maxBackpressure(opts) {
  return opts.maxBackpressure ?? DEFAULT_MAX_BACKPRESSURE;
}

/**
 * Applies the limits among the options, now and whenever one is set anew.
 * @param {any} opts the live options
 * @param {number} engine the core's number of the engine
 */
function defineLimits(opts, engine) {
  for (const [name, apply] of Object.entries(LIMITS)) {
    let value = opts[name];
    apply(engine, value);
    Object.defineProperty(opts, name, {
      configurable: true,
      // An option that was not given does not show.
      enumerable: name in opts,
      get: () => value,
      set: (next) => {
        apply(engine, next);
        value = next;
      },
    });
  }
}

module.exports = { defineLimits, maxBackpressure, maxHandshakes };
