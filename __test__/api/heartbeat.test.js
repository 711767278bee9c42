"use strict";

// Pings, pongs and the end of a client that does not answer.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, next, settle, until } = require("../support/events");
const { openPolling, openWebSocket, request } = require("../support/request");

/**
 * Short intervals with a timeout that a busy machine does not reach. The upgrade is over
 * before the first ping: the reference may stop pinging when it is not.
 */
function often(transport) {
  const upgrades = transport.client.transports.length > 1;
  return { pingInterval: upgrades ? 400 : 30, pingTimeout: 10_000 };
}

eachTransport("the client is pinged again and again", async (t, transport) => {
  const app = await serve(t, { transport, options: often(transport) });
  const { client, socket } = await app.connect();
  await collect(client.io, "ping", 4);
  assert.equal(socket.connected, true);
  await settle(client, socket);
});

eachTransport("the server hears the answers of the client", async (t, transport) => {
  const app = await serve(t, { transport, options: often(transport) });
  const { client, socket } = await app.connect();
  await collect(socket.conn, "heartbeat", 4);
  assert.equal(client.connected, true);
});

eachTransport("events flow between heartbeats", async (t, transport) => {
  const app = await serve(t, { transport, options: often(transport) });
  const { client, socket } = await app.connect();
  const numbers = [];
  socket.on("count", (n) => {
    numbers.push(n);
    client.emit("count", n + 1);
  });
  const pings = collect(client.io, "ping", 3);
  client.emit("count", 0);
  await pings;
  assert.ok(numbers.length > 0);
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => i),
  );
  socket.removeAllListeners("count");
});

/** More than is read of a client before its events were handled. */
const LARGE = 300_000;

eachTransport("a client that never stops sending is pinged, too", async (t, transport) => {
  const app = await serve(t, { transport, options: often(transport) });
  const { client, socket } = await app.connect();
  socket.on("chunk", (bytes, done) => done(bytes.length));
  let isOver = false;
  const pings = collect(client.io, "ping", 3).finally(() => (isOver = true));
  while (!isOver) {
    assert.equal(await client.emitWithAck("chunk", Buffer.alloc(LARGE)), LARGE);
  }
  await pings;
});

test("the intervals are told in the handshake", async (t) => {
  const options = { pingInterval: 1234, pingTimeout: 5678 };
  const app = await serve(t, { options });
  const { open } = await openPolling(app.url);
  assert.equal(open.pingInterval, 1234);
  assert.equal(open.pingTimeout, 5678);
});

test("the intervals are 25 and 20 seconds unless set", async (t) => {
  const app = await serve(t);
  const { open } = await openPolling(app.url);
  assert.equal(open.pingInterval, 25_000);
  assert.equal(open.pingTimeout, 20_000);
});

test("the intervals may be changed while the server runs", async (t) => {
  const app = await serve(t);
  app.io.engine.opts.pingInterval = 30;
  const { open } = await openPolling(app.url);
  assert.equal(open.pingInterval, 30);
  const { client } = await app.connect("/", { transports: ["websocket"] });
  await collect(client.io, "ping", 2);
});

test("a WebSocket that does not answer a ping is closed", async (t) => {
  const app = await serve(t, { options: { pingInterval: 300, pingTimeout: 700 } });
  const connection = next(app.io, "connection");
  const url = `${app.url}/socket.io/?EIO=4&transport=websocket`;
  const { webSocket } = await openWebSocket(t, url);
  const pinged = next(webSocket, "message");
  const closed = next(webSocket, "close");
  webSocket.send("40");
  const [socket] = await connection;
  const left = next(socket, "disconnect");
  await pinged;
  assert.equal((await left)[0], "ping timeout");
  await closed;
  assert.equal(app.io.engine.clientsCount, 0);
});

test("a polling client that stays away is given up", async (t) => {
  const app = await serve(t, { options: { pingInterval: 30, pingTimeout: 30 } });
  app.io.engine.on("connection", (conn) => {
    // Nobody will ask for the end of the session.
    conn.transport.closeTimeout = 30;
  });
  // Whoever accepts connections apart from JavaScript answers before it is told of them.
  const connected = next(app.io.engine, "connection");
  const { open } = await openPolling(app.url);
  await connected;
  assert.equal(app.io.engine.clientsCount, 1);
  await until(() => app.io.engine.clientsCount === 0, "the session is closed");
  const gone = await request(`${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`);
  assert.equal(gone.status, 400);
  assert.equal(JSON.parse(gone.text).message, "Session ID unknown");
});

test("a polling client that leaves a failed probe behind is given up", async (t) => {
  const app = await serve(t, { options: { pingInterval: 1_000, pingTimeout: 1_000 } });
  const opened = next(app.io.engine, "connection");
  const { open } = await openPolling(app.url);
  const [conn] = await opened;
  conn.transport.closeTimeout = 30;
  const ended = next(conn, "close");
  const url = `${app.url}/socket.io/?EIO=4&transport=websocket&sid=${open.sid}`;
  const { webSocket } = await openWebSocket(t, url);
  // No probe begins like that. More comes than is read before JavaScript has handled what came.
  webSocket.send(Buffer.alloc(LARGE));
  await next(webSocket, "close");
  assert.equal(conn.readyState, "open");
  assert.equal((await ended)[0], "ping timeout");
});

eachTransport("a ping outstanding at the upgrade does not end the client", async (t, transport) => {
  const options = { pingInterval: 5, pingTimeout: 10_000 };
  const app = await serve(t, { transport, options });
  const { client, socket } = await app.connect();
  await settle(client, socket);
  assert.equal(socket.connected, true);
});
