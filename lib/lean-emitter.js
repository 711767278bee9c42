"use strict";

// Event emitters of which there are many, most of them idle: they keep their listeners
// in a form that takes less than what Node's constructor makes.

const { EventEmitter } = require("events");

/**
 * An event emitter that leaves it to its class to make a table of listeners. Node's methods expect
 * that: not every emitter runs Node's constructor.
 * @type {typeof EventEmitter}
 */
const LeanEmitter = /** @type {any} */ (
  function LeanEmitter() {
    if (/** @type {any} */ (EventEmitter).usingDomains) {
      // Whoever uses domains has emitters know theirs.
      EventEmitter.call(this);
    }
  }
);
Object.setPrototypeOf(LeanEmitter, EventEmitter);
Object.setPrototypeOf(LeanEmitter.prototype, EventEmitter.prototype);
/** @type {any} */ (LeanEmitter.prototype)._maxListeners = undefined;

/**
 * Makes the class of the tables of listeners for emitters that mostly listen to the same events.
 * The table of Node takes 180 bytes and more, whatever is in it; of one such class, V8 makes objects
 * with room for as much as the first ones needed.
 * @returns {new () => object}
 */
function listenerTable() {
  function Listeners() {}
  Listeners.prototype = Object.create(null);
  return /** @type {any} */ (Listeners);
}

/** Gives a new emitter its table of listeners. */
function setListeners(/** @type {any} */ emitter, /** @type {object} */ table) {
  emitter._events = table;
  emitter._eventsCount = 0;
}

module.exports = { LeanEmitter, listenerTable, setListeners };
