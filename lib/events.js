"use strict";

// What the emitting classes share: the event emitter base, the event names that
// applications may not use, and the walk along a list of middlewares.

const { EventEmitter } = require("events");
const { listenerTable, setListeners } = require("./lean-emitter");

/**
 * The base of Server, Namespace and Socket. Those three give `emit` a meaning of
 * their own (sending); `emitReserved` and `emitUntyped` stay the local ones.
 */
class StrictEventEmitter extends EventEmitter {
  constructor() {
    super();
    setListeners(this, new Listeners());
  }

  /** Adds a listener. */
  on(ev, listener) {
    return super.on(ev, listener);
  }

  /** Adds a listener that is called once. */
  once(ev, listener) {
    return super.once(ev, listener);
  }

  /** Calls the listeners of an event; subclasses turn this into sending. */
  emit(ev, ...args) {
    return super.emit(ev, ...args);
  }

  /**
   * Calls the listeners of an event of the library's own.
   * @protected
   */
  emitReserved(ev, ...args) {
    return super.emit(ev, ...args);
  }

  /**
   * Calls the listeners of an event that came from elsewhere.
   * @protected
   */
  emitUntyped(ev, ...args) {
    return super.emit(ev, ...args);
  }

  /** Returns a copy of the list of listeners of an event. */
  listeners(event) {
    return super.listeners(event);
  }
}

const Listeners = listenerTable();

/** Names that cannot be sent to clients: both ends emit them locally. */
const RESERVED_EVENTS = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);

/** Names that cannot be sent to the other servers of a cluster. */
const SERVER_RESERVED_EVENTS = new Set(["connect", "connection", "new_namespace"]);

/** Throws when `ev` is one of the names in `reserved`. */
function assertNotReserved(reserved, ev) {
  if (reserved.has(ev)) {
    throw new Error(`"${String(ev)}" is a reserved event name`);
  }
}

/**
 * Calls each middleware with `(subject, next)` in order, then `done()`; the first
 * error given to `next` ends the walk with `done(err)`. The list is copied first:
 * what a middleware adds or removes counts from the next walk on.
 */
function runMiddlewares(middlewares, subject, done) {
  const chain = middlewares.slice();
  const step = (i) => {
    // As in the reference, a hole ends the list, unless it is the first.
    if (i === chain.length || (i > 0 && !chain[i])) {
      done();
    } else {
      chain[i](subject, (err) => (err ? done(err) : step(i + 1)));
    }
  };
  step(0);
}

module.exports = {
  StrictEventEmitter,
  RESERVED_EVENTS,
  SERVER_RESERVED_EVENTS,
  assertNotReserved,
  runMiddlewares,
};
