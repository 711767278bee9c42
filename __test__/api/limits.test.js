"use strict";

// maxHttpBufferSize: how large a message of a client may be.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { next, settle } = require("../support/events");
const { openPolling, request } = require("../support/request");

const LIMIT = 1_000;

/** The text that makes the whole message `42["text","..."]` this long. */
const textFor = (size) => "x".repeat(size - '42["text",""]'.length);

eachTransport("a message of exactly the limit is accepted", async (t, transport) => {
  const app = await serve(t, { transport, options: { maxHttpBufferSize: LIMIT } });
  const { client, socket } = await app.connect();
  const received = next(socket, "text");
  client.emit("text", textFor(LIMIT));
  assert.equal((await received)[0], textFor(LIMIT));
  await settle(client, socket);
});

for (const name of ["websocket", "upgraded"]) {
  eachTransport(
    "a message over the limit is a transport error",
    async (t, transport) => {
      const app = await serve(t, { transport, options: { maxHttpBufferSize: LIMIT } });
      const { client, socket } = await app.connect();
      socket.on("text", () => assert.fail("too large"));
      const closed = next(socket.conn, "close");
      const left = next(socket, "disconnect");
      const told = next(client, "disconnect");
      client.emit("text", textFor(LIMIT + 1));
      assert.equal((await left)[0], "transport error");
      const [reason, description] = await closed;
      assert.equal(reason, "transport error");
      assert.match(description.message, /Max payload size exceeded/);
      assert.equal((await told)[0], "transport close");
    },
    [name],
  );
}

eachTransport(
  "a message over the limit is refused and the client gives up",
  async (t, transport) => {
    const app = await serve(t, { transport, options: { maxHttpBufferSize: LIMIT } });
    const { client, socket } = await app.connect();
    socket.on("text", () => assert.fail("too large"));
    const told = next(client, "disconnect");
    client.emit("text", textFor(LIMIT + 1));
    assert.equal((await told)[0], "transport error");
  },
  ["polling"],
);

test("a body over the limit is answered 413 and the session stays", async (t) => {
  const app = await serve(t, { options: { maxHttpBufferSize: LIMIT } });
  const { open } = await openPolling(app.url);
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const body = "4".padEnd(LIMIT + 1, "x");
  assert.equal((await request(url, { method: "POST", body })).status, 413);
  const connected = next(app.io, "connection");
  assert.equal((await request(url, { method: "POST", body: "40" })).text, "ok");
  await connected;
});

test("a body over the limit is refused without content-length as well", async (t) => {
  const app = await serve(t, { options: { maxHttpBufferSize: LIMIT } });
  const { open } = await openPolling(app.url);
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const headers = { "transfer-encoding": "chunked" };
  const body = "4".padEnd(LIMIT + 1, "x");
  assert.equal((await request(url, { method: "POST", headers, body })).status, 413);
});

test("the limit counts bytes, not characters", async (t) => {
  const app = await serve(t, { options: { maxHttpBufferSize: LIMIT } });
  const { open } = await openPolling(app.url);
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const body = "4".padEnd(LIMIT / 2 + 1, "é");
  assert.ok(body.length < LIMIT && Buffer.byteLength(body) > LIMIT);
  assert.equal((await request(url, { method: "POST", body })).status, 413);
});

test("the limit is told in the handshake and is 1 MB unless set", async (t) => {
  const standard = await serve(t);
  assert.equal((await openPolling(standard.url)).open.maxPayload, 1_000_000);
  const small = await serve(t, { options: { maxHttpBufferSize: LIMIT } });
  assert.equal((await openPolling(small.url)).open.maxPayload, LIMIT);
});

eachTransport("the limit does not hold for what the server sends", async (t, transport) => {
  const app = await serve(t, { transport, options: { maxHttpBufferSize: LIMIT } });
  const { client, socket } = await app.connect();
  const received = next(client, "text");
  socket.emit("text", "x".repeat(10 * LIMIT));
  assert.equal((await received)[0].length, 10 * LIMIT);
});

eachTransport("a higher limit lets larger messages in", async (t, transport) => {
  const app = await serve(t, { transport, options: { maxHttpBufferSize: 5e6 } });
  const { client, socket } = await app.connect();
  const large = "x".repeat(3_000_000);
  const received = next(socket, "text");
  client.emit("text", large);
  assert.equal((await received)[0], large);
});
