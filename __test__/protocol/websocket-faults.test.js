"use strict";

// WebSocket frames that RFC 6455 forbids, and messages over the limit: the close code the client
// is given, the reason the server reports, and that no other client of the server notices.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { startHostile } = require("./support");
const { OPCODE, closePayload, frame } = require("./wire");

const { text, binary, continuation, close, ping, pong } = OPCODE;

/** Each fault: the frames that make it, as arguments of frame(). */
const PROTOCOL_FAULTS = {
  "an unmasked text frame": [[text, '42["log"]', { masked: false }]],
  "an unmasked binary frame": [[binary, "x", { masked: false }]],
  "an unmasked ping": [[ping, "x", { masked: false }]],
  "an unmasked close": [[close, "", { masked: false }]],
  "reserved bit 1 without an extension": [[text, '42["log"]', { rsv: 4 }]],
  "reserved bit 2": [[text, '42["log"]', { rsv: 2 }]],
  "reserved bit 3": [[text, '42["log"]', { rsv: 1 }]],
  "all reserved bits": [[text, '42["log"]', { rsv: 7 }]],
  "a ping with a reserved bit": [[ping, "", { rsv: 4 }]],
  "a continuation with a reserved bit": [
    [text, "42[", { fin: false }],
    [continuation, '"log"]', { rsv: 4 }],
  ],
  "a continuation without a start": [[continuation, '42["log"]']],
  "a continuation after a whole message": [
    [text, "6"],
    [continuation, '42["log"]'],
  ],
  "a text frame inside a fragmented message": [
    [text, "42[", { fin: false }],
    [text, '"log"]'],
  ],
  "a binary frame inside a fragmented message": [
    [text, "42[", { fin: false }],
    [binary, '"log"]', { fin: false }],
  ],
  "a fragmented ping": [[ping, "x", { fin: false }]],
  "a fragmented pong": [[pong, "x", { fin: false }]],
  "a fragmented close": [[close, "", { fin: false }]],
  "a ping of 126 bytes": [[ping, "x".repeat(126)]],
  "a pong of 126 bytes": [[pong, "x".repeat(126)]],
  "a close of 126 bytes": [[close, closePayload(1000, "x".repeat(124))]],
  "a ping with a 64-bit length": [[ping, "x", { lengthBytes: 8 }]],
  "a close of one byte": [[close, "x"]],
  ...Object.fromEntries(
    [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [
      `the reserved opcode ${opcode}`,
      [[opcode, '42["log"]']],
    ]),
  ),
  ...Object.fromEntries(
    [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535].map((code) => [
      `the close code ${code}`,
      [[close, closePayload(code)]],
    ]),
  ),
};

const BAD_UTF8 = {
  "a lone continuation byte": [0x80],
  "a lone start byte": [0xc3],
  "an overlong slash": [0xc0, 0xaf],
  "an overlong NUL of three bytes": [0xe0, 0x80, 0x80],
  "a surrogate": [0xed, 0xa0, 0x80],
  "a code point beyond U+10FFFF": [0xf4, 0x90, 0x80, 0x80],
  "a truncated character": [0xf0, 0x9f, 0x98],
  "the byte 0xff": [0xff],
};

function inEvent(bytes) {
  return Buffer.concat([Buffer.from('42["log","'), Buffer.from(bytes), Buffer.from('"]')]);
}

const UTF8_FAULTS = {
  ...Object.fromEntries(
    Object.entries(BAD_UTF8).map(([title, bytes]) => [title, [[text, inEvent(bytes)]]]),
  ),
  "a message that ends inside a character": [[text, Buffer.from([0x34, 0xe2, 0x82])]],
  "a character spoilt in the next fragment": [
    [text, inEvent([0xe2, 0x82]).subarray(0, 12), { fin: false }],
    [continuation, '"]'],
  ],
  "a bad byte in the last fragment": [
    [text, '42["log","', { fin: false }],
    [continuation, Buffer.from([0xff, 0x22, 0x5d])],
  ],
  "a close reason": [[close, Buffer.concat([closePayload(1000), Buffer.from([0xff, 0xfe])])]],
};

/** The ways to deliver the same bytes: whole, and cut at every byte. */
const DELIVERIES = {
  whole: (client, bytes) => client.wire.write(bytes),
  "byte by byte": (client, bytes) => {
    for (const byte of bytes) client.wire.write(Buffer.from([byte]));
  },
};

async function assertFault(t, frames, code, deliver) {
  const server = await startHostile(t);
  const client = await server.join();
  deliver(client, Buffer.concat(frames.map((args) => frame(...args))));
  assert.equal(await client.closeCode(), code);
  client.wire.end();
  const { reason, description } = await client.closed();
  assert.equal(reason, "transport error");
  assert.ok(description instanceof Error);
  assert.equal(description.type, "TransportError");
  assert.equal(await client.disconnected(), "transport error");
  assert.deepEqual(client.record().errors, []);
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
}

for (const [title, frames] of Object.entries(PROTOCOL_FAULTS)) {
  for (const [how, deliver] of Object.entries(DELIVERIES)) {
    test(`${title} is a protocol error (1002), sent ${how}`, (t) =>
      assertFault(t, frames, 1002, deliver));
  }
}

for (const [title, frames] of Object.entries(UTF8_FAULTS)) {
  for (const [how, deliver] of Object.entries(DELIVERIES)) {
    test(`text that is not UTF-8 is refused (1007): ${title}, sent ${how}`, (t) =>
      assertFault(t, frames, 1007, deliver));
  }
}

const LIMIT = { maxHttpBufferSize: 300 };

const OVERSIZE = {
  "a text frame": [[text, `42["log","${"x".repeat(300)}"]`]],
  "a binary frame": [[binary, Buffer.alloc(301)]],
  "a frame of which only the head was sent": [[text, "", { length: 301 }]],
  "a declared gigabyte": [[text, "", { length: 1_000_000_000 }]],
  "a declared length beyond 2^53": [[text, "", { length: 2n ** 60n, lengthBytes: 8 }]],
  "a declared length with the top bit set": [[text, "", { length: 2n ** 63n, lengthBytes: 8 }]],
  "fragments that add up": [
    [text, `42["log","${"x".repeat(150)}`, { fin: false }],
    [continuation, "x".repeat(150), { fin: false }],
  ],
};

for (const [title, frames] of Object.entries(OVERSIZE)) {
  test(`a message over the limit is refused (1009): ${title}`, async (t) => {
    const server = await startHostile(t, LIMIT);
    const client = await server.join();
    client.wire.write(Buffer.concat(frames.map((args) => frame(...args))));
    assert.equal(await client.closeCode(), 1009);
    client.wire.end();
    const { reason, description } = await client.closed();
    assert.equal(reason, "transport error");
    assert.equal(description.type, "TransportError");
    if (!title.includes("declared length")) {
      assert.equal(description.message, "RangeError: Max payload size exceeded");
    }
    assert.equal(await client.disconnected(), "transport error");
    assert.deepEqual(client.record().log, []);
    await server.undisturbed();
  });
}

test("a message in front of a faulty frame reaches the engine", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  const messages = [];
  client.conn.on("message", (message) => messages.push(message));
  client.wire.write(
    Buffer.concat([frame(text, '42["log",1]'), frame(text, '42["log",2]', { masked: false })]),
  );
  assert.equal(await client.closeCode(), 1002);
  client.wire.end();
  await client.closed();
  assert.deepEqual(messages, ['2["log",1]']);
  // Its listener runs only if that comes before the close is reported.
  assert.deepEqual(client.record().log.slice(1), []);
  await server.undisturbed();
});

for (const [title, send] of [
  ["an unknown type", (client) => client.send("9")],
  ["a letter", (client) => client.send("hello")],
  ["no type at all", (client) => client.send("")],
  ["a separator", (client) => client.send('\x1e42["log"]')],
]) {
  test(`an engine packet with ${title} is a parse error`, async (t) => {
    const server = await startHostile(t);
    const client = await server.join();
    send(client);
    assert.equal(await client.closeHandshake(), undefined);
    const reason = "parse error";
    assert.deepEqual(await client.ending(), { conn: reason, socket: reason, errors: [] });
    await server.undisturbed();
  });
}

test("bytes that are no frames at all harm nobody", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  client.wire.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(await client.closeCode(), 1002);
  client.wire.end();
  assert.equal((await client.closed()).reason, "transport error");
  await server.undisturbed();
});
