"use strict";

// When listeners run. A packet reaches them two next ticks after it was read: first
// all packets of one read are taken in, then all their listeners are called. Here
// that costs one tick for all listeners of a read instead of one for each.

/** Events whose listeners run in the next tick: functions, sockets and events in turn. */
let waiting = [];
/** A packet that came alone is taken in and emitted in one tick: nothing can come between. */
let alone = false;

/**
 * Calls `fn(socket, event)` in the next tick, after those that wait already.
 * @param {(socket: object, event: any[]) => void} fn
 */
function deferEmit(fn, socket, event) {
  if (waiting.length === 0 && !alone) {
    process.nextTick(emitWaiting);
  }
  waiting.push(fn, socket, event);
}

/** Takes in a packet that was the only one of its read, and calls its listeners. */
function runAlone(socket, packet) {
  alone = true;
  try {
    socket._onpacket(packet);
  } finally {
    alone = false;
    if (waiting.length > 0) {
      emitWaiting();
    }
  }
}

function emitWaiting() {
  const events = waiting;
  waiting = [];
  let at = 0;
  try {
    while (at < events.length) {
      at += 3;
      events[at - 3](events[at - 2], events[at - 1]);
    }
  } finally {
    if (at < events.length) {
      // A listener has thrown. The others get their turn all the same, before what came since.
      waiting = events.slice(at).concat(waiting);
      process.nextTick(emitWaiting);
    }
  }
}

module.exports = { deferEmit, runAlone };
