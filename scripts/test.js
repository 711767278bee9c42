"use strict";

// `npm test`: sets up and passes every test. What is missing is installed; Debian's
// packages only where the process may install them.

const { prepare } = require("./prepare");
const { step } = require("./run-step");

prepare();
step("Lint", "node", ["scripts/lint.js"]);
step("Find or install valgrind", "node", ["scripts/ensure-valgrind.js"]);
step("Instructions of the hot paths", "node", ["scripts/instructions.js"]);
step("Rust tests", "cargo", ["test", "--locked", "--no-default-features", "--features", "redis"]);
step("Find or install a C++ compiler", "node", ["scripts/ensure-compiler.js"]);
step("Fuzz targets, a few seconds each", "node", [
  "scripts/fuzz.js",
  "--seconds",
  "5",
  "--seed",
  "1",
]);
step("Find or install redis-server", "node", ["scripts/ensure-redis.js"]);
step("Find or install PostgreSQL", "node", ["scripts/ensure-postgres.js"]);
step("Find or install nginx and HAProxy", "node", ["scripts/ensure-proxies.js"]);
step("Find or install Chromium", "node", ["scripts/ensure-chromium.js"]);
step("Install the packages of the ecosystem tests", "node", ["scripts/ensure-ecosystem.js"]);
step("Node tests", "node", ["__test__/run.js"]);
step("Node tests where Rust accepts", "node", ["__test__/run-acceptor.js", "native"]);
step("Node tests where all passes through Node", "node", ["__test__/run-acceptor.js", "node"]);
step("Type tests", "node", ["__test__/types/run.js"]);
step("Leak test", "node", ["--expose-gc", "__test__/leak/connections.js"]);
