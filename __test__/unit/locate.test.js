"use strict";

// Where the addon is looked for.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { locate } = require("../../lib/locate");
const { PUBLISHED } = require("../../lib/triple");

test("every platform package is looked for by a literal name, which tools can follow", () => {
  const source = fs.readFileSync(path.join(__dirname, "../../lib/locate.js"), "utf8");
  const named = [...source.matchAll(/require\.resolve\("@ferrio\/([a-z0-9-]+)"\)/g)];
  assert.deepEqual(
    named.map(([, name]) => name),
    PUBLISHED,
  );
});

test("a platform that has no package has no addon", () => {
  const { file, lookedFor } = locate("plan9-mips");
  assert.equal(file, undefined);
  assert.deepEqual(lookedFor.slice(1), ["the package @ferrio/plan9-mips"]);
});
