"use strict";

// The emitters of which there are many: what they leave out of Node's constructor must not show.

const assert = require("node:assert/strict");
const domain = require("node:domain");
const { EventEmitter, once } = require("node:events");
const { LeanEmitter, listenerTable, setListeners } = require("../../lib/lean-emitter");
const { test } = require("../support/scenario");

const Listeners = listenerTable();

class Lean extends LeanEmitter {
  constructor() {
    super();
    setListeners(this, new Listeners());
  }
}

test("a lean emitter does what Node's does", async () => {
  const lean = new Lean();
  assert.ok(lean instanceof EventEmitter);
  assert.deepEqual(lean.eventNames(), []);
  assert.equal(lean.listenerCount("toString"), 0);
  assert.equal(lean.emit("event"), false);
  assert.throws(() => lean.emit("error", new Error("unheard")), /unheard/);
  const heard = [];
  for (const name of ["event", "__proto__", "constructor"]) {
    lean.on(name, (value) => heard.push(name, value));
    assert.equal(lean.emit(name, 1), true);
  }
  assert.deepEqual(heard, ["event", 1, "__proto__", 1, "constructor", 1]);
  assert.deepEqual(lean.eventNames(), ["event", "__proto__", "constructor"]);
  lean.removeAllListeners("event");
  assert.deepEqual(lean.eventNames(), ["__proto__", "constructor"]);
  lean.removeAllListeners();
  assert.deepEqual(lean.eventNames(), []);
  assert.equal(lean.getMaxListeners(), EventEmitter.defaultMaxListeners);
  const later = once(lean, "later");
  lean.emit("later", 2);
  assert.deepEqual(await later, [2]);
});

test("a lean emitter knows the domain that it was made in", () => {
  const own = domain.create();
  const lean = /** @type {any} */ (own.run(() => new Lean()));
  assert.equal(lean.domain, own);
  lean.on("event", () => assert.equal(process.domain, own));
  lean.emit("event");
});
