"use strict";

// Identifiers that cannot be guessed and cannot repeat within a process: 12 random
// bytes, then a 24-bit counter, as 20 characters of [A-Za-z0-9_-]. The adapters
// of clusters and the sticky balancers rely on that length and alphabet.

const { randomFillSync } = require("crypto");

/**
 * Returns a function that makes identifiers. Each use has its own counter, so
 * that the public identifiers of sockets say nothing about those of sessions.
 * @returns {() => string}
 */
function createIdGenerator() {
  const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
  const id = Buffer.allocUnsafeSlow(RANDOM_BYTES + COUNTER_BYTES);
  let used = POOL_BYTES;
  let count = 0;

  return function generateId() {
    if (used === POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    pool.copy(id, 0, used, used + RANDOM_BYTES);
    // Random bytes that became a secret do not stay around in the pool.
    pool.fill(0, used, used + RANDOM_BYTES);
    used += RANDOM_BYTES;
    id.writeUIntBE(count, RANDOM_BYTES, COUNTER_BYTES);
    count = (count + 1) & COUNTER_MASK;
    return id.toString("base64url");
  };
}

const RANDOM_BYTES = 12;
const COUNTER_BYTES = 3;
const COUNTER_MASK = 0xffffff;
const POOL_BYTES = RANDOM_BYTES * 256;

/** What makes the public ids: those of sockets and of recoverable sessions. */
const base64id = { generateId: createIdGenerator() };

module.exports = { base64id, createIdGenerator };
