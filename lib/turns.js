"use strict";

// When listeners run. A packet reaches them two next ticks after it was read: first
// all packets of one read are taken in, then all their listeners are called. Here
// that costs one tick for all listeners of a read instead of one for each.

const { setImmediate } = require("./scheduling");

/** A listener has thrown since somebody asked. */
let failed = false;
/** Events of the wave that is being taken in: functions, sockets and events in turn. */
let wave = null;
/** Whether the listeners of that wave are called at once when it has been taken in. */
let isAlone = false;

/**
 * Calls `fn(socket, event)` in the next tick, with the others of its wave.
 * @param {(socket: object, event: any[]) => void} fn
 */
function deferEmit(fn, socket, event) {
  if (wave === null) {
    process.nextTick(fn, socket, event);
  } else {
    if (wave.length === 0 && !isAlone) {
      // Before the ticks that an `onevent()` of the application asks for after calling ours:
      // they may look at what the listeners have done.
      process.nextTick(runEmits, wave, 0);
    }
    wave.push(fn, socket, event);
  }
}

/**
 * Takes in the packets of one read, then calls their listeners: in the next tick, or at once if
 * the read held nothing else than one packet, since nothing can come between then.
 * @param {any[]} packets sockets and packets in turn
 */
function runWave(packets, alone) {
  const emits = [];
  let at = 0;
  wave = emits;
  isAlone = alone;
  try {
    while (at < packets.length) {
      at += 2;
      packets[at - 2]._onpacket(packets[at - 1]);
    }
  } finally {
    wave = null;
    if (at < packets.length) {
      // Something has thrown while a packet was taken in. The others get their turn all the same.
      resume(runWave, packets.slice(at), false);
    }
  }
  if (alone) {
    runEmits(emits, 0);
  }
}

function runEmits(emits, from) {
  let at = from;
  let done = false;
  try {
    while (at < emits.length) {
      at += 3;
      const emit = emits[at - 3];
      emit(emits[at - 2], emits[at - 1]);
    }
    done = true;
  } finally {
    if (at < emits.length) {
      resume(runEmits, emits, at);
    } else {
      failed ||= !done;
    }
  }
}

/**
 * Goes on after a listener has thrown. Next ticks that are left over by an exception run in the
 * middle of whatever the event loop does next, and if that is Node reading an HTTP request, a
 * further exception there would break the request of somebody else. So the rest gets a turn of its
 * own.
 */
function resume(fn, ...args) {
  failed = true;
  setImmediate(fn, ...args);
}

/** True once after a listener has thrown: what follows is better done in a turn of its own. */
function takeFailure() {
  const result = failed;
  failed = false;
  return result;
}

module.exports = { deferEmit, runWave, takeFailure };
