"use strict";

// What the package exports, to require() and to import.

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const { target, name } = require("../support/target");
const { test } = require("../support/scenario");

test("the package is a function with Server, Namespace and Socket", () => {
  assert.equal(typeof target, "function");
  assert.deepEqual(Object.keys(target).sort(), ["Namespace", "Server", "Socket"]);
  assert.equal(target.__esModule, undefined);
});

test("the package itself cannot be constructed", () => {
  assert.throws(() => new target(), TypeError);
});

test("the classes are event emitters", () => {
  for (const { prototype } of [target.Server, target.Namespace, target.Socket]) {
    assert.ok(prototype instanceof EventEmitter);
  }
});

test("the package can be required by its name", () => {
  assert.equal(require(name), target);
});

test("import gives the same classes and no default", async () => {
  const imported = await import(name);
  assert.deepEqual(Object.keys(imported).sort(), ["Namespace", "Server", "Socket"]);
  for (const key of Object.keys(imported)) {
    assert.equal(imported[key], target[key]);
  }
});

test("the version is one of socket.io 4", () => {
  assert.match(require(`${name}/package.json`).version, /^4\.\d+\.\d+/);
});

test("classes can be extended and their prototypes added to", () => {
  class Extended extends target.Server {
    own() {
      return this.path();
    }
  }
  const io = new Extended({ path: "/own" });
  assert.equal(io.own(), "/own");
  assert.ok(io instanceof target.Server);
});
