"use strict";

// Binary values in both directions: every kind of view, at any depth, in any number.

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const { isReference } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, next, settle } = require("../support/events");

const BYTES = Buffer.from([0, 1, 2, 3, 127, 128, 254, 255]);
const SHARED = new Uint8Array([9, 9, ...BYTES, 9, 9]).buffer;

/** Values that all carry BYTES. */
const KINDS = {
  Buffer: BYTES,
  ArrayBuffer: new Uint8Array(BYTES).buffer,
  Uint8Array: new Uint8Array(BYTES),
  Int8Array: new Int8Array(new Uint8Array(BYTES).buffer),
  Uint16Array: new Uint16Array(new Uint8Array(BYTES).buffer),
  Float64Array: new Float64Array(new Uint8Array(BYTES).buffer),
  DataView: new DataView(new Uint8Array(BYTES).buffer),
  "a view into a larger buffer": new Uint8Array(SHARED, 2, 8),
  "a Buffer inside a pool": Buffer.from(SHARED, 2, 8),
};

function assertBytes(received, expected, title) {
  assert.ok(Buffer.from(received).equals(Buffer.from(expected)), title);
}

for (const [title, value] of Object.entries(KINDS)) {
  eachTransport(`${title} goes both ways`, async (t, transport) => {
    const app = await serve(t, { transport });
    const { client, socket } = await app.connect();
    const atServer = next(socket, "bytes");
    client.emit("bytes", value);
    const [received] = await atServer;
    assert.ok(Buffer.isBuffer(received));
    assertBytes(received, BYTES);
    const atClient = next(client, "bytes");
    socket.emit("bytes", value);
    assertBytes((await atClient)[0], BYTES);
  });
}

eachTransport("binary is found at any depth", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const value = {
    first: BYTES,
    list: [1, [BYTES, { "": BYTES }], null],
    text: "between",
    last: { deep: { deeper: { bytes: BYTES } } },
  };
  socket.on("value", (received, text) => socket.emit("value", received, text));
  const echoed = next(client, "value");
  client.emit("value", value, "after");
  const [received, text] = await echoed;
  const places = [
    received.first,
    received.list[1][0],
    received.list[1][1][""],
    received.last.deep.deeper.bytes,
  ];
  for (const bytes of places) {
    assertBytes(bytes, BYTES);
  }
  assert.equal(received.list[0], 1);
  assert.equal(received.list[2], null);
  assert.equal(received.text, "between");
  assert.equal(text, "after");
});

eachTransport("attachments keep their places", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const parts = Array.from({ length: 10 }, (_, i) => Buffer.from(`attachment ${i}`));
  const atServer = next(socket, "parts");
  client.emit("parts", ...parts);
  assert.deepEqual(await atServer, parts);
  const atClient = next(client, "parts");
  socket.emit("parts", ...parts, "end");
  const received = await atClient;
  assert.equal(received.pop(), "end");
  assert.deepEqual(received.map(String), parts.map(String));
});

eachTransport("empty binary values arrive empty", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const values = [Buffer.alloc(0), "between", new Uint8Array(0), new ArrayBuffer(0)];
  const atServer = next(socket, "empty");
  client.emit("empty", ...values);
  const [first, text, second, third] = await atServer;
  assert.equal(text, "between");
  for (const bytes of [first, second, third]) {
    assert.ok(Buffer.isBuffer(bytes));
    assert.equal(bytes.length, 0);
  }
  const atClient = next(client, "empty");
  socket.emit("empty", ...values);
  const received = await atClient;
  assert.equal(received[1], "between");
  for (const i of [0, 2, 3]) {
    assert.equal(received[i].byteLength, 0);
  }
});

eachTransport("500 KB of binary arrive whole", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const large = crypto.randomBytes(500_000);
  const atServer = next(socket, "large");
  client.emit("large", large);
  assertBytes((await atServer)[0], large);
  const atClient = next(client, "large");
  socket.emit("large", large);
  assertBytes((await atClient)[0], large);
});

eachTransport("sizes around the limits of a frame header arrive whole", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const sizes = [1, 2, 3, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537];
  const buffers = sizes.map((size) => crypto.randomBytes(size));
  const atServer = collect(socket, "bytes", sizes.length);
  const atClient = collect(client, "bytes", sizes.length);
  for (const bytes of buffers) {
    client.emit("bytes", bytes);
    socket.emit("bytes", bytes);
  }
  for (const received of [await atServer, await atClient]) {
    received.forEach(([bytes], i) => assertBytes(bytes, buffers[i], `${sizes[i]} bytes`));
  }
});

eachTransport("binary is broadcast to a room", async (t, transport) => {
  const app = await serve(t, { transport });
  const all = await app.connectAll(3);
  app.io.socketsJoin("room");
  const received = all.map(({ client }) => next(client, "bytes"));
  app.io.to("room").emit("bytes", { bytes: BYTES, more: [new Uint8Array(BYTES)] });
  for (const event of received) {
    const [{ bytes, more }] = await event;
    assertBytes(bytes, BYTES);
    assertBytes(more[0], BYTES);
  }
});

eachTransport("acks carry binary in both directions", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  socket.on("echo", (bytes, answer) => answer({ bytes }));
  client.on("echo", (bytes, answer) => answer([bytes]));
  assertBytes((await client.emitWithAck("echo", BYTES)).bytes, BYTES);
  const [bytes] = await socket.emitWithAck("echo", BYTES);
  assert.ok(Buffer.isBuffer(bytes));
  assertBytes(bytes, BYTES);
});

eachTransport("the values given to emit are not changed by it", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const value = { bytes: BYTES, list: [BYTES] };
  const received = collect(client, "value", 2);
  socket.emit("value", value);
  app.io.emit("value", value);
  await received;
  assert.equal(value.bytes, BYTES);
  assert.equal(value.list[0], BYTES);
});

eachTransport("what toJSON returns may be binary", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const received = next(client, "value");
  socket.emit("value", { toJSON: () => ({ bytes: BYTES }) });
  assertBytes((await received)[0].bytes, BYTES);
});

eachTransport("binary and text events keep their order", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const count = 60;
  const value = (i) => (i % 3 === 0 ? Buffer.from([i]) : i);
  const atServer = collect(socket, "value", count);
  const atClient = collect(client, "value", count);
  for (let i = 0; i < count; i++) {
    client.emit("value", value(i));
    socket.emit("value", value(i));
  }
  for (const received of [await atServer, await atClient]) {
    const numbers = received.map(([v]) => (typeof v === "number" ? v : Buffer.from(v)[0]));
    assert.deepEqual(
      numbers,
      Array.from({ length: count }, (_, i) => i),
    );
  }
});

const leaks = isReference && "the reference writes from the buffer later on";
test("changing a buffer after emit does not change the event", { skip: leaks }, async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  const received = collect(client, "bytes", 4);
  const bytes = Buffer.from([1]);
  for (let n = 0; n < 2; n++) {
    socket.emit("bytes", bytes);
    app.io.emit("bytes", bytes);
  }
  bytes[0] = 9;
  for (const [value] of await received) assert.deepEqual([...value], [1]);
});

eachTransport("a buffer that was received stays what it is", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const kept = [];
  socket.on("bytes", (bytes) => kept.push(bytes));
  for (let n = 0; n < 200; n++) client.emit("bytes", Buffer.alloc(1000, n));
  await settle(client, socket);
  assert.equal(kept.length, 200);
  kept[0].fill(255);
  for (const [n, bytes] of kept.slice(1).entries()) {
    assert.ok(Buffer.isBuffer(bytes));
    assert.ok(bytes.every((byte) => byte === n + 1));
  }
});
