"use strict";

// Reading what callgrind has counted, on which scripts/instructions.js depends.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { instructionsByObject } = require("../../scripts/callgrind");

const FILE = `version: 1
positions: line
events: Ir
summary: 109

ob=(1) /bin/program
fl=(1) a.rs
fn=(1) main
10 5
+2 3
cob=(2) /lib/libc.so.6
cfn=(2) memcpy
calls=1 0
* 100
-1 1

ob=(2)
fl=(2) memcpy.S
fn=(2)
0 100
`;

test("instructions are counted where they are, not where they were called from", () => {
  const counts = instructionsByObject(FILE);
  assert.deepEqual(
    [...counts],
    [
      ["/bin/program", 9],
      ["/lib/libc.so.6", 100],
    ],
  );
});
