"use strict";

// Numbers that look random and are the same for the same seed (xorshift, 32 bits).

class Random {
  constructor(seed) {
    // Neighbouring seeds must not begin alike.
    this.state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  }

  next() {
    let { state } = this;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.state = state >>> 0;
    return this.state / 2 ** 32;
  }

  /** A whole number from 0 on, below `end`. */
  below(end) {
    return Math.floor(this.next() * end);
  }

  chance(probability) {
    return this.next() < probability;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  /** Some of the list, in its order. */
  some(list) {
    return list.filter(() => this.chance(0.4));
  }
}

module.exports = { Random };
