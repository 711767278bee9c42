"use strict";

// What `conn.writeBuffer` shows while the packets that wait are the core's: stand-ins
// that know how long the data of their packet is.

/** A packet that waits in the core. */
class Waiting {
  /** @param {number} length of the packet's data */
  constructor(length) {
    this.type = "message";
    this.options = { compress: true };
    this.data = { length };
  }
}

/** Takes the stand-ins out of a buffer, which leaves what others have put there. */
function dropViews(buffer) {
  if (buffer.length > 0 && buffer.some(isView)) {
    const others = buffer.filter((packet) => !isView(packet));
    buffer.splice(0, buffer.length, ...others);
  }
}

/**
 * Puts stand-ins into a buffer.
 * @param {object[]} buffer
 * @param {number[]} pending lengths of what the core has not written
 * @param {number[]} recent lengths of what was handed over in this tick behind another packet
 */
function showWaiting(buffer, pending, recent) {
  const lengths = pending.length >= recent.length ? pending : recent;
  for (const length of lengths) {
    buffer.push(new Waiting(length));
  }
}

/** True when there is more in a buffer than stand-ins. */
function holdsPackets(buffer) {
  return buffer.length > 0 && !buffer.every(isView);
}

function isView(packet) {
  return packet instanceof Waiting;
}

module.exports = { dropViews, holdsPackets, showWaiting };
