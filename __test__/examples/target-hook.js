"use strict";

// Loaded with --require before an example runs: makes its require("ferrio") answer with the
// package that FERRIO_TEST_TARGET names, so that the examples can be tried on stock socket.io.

const Module = require("node:module");
const { isReference } = require("../support/target");

if (isReference) {
  const reference = require.resolve("socket.io");
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    return request === "ferrio" ? reference : resolve.call(this, request, ...rest);
  };
}
