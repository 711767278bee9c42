"use strict";

// From polling to WebSocket while the session goes on.

const assert = require("node:assert/strict");
const { TRANSPORTS, test } = require("../support/scenario");
const { connected, serve } = require("../support/app");
const { collect, deferred, next, settle } = require("../support/events");
const { request } = require("../support/request");

const upgraded = { transport: TRANSPORTS.upgraded };

test("the connection tells of the upgrade", async (t) => {
  const app = await serve(t, upgraded);
  const connection = next(app.io, "connection");
  const client = app.open();
  const [{ conn }] = await connection;
  assert.equal(conn.transport.name, "polling");
  const [transport] = await next(conn, "upgrade");
  assert.equal(transport.name, "websocket");
  assert.equal(conn.transport.name, "websocket");
  assert.ok(conn.transport === transport);
  assert.equal(conn.upgraded, true);
  assert.equal(client.io.engine.transport.name, "websocket");
});

test("the session stays the same", async (t) => {
  const app = await serve(t, upgraded);
  const connection = next(app.io, "connection");
  const client = app.open();
  const connects = next(client, "connect");
  const [socket] = await connection;
  const { id, conn } = socket;
  const sid = conn.id;
  socket.join("room");
  await next(conn, "upgrade");
  await connects;
  assert.equal(client.id, id);
  assert.equal(client.io.engine.id, sid);
  assert.deepEqual([...socket.rooms], [id, "room"]);
  assert.equal(app.io.engine.clientsCount, 1);
  const heard = next(client, "event");
  app.io.to("room").emit("event");
  await heard;
});

test("messages of both sides survive the upgrade in order", async (t) => {
  const app = await serve(t, upgraded);
  const count = 1_000;
  const fromClient = [];
  const allFromClient = deferred();
  const upgradedAt = deferred();
  app.io.on("connection", (socket) => {
    socket.conn.on("upgrade", () => upgradedAt.resolve(fromClient.length));
    socket.on("up", (n) => {
      fromClient.push(n);
      // Paced by the other side, so that the upgrade happens in the midst.
      socket.emit("down", n);
      if (fromClient.length === count) {
        allFromClient.resolve();
      }
    });
  });
  const client = app.open();
  const fromServer = collect(client, "down", count);
  await connected(client);
  let sent = 0;
  (function sendMore() {
    for (let i = 0; i < 5 && sent < count; i++) {
      client.emit("up", sent++);
    }
    if (sent < count) {
      setImmediate(sendMore);
    }
  })();
  await allFromClient.promise;
  const numbers = Array.from({ length: count }, (_, i) => i);
  assert.deepEqual(fromClient, numbers);
  assert.deepEqual(
    (await fromServer).map(([n]) => n),
    numbers,
  );
  await upgradedAt.promise;
  assert.equal(client.io.engine.transport.name, "websocket");
});

test("binary and acks survive the upgrade", async (t) => {
  const app = await serve(t, upgraded);
  app.io.on("connection", (socket) => {
    socket.on("echo", (bytes, answer) => answer(bytes));
  });
  const client = app.open();
  await connected(client);
  const answers = Array.from({ length: 50 }, (_, i) => {
    return client.emitWithAck("echo", Buffer.alloc(i * 10, i));
  });
  const all = await Promise.all(answers);
  all.forEach((bytes, i) => assert.ok(Buffer.alloc(i * 10, i).equals(Buffer.from(bytes))));
});

test("broadcasts reach clients before, during and after their upgrade", async (t) => {
  const app = await serve(t, upgraded);
  const count = 100;
  const clients = Array.from({ length: 5 }, () => app.open());
  await Promise.all(clients.map(connected));
  const received = clients.map((client) => collect(client, "count", count));
  let sent = 0;
  (function sendMore() {
    app.io.emit("count", sent++);
    if (sent < count) {
      setImmediate(sendMore);
    }
  })();
  for (const events of received) {
    assert.deepEqual(
      (await events).map(([n]) => n),
      Array.from({ length: count }, (_, i) => i),
    );
  }
});

test("after the upgrade polling is refused", async (t) => {
  const app = await serve(t, upgraded);
  const { client, socket } = await app.connect();
  const refused = next(app.io.engine, "connection_error");
  const { id } = client.io.engine;
  const answer = await request(`${app.url}/socket.io/?EIO=4&transport=polling&sid=${id}`);
  assert.equal(answer.status, 400);
  assert.deepEqual(JSON.parse(answer.text), { code: 3, message: "Bad request" });
  const [{ context }] = await refused;
  assert.equal(context.name, "TRANSPORT_MISMATCH");
  await settle(client, socket);
});

test("a client that starts with WebSocket does not upgrade", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", { transports: ["websocket", "polling"] });
  assert.equal(socket.conn.upgraded, false);
  socket.conn.on("upgrade", () => assert.fail("nothing to upgrade"));
  await settle(client, socket);
  assert.equal(socket.conn.transport.name, "websocket");
});

test("a client that is not offered an upgrade polls on", async (t) => {
  const app = await serve(t, { options: { allowUpgrades: false } });
  const { client, socket } = await app.connect();
  await settle(client, socket);
  assert.equal(client.io.engine.transport.name, "polling");
  assert.equal(socket.conn.transport.name, "polling");
});

test("a disconnection during the upgrade is told to both sides", async (t) => {
  const app = await serve(t, upgraded);
  const connection = next(app.io, "connection");
  const session = next(app.io.engine, "connection");
  const client = app.open();
  const left = next(client, "disconnect");
  // The probe and the packet that joins the namespace travel side by side: either may be first.
  const [conn] = await session;
  const upgrading = next(conn, "upgrading");
  const [socket] = await connection;
  await upgrading;
  const closed = next(conn, "close");
  socket.disconnect(true);
  await left;
  await closed;
  assert.equal(app.io.engine.clientsCount, 0);
});
