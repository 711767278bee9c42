"use strict";

// The records that the core writes and the dispatcher reads: each kind has a number of its own.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

const read = (file) => fs.readFileSync(path.join(__dirname, "../..", file), "utf8");

test("no two records share a number, in the core and in the dispatcher", () => {
  const written = [...read("src/event.rs").matchAll(/record\(session, "(\d+),/g)];
  const numbers = written.map(([, number]) => Number(number));
  assert.ok(numbers.length > 10);
  assert.equal(new Set(numbers).size, numbers.length, `written: ${numbers}`);
  const [, table] = read("lib/dispatch.js").match(/const FIELDS = \[(.*)\];/);
  assert.equal(table.split(",").length, Math.max(...numbers) + 1);
});
