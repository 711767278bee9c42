"use strict";

// The soak (bench/soak.js) for a few seconds: that it works, and that what it checks holds.

const assert = require("node:assert/strict");
const path = require("node:path");
const { spawnSync } = require("node:child_process");
const { test } = require("node:test");
const { name } = require("../support/target");

const soak = path.join(__dirname, "..", "..", "bench", "soak.js");
// It counts descriptors as Linux lists them.
const skip = process.platform !== "linux";

test("a short soak accounts for every message and leaves nothing behind", { skip }, () => {
  const options = ["--seconds", "4", "--clients", "40", "--life", "3", "--acts", "5"];
  const args = [soak, ...options, "--server", name];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /\npassed\n$/);
});
