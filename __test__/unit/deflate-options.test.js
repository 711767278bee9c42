"use strict";

// lib/engine/deflate.js on its own: what it tells the core, and which options it refuses or
// says to be without effect. What goes over the wire is tested in protocol/deflate.test.js.

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { checkOptions, negotiate } = require("../../lib/engine/deflate");

const OFFER = "permessage-deflate; client_max_window_bits";

test("the core is told zlib's defaults", () => {
  assert.deepEqual(negotiate(OFFER, {}).native, {
    windowBits: 15,
    level: -1,
    memLevel: 8,
    strategy: 0,
    threshold: 1024,
    peerWindowBits: 15,
    peerTakesContextOver: true,
  });
});

test("the core is told what was agreed on and what the options say", () => {
  const options = {
    threshold: 50,
    serverMaxWindowBits: 11,
    clientMaxWindowBits: 9,
    clientNoContextTakeover: true,
    zlibDeflateOptions: { level: 3, memLevel: 7, strategy: 2 },
  };
  assert.deepEqual(negotiate(OFFER, options).native, {
    windowBits: 11,
    level: 3,
    memLevel: 7,
    strategy: 2,
    threshold: 50,
    peerWindowBits: 9,
    peerTakesContextOver: false,
  });
});

test("there is nothing to negotiate without the option, the header or the extension", () => {
  assert.equal(negotiate(OFFER, false), undefined);
  assert.equal(negotiate(undefined, {}), undefined);
  assert.equal(negotiate("something-else", {}), undefined);
});

test("a long header of nonsense is refused in no time", () => {
  for (const piece of ["a", "a;", "a=", '"', "\\", " \t", "a,"]) {
    assert.throws(() => negotiate(`permessage-deflate; ${piece.repeat(8000)}(`, {}), SyntaxError);
  }
});

for (const [name, options] of [
  ["serverMaxWindowBits", { serverMaxWindowBits: 7 }],
  ["clientMaxWindowBits", { clientMaxWindowBits: 16 }],
  ["serverMaxWindowBits", { serverMaxWindowBits: 9.5 }],
  ["zlibDeflateOptions.level", { zlibDeflateOptions: { level: 10 } }],
  ["zlibDeflateOptions.level", { zlibDeflateOptions: { level: "6" } }],
  ["zlibDeflateOptions.memLevel", { zlibDeflateOptions: { memLevel: 0 } }],
  ["zlibDeflateOptions.strategy", { zlibDeflateOptions: { strategy: 5 } }],
]) {
  test(`${JSON.stringify(options)} is refused by name`, () => {
    const message = new RegExp(`"perMessageDeflate\\.${name}" must be a whole number`);
    assert.throws(() => checkOptions(options), { name: "RangeError", message });
  });
}

test("every value that zlib and the protocol know is taken", () => {
  for (const bits of [true, false, undefined, 8, 9, 15]) {
    checkOptions({ serverMaxWindowBits: bits, clientMaxWindowBits: bits });
  }
  for (let level = -1; level <= 9; level++) {
    checkOptions({ zlibDeflateOptions: { level } });
  }
  checkOptions({ zlibDeflateOptions: { memLevel: 1, strategy: 4 } });
  checkOptions({ zlibDeflateOptions: undefined });
});

test("options without effect say so, each once", async (t) => {
  const seen = [];
  const listener = ({ code, message }) => seen.push([code, message]);
  process.on("warning", listener);
  t.after(() => process.off("warning", listener));
  const options = {
    concurrencyLimit: 3,
    zlibInflateOptions: {},
    zlibDeflateOptions: { level: 1, chunkSize: 1024 },
  };
  negotiate(OFFER, options);
  negotiate(OFFER, options);
  negotiate(OFFER, { zlibDeflateOptions: { dictionary: Buffer.alloc(1) } });
  const last = once(process, "warning");
  process.emitWarning("the last one");
  while ((await last)[0].message !== "the last one" && seen.length < 3) {
    await once(process, "warning");
  }
  assert.deepEqual(seen.slice(0, 2), [
    [
      "FERRIO_OPTION_WITHOUT_EFFECT",
      'parts of "perMessageDeflate" have no effect: ' +
        "concurrencyLimit, zlibInflateOptions, zlibDeflateOptions.chunkSize",
    ],
    [
      "FERRIO_OPTION_WITHOUT_EFFECT",
      'parts of "perMessageDeflate" have no effect: zlibDeflateOptions.dictionary',
    ],
  ]);
  assert.deepEqual(seen.length, 3);
});
