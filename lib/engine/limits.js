"use strict";

// Limits that the reference does not have: how much may wait for a client that does not
// read, and how much a client may send. Checked here, kept by the core.

const { core } = require("../dispatch");

/** The core's numbers of these options. */
const MAX_BACKPRESSURE = 4;
const RATE_EVENTS = 5;
const RATE_BYTES = 6;
const RATE_PER = 7;
const RATE_DISCONNECTS = 8;

const DEFAULT_MAX_BACKPRESSURE = 64 * 1024 * 1024;
const DEFAULT_PER = 1000;
const LONGEST_PER = 24 * 3600 * 1000;

/** What each limit does with its value; a wrong one throws before anything has changed. */
const LIMITS = {
  maxBackpressure(engine, value = DEFAULT_MAX_BACKPRESSURE) {
    if (typeof value !== "number" || !(value >= 0)) {
      throw wrong("maxBackpressure", "a number of bytes from 0 on, or Infinity", value);
    }
    core.setOption(engine, MAX_BACKPRESSURE, value);
  },

  rateLimit(engine, value) {
    const limit = value === undefined || value === null || value === false ? {} : value;
    if (typeof limit !== "object") {
      throw wrong("rateLimit", "an object with events, bytes, per and action, or false", value);
    }
    const { events = Infinity, bytes = Infinity, per = DEFAULT_PER, action = "drop" } = limit;
    for (const [name, count] of Object.entries({ events, bytes })) {
      if (typeof count !== "number" || !(count >= 0)) {
        throw wrong(`rateLimit.${name}`, "a number from 0 on, or Infinity", count);
      }
    }
    if (typeof per !== "number" || !(per >= 1 && per <= LONGEST_PER)) {
      throw wrong("rateLimit.per", `milliseconds from 1 to ${LONGEST_PER}`, per);
    }
    if (action !== "drop" && action !== "disconnect") {
      throw wrong("rateLimit.action", '"drop" or "disconnect"', action);
    }
    core.setOption(engine, RATE_EVENTS, events);
    core.setOption(engine, RATE_BYTES, bytes);
    core.setOption(engine, RATE_PER, per);
    core.setOption(engine, RATE_DISCONNECTS, action === "disconnect" ? 1 : 0);
  },
};

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

module.exports = { defineLimits };

function wrong(name, expected, value) {
  let shown;
  try {
    shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  } catch {
    shown = typeof value;
  }
  return new RangeError(`the option "${name}" must be ${expected}, not ${shown}`);
}
