"use strict";

// What both sides of a soak agree on.

/** How long anything may take that is answered at once, on a busy machine. */
const PATIENCE_MS = 30_000;

/** How the server notices that a client is gone. A short run has no time for long waits. */
function timing(seconds) {
  return seconds < 60
    ? { pingInterval: 2_000, pingTimeout: 3_000, questionTimeout: 3_000 }
    : { pingInterval: 10_000, pingTimeout: 10_000, questionTimeout: 20_000 };
}

/** The attachment that belongs to a number: its length and its bytes follow from it. */
function binaryOf(n) {
  return Buffer.alloc(16 + ((n * 37) % 2_000), n % 251);
}

function checksBinary(n, bytes) {
  return Buffer.isBuffer(bytes) && bytes.equals(binaryOf(n));
}

module.exports = { PATIENCE_MS, binaryOf, checksBinary, timing };
