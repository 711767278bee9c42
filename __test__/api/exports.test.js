"use strict";

// What the package exports, to require() and to import.

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const fs = require("node:fs");
const path = require("node:path");
const ts = require("typescript");
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

test("the manifest names files that are there, and no other way in", () => {
  const file = require.resolve(`${name}/package.json`);
  const manifest = require(file);
  const inPackage = (relative) => path.join(path.dirname(file), relative);
  assert.equal(require.resolve(name), inPackage(manifest.main));
  assert.ok(fs.existsSync(inPackage(manifest.types)));
  assert.equal(manifest.type, "commonjs");
  assert.match(manifest.engines.node, /^>=1\d/);
  const entry = manifest.exports["."];
  assert.deepEqual(Object.keys(entry), ["types", "import", "require"]);
  for (const relative of Object.values(entry)) {
    assert.ok(fs.existsSync(inPackage(relative)), relative);
  }
  for (const inner of ["dist/index.js", "dist/socket.js", "lib/server.js", "index.js"]) {
    assert.throws(() => require.resolve(`${name}/${inner}`), {
      code: "ERR_PACKAGE_PATH_NOT_EXPORTED",
    });
  }
});

test("the package depends on what the reference depends on", () => {
  const theirs = Object.keys(require("socket.io/package.json").dependencies);
  const ours = require(`${name}/package.json`).dependencies;
  assert.deepEqual(
    theirs.filter((dependency) => !(dependency in ours)),
    [],
  );
});

test("a default import in compiled code is the function", () => {
  const { outputText } = ts.transpileModule(
    `import io from ${JSON.stringify(name)}; export const imported = io;`,
    { compilerOptions: { module: ts.ModuleKind.CommonJS, esModuleInterop: true } },
  );
  const exported = {};
  new Function("require", "exports", outputText)(require, exported);
  assert.equal(exported.imported, target);
  assert.ok(exported.imported({ path: "/made" }) instanceof target.Server);
});
