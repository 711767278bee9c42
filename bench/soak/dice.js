"use strict";

// Chance that can be repeated: the choices of a soak follow from its seed. Their timing does not.

class Dice {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** At least 0, less than 1. */
  roll() {
    // xorshift32, which stays at zero if it is there.
    let x = this.#state || 0x9e3779b9;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state / 2 ** 32;
  }

  below(limit) {
    return Math.floor(this.roll() * limit);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  /** One of the keys, as often as its weight says. */
  weighed(weights) {
    const entries = Object.entries(weights);
    let left = this.roll() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) {
        return key;
      }
    }
    return entries[0][0];
  }
}

module.exports = { Dice };
