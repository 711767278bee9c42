"use strict";

// Limits that only this package has: what waits for a client that does not read, and how much
// a client may send.

const assert = require("node:assert/strict");
const http = require("node:http");
const net = require("node:net");
const { Server } = require("../..");
const { metrics } = require("../../lib/metrics");
const { test } = require("../support/scenario");
const { serveOwn } = require("../support/own-app");
const { collect, next, settle, until } = require("../support/events");

/** A client that completes its handshake, joins the main namespace and then stops reading. */
async function deafClient(t, app) {
  const { port } = app.io.httpServer.address();
  const stream = net.connect(port, "127.0.0.1");
  t.after(() => stream.destroy());
  stream.write(
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n" +
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await next(stream, "data");
  const connected = next(app.io, "connection");
  // "40" as a text frame, masked with zeros.
  stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30]));
  const [socket] = await connected;
  stream.pause();
  return socket;
}

test("a client that does not read is cut off at maxBackpressure, and the others are not", async (t) => {
  const app = await serveOwn(t, { maxBackpressure: 1_000_000 });
  const deaf = await deafClient(t, app);
  const { client, socket } = await app.connect();
  let received = 0;
  client.on("b", () => received++);
  const before = metrics().dropped.backpressure;
  const gone = next(deaf, "disconnect");
  const payload = Buffer.alloc(100_000);
  let sent = 0;
  while (deaf.connected && sent < 500) {
    app.io.emit("b", payload);
    sent++;
    await settle(client, socket);
  }
  const [reason, details] = await gone;
  assert.equal(reason, "transport error");
  assert.match(details.message ?? String(details), /backpressure limit exceeded/);
  assert.equal(received, sent);
  assert.equal(metrics().dropped.backpressure, before + 1);
});

test("one message may be larger than maxBackpressure for a client that reads", async (t) => {
  const app = await serveOwn(t, { maxBackpressure: 1000, maxHttpBufferSize: 1e8 });
  const { client, socket } = await app.connect();
  const heard = next(client, "big");
  socket.emit("big", Buffer.alloc(200_000));
  assert.equal((await heard)[0].length, 200_000);
});

test("events over the rate limit are dropped before JavaScript sees them", async (t) => {
  const app = await serveOwn(t, { rateLimit: { events: 5, per: 86_400_000 } });
  const { client, socket } = await app.connect();
  const before = metrics().dropped.rateLimit;
  const seen = [];
  socket.onAny((...args) => seen.push(args));
  for (let i = 0; i < 8; i++) {
    client.emit(i % 2 ? "binary" : "text", i % 2 ? Buffer.from([i]) : i);
  }
  await until(
    () => seen.length === 5 && metrics().dropped.rateLimit === before + 3,
    "five events came and three were dropped",
  );
  assert.deepEqual(
    seen.map(([name, value]) => [name, Number(value[0] ?? value)]),
    [
      ["text", 0],
      ["binary", 1],
      ["text", 2],
      ["binary", 3],
      ["text", 4],
    ],
  );
  // Neither answers to the server nor leaving is limited.
  client.on("ask", (answer) => answer("yes"));
  assert.equal(await socket.timeout(10_000).emitWithAck("ask"), "yes");
  const left = next(socket, "disconnect");
  client.disconnect();
  assert.equal((await left)[0], "client namespace disconnect");
});

test("bytes are limited, too, and action 'disconnect' ends the connection", async (t) => {
  const limit = { bytes: 1000, per: 86_400_000, action: "disconnect" };
  const app = await serveOwn(t, { rateLimit: limit });
  const { client, socket } = await app.connect();
  const heard = next(socket, "small");
  client.emit("small", "x".repeat(500));
  await heard;
  socket.on("large", () => assert.fail("over the limit"));
  const gone = next(socket, "disconnect");
  client.emit("large", Buffer.alloc(2000));
  const [reason, details] = await gone;
  assert.equal(reason, "transport error");
  assert.match(details.message ?? String(details), /rate limit exceeded/);
});

test("an event that is watched undecoded is dropped whole, or not at all", async (t) => {
  const app = await serveOwn(t, { rateLimit: { events: 2, per: 86_400_000 } });
  const { client, socket } = await app.connect();
  // From here on JavaScript decodes.
  socket.conn.on("packet", () => {});
  client.on("ready", (answer) => answer());
  await socket.timeout(10_000).emitWithAck("ready");
  const before = metrics().dropped.rateLimit;
  const heard = collect(socket, "data", 2);
  for (let i = 0; i < 3; i++) {
    client.emit("data", Buffer.from([i]), Buffer.from([i + 10]));
  }
  const events = await heard;
  assert.deepEqual(
    events.map(([a, b]) => [a[0], b[0]]),
    [
      [0, 10],
      [1, 11],
    ],
  );
  await until(() => metrics().dropped.rateLimit === before + 1, "one event was dropped");
  await socket.timeout(10_000).emitWithAck("ready");
});

test("limits are read at use: a change applies to connections that are open", async (t) => {
  const app = await serveOwn(t, {});
  const { client, socket } = await app.connect();
  app.io.engine.opts.rateLimit = { events: 0, per: 86_400_000 };
  const before = metrics().dropped.rateLimit;
  socket.on("a", () => assert.fail("over the limit"));
  client.emit("a");
  await until(() => metrics().dropped.rateLimit === before + 1, "the event was dropped");
  app.io.engine.opts.rateLimit = false;
  const heard = next(socket, "b");
  client.emit("b");
  await heard;
});

for (const [options, message] of [
  [{ maxBackpressure: -1 }, /"maxBackpressure" must be a number of bytes.*not -1/],
  [{ maxBackpressure: "1MB" }, /"maxBackpressure".*not "1MB"/],
  [{ rateLimit: 5 }, /"rateLimit" must be an object.*not 5/],
  [{ rateLimit: { events: -1 } }, /"rateLimit.events" must be a number/],
  [{ rateLimit: { bytes: "1" } }, /"rateLimit.bytes" must be a number/],
  [{ rateLimit: { per: 0 } }, /"rateLimit.per" must be milliseconds/],
  [
    { rateLimit: { action: "ban" } },
    /"rateLimit.action" must be "drop" or "disconnect", not "ban"/,
  ],
]) {
  test(`${JSON.stringify(options)} is refused by name`, () => {
    const server = http.createServer();
    assert.throws(() => new Server(server, options), { name: "RangeError", message });
  });
}
