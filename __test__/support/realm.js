"use strict";

// Loads a package in a vm context with globals of its own, as test runners do: its arrays, errors
// and array buffers are of other classes than ours.

const fs = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");
const vm = require("node:vm");

/** What code in the context finds besides the globals of the language. */
const SHARED = [
  ...["process", "console", "Buffer", "URL", "URLSearchParams", "TextDecoder", "TextEncoder"],
  ...["setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate"],
  ...["clearImmediate", "queueMicrotask", "Blob", "performance", "AbortController"],
];

/** Requires a file in a new context. Returns `{ exports, context }`. */
function loadInRealm(file) {
  const globals = Object.fromEntries(SHARED.map((name) => [name, globalThis[name]]));
  const context = vm.createContext(globals);
  context.global = context.globalThis = vm.runInContext("this", context);
  const modules = new Map();

  const load = (filename) => {
    if (modules.has(filename)) {
      return modules.get(filename).exports;
    }
    const module = { exports: {}, filename };
    modules.set(filename, module);
    const own = createRequire(filename);
    if (filename.endsWith(".node")) {
      module.exports = own(filename);
    } else if (filename.endsWith(".json")) {
      module.exports = JSON.parse(fs.readFileSync(filename, "utf8"));
    } else {
      const requireHere = (id) => {
        const resolved = own.resolve(id);
        return path.isAbsolute(resolved) ? load(resolved) : own(id);
      };
      requireHere.resolve = own.resolve;
      const run = vm.compileFunction(
        fs.readFileSync(filename, "utf8"),
        ["exports", "require", "module", "__filename", "__dirname"],
        { filename, parsingContext: context },
      );
      run.call(
        module.exports,
        ...[module.exports, requireHere, module, filename, path.dirname(filename)],
      );
    }
    return module.exports;
  };
  return { exports: load(file), context };
}

module.exports = { loadInRealm };
