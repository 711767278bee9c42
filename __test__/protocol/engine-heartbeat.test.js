"use strict";

// Engine.IO v4 heartbeats: the server pings, the client answers, silence ends the session.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { event, startHostile, startServer } = require("./support");
const { OPCODE } = require("./wire");

const QUICK = { pingInterval: 30, pingTimeout: 60_000 };
// Long enough to handshake and ask once before silence counts, on a loaded machine too.
const IMPATIENT = { pingInterval: 300, pingTimeout: 500 };

test("the server pings again after every pong over WebSocket", async (t) => {
  const server = await startServer(t, QUICK);
  const client = await server.websocket();
  for (let i = 0; i < 3; i++) {
    assert.equal(await client.text(), "2");
    const heartbeat = event(client.conn, "heartbeat");
    client.send("3");
    await heartbeat;
  }
});

test("the server pings again after every pong over polling", async (t) => {
  const server = await startServer(t, QUICK);
  const client = await server.polling();
  for (let i = 0; i < 3; i++) {
    assert.equal(await client.get(), "2");
    const heartbeat = event(client.conn, "heartbeat");
    await client.post("3");
    await heartbeat;
  }
});

test("only one ping is sent while its pong is awaited", async (t) => {
  const server = await startServer(t, IMPATIENT);
  const client = await server.websocket();
  assert.equal(await client.text(), "2");
  assert.equal(await client.closeHandshake(), undefined);
  assert.equal((await client.closed()).reason, "ping timeout");
});

test("a WebSocket client that never answers is closed", async (t) => {
  const server = await startServer(t, IMPATIENT);
  const client = await server.join();
  assert.equal(await client.text(), "2");
  assert.equal(await client.closeHandshake(), undefined);
  const reason = "ping timeout";
  assert.deepEqual(await client.ending(), { conn: reason, socket: reason, errors: [] });
  assert.equal(server.io.engine.clientsCount, 0);
});

test("a polling client that never answers is closed, its held GET told", async (t) => {
  const server = await startServer(t, IMPATIENT);
  const client = await server.polling();
  assert.equal(await client.get(), "2");
  const last = await client.request();
  // The session may be gone before this GET arrives.
  assert.ok(last.status === 400 || last.text === "1", `${last.status} ${last.text}`);
  assert.equal((await client.closed()).reason, "ping timeout");
  await client.gone();
});

test("a WebSocket ping is no heartbeat", async (t) => {
  const server = await startServer(t, IMPATIENT);
  const client = await server.websocket();
  assert.equal(await client.text(), "2");
  client.sendFrame(OPCODE.ping, "alive");
  client.sendFrame(OPCODE.pong, "alive");
  // The answer and the close frame may come in either order: the timer runs on.
  const opcodes = [];
  while (opcodes.at(-1) !== OPCODE.close) opcodes.push((await client.frame()).opcode);
  assert.ok(opcodes.length <= 2, String(opcodes));
  assert.equal((await client.closed()).reason, "ping timeout");
});

for (const packet of ["3", "3probe", "3\u20ac"]) {
  test(`pong "${packet}" is accepted at any time`, async (t) => {
    const server = await startServer(t);
    const client = await server.join();
    client.send(packet);
    client.send(packet);
    await client.echo();
  });
}

for (const packet of ["2", "2probe"]) {
  test(`"${packet}" from the client over WebSocket ends the session`, async (t) => {
    const server = await startHostile(t);
    const client = await server.join();
    client.send(packet);
    assert.equal(await client.closeHandshake(), undefined);
    const { reason, description } = await client.closed();
    assert.equal(reason, "transport error");
    assert.equal(description.message, "invalid heartbeat direction");
    assert.equal(await client.disconnected(), "transport error");
    await server.undisturbed();
  });
}

test("heartbeats go on after an upgrade", async (t) => {
  const server = await startServer(t, QUICK);
  const polling = await server.polling();
  assert.equal(await polling.get(), "2");
  const heartbeat = event(polling.conn, "heartbeat");
  await polling.post("3");
  await heartbeat;
  const client = await server.websocketOf({ query: { sid: polling.sid } });
  client.send("2probe");
  assert.equal(await client.text(), "3probe");
  client.send("5");
  // A ping sent over polling meanwhile, and never fetched there, is answered all the same.
  client.send("3");
  assert.equal(await client.text(), "2");
  client.send("3");
  assert.equal(await client.text(), "2");
});
