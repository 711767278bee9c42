"use strict";

// What a process has counted, and what went wrong in it. Faults are counted by kind; of each
// kind the first few are kept as they were.

const KEPT = 5;

class Ledger {
  #counts = {};
  #faults = {};

  add(what, amount = 1) {
    this.#counts[what] = (this.#counts[what] ?? 0) + amount;
  }

  fault(kind, detail) {
    const fault = (this.#faults[kind] ??= { count: 0, first: [] });
    if (++fault.count <= KEPT) {
      fault.first.push(detail);
    }
  }

  report() {
    return { counts: this.#counts, faults: this.#faults };
  }
}

module.exports = { Ledger };
