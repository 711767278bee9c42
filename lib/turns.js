"use strict";

// When listeners run. A packet reaches them two next ticks after it was read: first
// all packets of one read are taken in, then all their listeners are called. Here
// that costs one tick for all listeners of a read instead of one for each.

/** Events of the wave that is being taken in: functions, sockets and events in turn. */
let wave = null;

/**
 * Calls `fn(socket, event)` in the next tick, with the others of its wave.
 * @param {(socket: object, event: any[]) => void} fn
 */
function deferEmit(fn, socket, event) {
  if (wave === null) {
    process.nextTick(fn, socket, event);
  } else {
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
  try {
    while (at < packets.length) {
      at += 2;
      packets[at - 2]._onpacket(packets[at - 1]);
    }
  } finally {
    wave = null;
    if (at < packets.length) {
      // Something has thrown while a packet was taken in. The others get their turn all the same.
      process.nextTick(runWave, packets.slice(at), false);
    }
    if (emits.length > 0 && !alone) {
      process.nextTick(runEmits, emits, 0);
    }
  }
  if (alone) {
    runEmits(emits, 0);
  }
}

function runEmits(emits, from) {
  let at = from;
  try {
    while (at < emits.length) {
      at += 3;
      emits[at - 3](emits[at - 2], emits[at - 1]);
    }
  } finally {
    if (at < emits.length) {
      process.nextTick(runEmits, emits, at);
    }
  }
}

module.exports = { deferEmit, runWave };
