"use strict";

// RFC 6455 category by category, in the order of the usual conformance suites, against an echo:
// framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing, size. Each case is sent
// in one piece, frame by frame and byte by byte.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { isReference } = require("../support/target");
const { DELIVERIES, connect, converse, message, startEcho } = require("./echo");
const { OPCODE, closePayload, frame, readFrame } = require("./wire");

const { text, binary, continuation, close, ping, pong } = OPCODE;
const part = { fin: false };

/** Frames that the server sends. */
const echoed = (words) => [text, message(words)];
const bytes = (data) => [binary, Buffer.from(data)];
const ponged = (data) => [pong, Buffer.from(data)];

/** Frames that the client sends. */
const say = (words, options) => frame(text, message(words), options);
const more = (data, options) => frame(continuation, data, options);

/**
 * Cases by title: what is sent, what comes back, and the code that the server closes with where
 * that is a fault. What comes before a fault may, but need not, be answered.
 */
const FRAMING = Object.fromEntries(
  [0, 1, 124, 125, 126, 127, 128, 65535, 65536].flatMap((size) => [
    [`a text of ${size} characters`, [[say("*".repeat(size))], [echoed("*".repeat(size))]]],
    [
      `${size} bytes`,
      [[frame(binary, Buffer.alloc(size, 0xfe))], [bytes(Buffer.alloc(size, 0xfe))]],
    ],
  ]),
);

const tenPings = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
const PINGS = {
  "a ping without payload": [[frame(ping)], [ponged("")]],
  "a ping with words": [[frame(ping, "Hello, world!")], [ponged("Hello, world!")]],
  "a ping with bytes that are no text": [
    [frame(ping, Buffer.from([0, 255, 254, 253, 252, 251, 0, 255]))],
    [ponged([0, 255, 254, 253, 252, 251, 0, 255])],
  ],
  "a ping of 125 bytes": [[frame(ping, Buffer.alloc(125, 254))], [ponged(Buffer.alloc(125, 254))]],
  "a ping of 126 bytes": [[frame(ping, Buffer.alloc(126, 254))], [], 1002],
  "an unasked pong": [[frame(pong), say("on")], [echoed("on")]],
  "an unasked pong with payload": [[frame(pong, "unasked"), say("on")], [echoed("on")]],
  "an unasked pong, then a ping": [[frame(pong, "unasked"), frame(ping, "ping")], [ponged("ping")]],
  "ten pings": [tenPings.map((word) => frame(ping, word)), tenPings.map(ponged)],
};

const rsv = (bits) => ({ rsv: bits });
const RESERVED = {
  "RSV3 alone": [[say("x", rsv(1))], [], 1002],
  "RSV2 behind a message": [[say("x"), say("y", rsv(2)), frame(ping)], [echoed("x")], 1002],
  "RSV2 and RSV3 behind a message": [
    [say("x"), say("y", rsv(3)), frame(ping)],
    [echoed("x")],
    1002,
  ],
  "RSV1 without an extension": [[say("x"), say("y", rsv(4)), frame(ping)], [echoed("x")], 1002],
  "RSV1 and RSV3 on bytes": [[frame(binary, "x", rsv(5))], [], 1002],
  "RSV1 and RSV2 on a ping": [[frame(ping, "x", rsv(6))], [], 1002],
  "all of them on a close": [[frame(close, "", rsv(7))], [], 1002],
};

const OPCODES = Object.fromEntries(
  [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
    [`opcode ${opcode}`, [[frame(opcode)], [], 1002]],
    [`opcode ${opcode} with payload`, [[frame(opcode, "reserved")], [], 1002]],
    [
      `opcode ${opcode} behind a message`,
      [[say("x"), frame(opcode, "reserved"), frame(ping)], [echoed("x")], 1002],
    ],
  ]),
);

const FRAGMENTS = {
  "a ping in two fragments": [[frame(ping, "a", part), more("b")], [], 1002],
  "a pong in two fragments": [[frame(pong, "a", part), more("b")], [], 1002],
  "a close in two fragments": [[frame(close, closePayload(1000), part), more("b")], [], 1002],
  "a text in two fragments": [[say("one", part), more("two")], [echoed("onetwo")]],
  "bytes in two fragments": [[frame(binary, "one", part), more("two")], [bytes("onetwo")]],
  "a ping between two fragments": [
    [say("one", part), frame(ping, "now"), more("two")],
    [ponged("now"), echoed("onetwo")],
  ],
  "pings between five fragments": [
    [
      ...[say("1", part), more("2", part), frame(ping, "a"), more("3", part), more("4", part)],
      ...[frame(ping, "b"), more("5")],
    ],
    [ponged("a"), ponged("b"), echoed("12345")],
  ],
  "a continuation of nothing, the last": [[more("x"), say("y")], [], 1002],
  "a continuation of nothing, not the last": [[more("x", part), say("y")], [], 1002],
  "a continuation behind a whole message": [
    [say("a", part), more("b"), more("c", part), say("d")],
    [echoed("ab")],
    1002,
  ],
  "a message that begins inside another": [[say("a", part), say("b"), more("c")], [], 1002],
  "bytes that begin inside a text": [[say("a", part), frame(binary, "b")], [], 1002],
  "continuations of nothing, pings between": [
    [more("a", part), frame(ping, "x"), more("b", part), more("c")],
    [],
    1002,
  ],
  "all fragments empty": [[frame(binary, "", part), more("", part), more("")], [bytes("")]],
  "empty fragments around a text": [[say("", part), more("mid", part), more("")], [echoed("mid")]],
  "a text in fragments of one byte": [inBytes(message("κόσμε 😀")), [echoed("κόσμε 😀")]],
};

const CLOSING = {
  "no code": [[frame(close)], [], undefined],
  "a payload of one byte": [[frame(close, "x")], [], 1002],
  "a reason of 123 bytes": [[frame(close, closePayload(1000, "r".repeat(123)))], [], 1000],
  "a reason of 124 bytes": [[frame(close, closePayload(1000, "r".repeat(124)))], [], 1002],
  "a reason that is no UTF-8": [
    [
      frame(
        close,
        Buffer.concat([closePayload(1000), Buffer.from([0xce, 0xba, 0xed, 0xa0, 0x80])]),
      ),
    ],
    [],
    1007,
  ],
  "two close frames": [[frame(close, closePayload(1000)), frame(close, "again")], [], 1000],
  "a ping behind the close": [[frame(close, closePayload(1000)), frame(ping, "x")], [], 1000],
  "a text behind the close": [[frame(close, closePayload(1000)), say("x")], [], 1000],
  "a close inside a message": [
    [say("a", part), frame(close, closePayload(1000)), more("b")],
    [],
    1000,
  ],
  ...Object.fromEntries(
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
      .map((code) => [`the code ${code}`, [[frame(close, closePayload(code))], [], code]])
      .concat(
        [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code) => [
          `the code ${code}, which is none`,
          [[frame(close, closePayload(code))], [], 1002],
        ]),
      ),
  ),
};

const CATEGORIES = { FRAMING, PINGS, RESERVED, OPCODES, FRAGMENTS, CLOSING };

for (const [category, cases] of Object.entries(CATEGORIES)) {
  for (const [how, deliver] of Object.entries(DELIVERIES)) {
    test(`${category.toLowerCase()}: what may come and what may not, ${how}`, async (t) => {
      const port = await startEcho(t);
      for (const [title, [frames, answers, ...code]] of Object.entries(cases)) {
        const large = frames.some(({ length }) => length > 1000);
        if (large && how === "byte by byte") continue;
        const { wire } = await connect(port);
        const closes = code.length > 0;
        const seen = await converse(wire, deliver, frames, { expected: answers.length, closes });
        assert.equal(seen.code, closes ? code[0] : 1000, title);
        const due = closes ? answers.slice(0, seen.seen.length) : answers;
        assert.deepEqual(seen.seen, due, title);
      }
    });
  }
}

/** Texts by what is special about them; then what is no text. */
const VALID = [
  "",
  ..."$¢€𤭢\u0000\u007f\u0080\u07ff\u0800\ud7ff\ue000\ufffd\ufffe\uffff",
  ..."\u{10000}\u{1ffff}\u{fffff}\u{10ffff}\ufff9\ufffb",
  "κόσμε",
  "Hello-µ@ßöäüàá-UTF-8!!",
];

const INVALID = [
  ...["80", "bf", "80bf", "80bf80bf80", Buffer.from(range(0x80, 0xbf)).toString("hex")],
  ...["c020df20", "e020ef20", "f020f720", "f820fb20", "fc20fd20"],
  ...["c0", "e080", "f08080", "f8808080", "fc80808080", "df", "efbf", "f7bfbf", "fbbfbfbf"],
  ...["fe", "ff", "fefeffff", "c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"],
  ...["c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf", "c080", "e08080", "f0808080"],
  ...["eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"],
  ...["eda080edb080", "edafbfedbfbf", "f4908080", "f7bfbfbf", "f888808080", "fc8480808080"],
  ...["ce", "cebae1", "cebae1bd", "cebae1bdb9cf", "cebae1bdb9cf83cebcceb5eda080656469746564"],
];

for (const [how, cut] of Object.entries({
  "as one frame": (data) => [frame(text, data)],
  "in fragments of one byte": inBytes,
  "in two fragments": (data) => {
    const half = data.length >> 1;
    return [frame(text, data.subarray(0, half), part), more(data.subarray(half))];
  },
})) {
  test(`utf-8: every text comes back, ${how}`, async (t) => {
    const port = await startEcho(t);
    const { wire } = await connect(port);
    for (const words of VALID) {
      wire.write(Buffer.concat(cut(message(words))));
      const { opcode, payload } = await readFrame(wire);
      assert.deepEqual([opcode, payload], echoed(words));
    }
    const all = Array.from({ length: 0x880 }, (_, i) => String.fromCodePoint(valid(i << 9)));
    wire.write(Buffer.concat(cut(message(all.join("")))));
    assert.deepEqual((await readFrame(wire)).payload, message(all.join("")));
    wire.destroy();
  });

  test(`utf-8: what is no text fails the connection, ${how}`, async (t) => {
    const port = await startEcho(t);
    for (const hex of INVALID) {
      const { wire } = await connect(port);
      const frames = cut(message(Buffer.from(hex, "hex")));
      const sent = { expected: 0, closes: true };
      const { seen, code } = await converse(wire, DELIVERIES["in one piece"], frames, sent);
      assert.deepEqual([seen, code], [[], 1007], hex);
    }
  });
}

test("utf-8: bytes may be any", async (t) => {
  const { wire } = await connect(await startEcho(t));
  for (const hex of INVALID) {
    wire.write(frame(binary, Buffer.from(hex, "hex")));
    const { opcode, payload } = await readFrame(wire);
    assert.deepEqual([opcode, payload.toString("hex")], [binary, hex]);
  }
  wire.destroy();
});

test("size: 64 KiB to 16 MiB come back, text and bytes", async (t) => {
  const { wire } = await connect(await startEcho(t));
  for (const size of [1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24]) {
    const data = Buffer.alloc(size, "BAsd7&jh23");
    wire.write(frame(text, message(data)));
    assert.ok((await readFrame(wire)).payload.equals(message(data)));
    wire.write(frame(binary, data));
    assert.ok((await readFrame(wire)).payload.equals(data));
  }
  wire.destroy();
});

test("size: 1 MiB in fragments of 64 bytes to 256 KiB comes back", async (t) => {
  const { wire } = await connect(await startEcho(t));
  const data = Buffer.alloc(1 << 20, "BAsd7&jh23");
  for (const size of [64, 256, 1024, 4096, 1 << 14, 1 << 16, 1 << 18]) {
    wire.write(Buffer.concat(inFragments(binary, data, size)));
    assert.ok((await readFrame(wire)).payload.equals(data), `fragments of ${size} bytes`);
  }
  wire.destroy();
});

// The reference stops at 16 Ki fragments, since each of them costs it an object.
const reference = isReference && "takes 16 Ki fragments at most";
test("size: 4 MiB in fragments of 64 bytes come back", { skip: reference }, async (t) => {
  const { wire } = await connect(await startEcho(t));
  const data = Buffer.alloc(1 << 22, "BAsd7&jh23");
  wire.write(Buffer.concat(inFragments(binary, data, 64)));
  assert.ok((await readFrame(wire)).payload.equals(data));
  wire.destroy();
});

test("size: a message of empty fragments without end is given up (1008)", async (t) => {
  const { wire } = await connect(await startEcho(t));
  const frames = [frame(binary, "", part), ...Array(128 * 1024).fill(more("", part))];
  const { code } = await converse(wire, DELIVERIES["in one piece"], frames, { closes: true });
  assert.equal(code, 1008);
});

test("size: 1 MiB in chops of 64 bytes to 2 KiB comes back", async (t) => {
  const { wire } = await connect(await startEcho(t));
  const data = Buffer.alloc(1 << 20, "*");
  for (const size of [64, 128, 256, 512, 1024, 2048]) {
    const whole = frame(binary, data);
    for (let at = 0; at < whole.length; at += size) wire.write(whole.subarray(at, at + size));
    assert.ok((await readFrame(wire)).payload.equals(data), `chops of ${size} bytes`);
  }
  wire.destroy();
});

test("size: a thousand messages one after the other, of 0 to 4096 bytes", async (t) => {
  const { wire } = await connect(await startEcho(t));
  for (const size of [0, 16, 64, 256, 1024, 4096]) {
    for (let i = 0; i < 100; i++) {
      wire.write(frame(binary, Buffer.alloc(size, i)));
      assert.deepEqual((await readFrame(wire)).payload, Buffer.alloc(size, i));
    }
    const many = Array.from({ length: 900 }, (_, i) =>
      frame(text, message(`${i}`.repeat(size / 16))),
    );
    wire.write(Buffer.concat(many));
    for (let i = 0; i < 900; i++) {
      assert.deepEqual((await readFrame(wire)).payload, message(`${i}`.repeat(size / 16)));
    }
  }
  wire.destroy();
});

/** A text message with a frame for each byte. */
function inBytes(data) {
  return inFragments(text, data, 1);
}

function inFragments(opcode, data, size) {
  const frames = [];
  for (let at = 0; at < data.length; at += size) {
    const fin = at + size >= data.length;
    frames.push(frame(at === 0 ? opcode : continuation, data.subarray(at, at + size), { fin }));
  }
  return frames;
}

function range(from, to) {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** A code point that is a character: surrogates are not. */
function valid(point) {
  return point >= 0xd800 && point <= 0xdfff ? 0x61 : point;
}
