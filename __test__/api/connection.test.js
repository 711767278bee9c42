"use strict";

// The connection below a socket (socket.conn) and the engine (io.engine): what
// applications read of them and listen to.

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, deferred, next, settle, until } = require("../support/events");

eachTransport("socket.conn shows the connection", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const { conn } = socket;
  assert.ok(conn === socket.client.conn);
  assert.ok(conn instanceof EventEmitter);
  assert.equal(conn.id, client.io.engine.id);
  assert.equal(conn.id, socket.client.id);
  assert.equal(conn.protocol, 4);
  assert.equal(conn.readyState, "open");
  assert.match(conn.remoteAddress, /127\.0\.0\.1$/);
  assert.equal(conn.transport.name, transport.final);
  assert.ok(conn.server === app.io.engine);
});

eachTransport("socket.conn is closed with the client", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const { conn } = socket;
  const closed = next(conn, "close");
  client.disconnect();
  const [reason] = await closed;
  assert.equal(reason, "transport close");
  assert.equal(conn.readyState, "closed");
  assert.equal(socket.connected, false);
});

eachTransport("the engine counts and names its connections", async (t, transport) => {
  const app = await serve(t, { transport });
  const { engine } = app.io;
  assert.ok(engine === app.io.eio);
  assert.equal(engine.clientsCount, 0);
  const one = await app.connect();
  const two = await app.connect();
  assert.equal(engine.clientsCount, 2);
  assert.deepEqual(Object.keys(engine.clients), [one.socket.conn.id, two.socket.conn.id]);
  assert.ok(engine.clients[two.socket.conn.id] === two.socket.conn);
  const closed = next(one.socket.conn, "close");
  one.client.disconnect();
  await closed;
  assert.equal(engine.clientsCount, 1);
  assert.deepEqual(Object.keys(engine.clients), [two.socket.conn.id]);
});

eachTransport("the engine tells of a connection before the namespace", async (t, transport) => {
  const app = await serve(t, { transport });
  const order = [];
  app.io.engine.on("connection", (conn) => order.push(["engine", conn.id]));
  app.io.on("connection", (socket) => order.push(["namespace", socket.conn.id]));
  const { socket } = await app.connect();
  assert.deepEqual(order, [
    ["engine", socket.conn.id],
    ["namespace", socket.conn.id],
  ]);
});

eachTransport("messages pass by as packets of the connection", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const incoming = deferred();
  const outgoing = deferred();
  socket.conn.on("packet", ({ type, data }) => {
    if (type === "message") {
      incoming.resolve(data);
    }
  });
  socket.conn.on("packetCreate", ({ type, data }) => {
    if (type === "message") {
      outgoing.resolve(data);
    }
  });
  client.emit("up", 1);
  assert.equal(await incoming.promise, '2["up",1]');
  socket.emit("down", 2);
  assert.equal(await outgoing.promise, '2["down",2]');
});

eachTransport("the connection tells when it has been drained", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect();
  await until(() => socket.conn.transport.writable, "the transport is writable");
  const drained = next(socket.conn, "drain");
  socket.emit("event");
  await drained;
});

eachTransport(
  "what cannot be written at once waits in the buffer",
  async (t, transport) => {
    const app = await serve(t, { transport });
    const { client, socket } = await app.connect();
    await until(() => socket.conn.transport.writable, "the transport is writable");
    assert.equal(socket.conn.writeBuffer.length, 0);
    const received = collect(client, "event", 5);
    for (let i = 0; i < 5; i++) {
      socket.emit("event", i);
    }
    assert.equal(socket.conn.transport.writable, false);
    assert.equal(socket.conn.writeBuffer.length, 4);
    assert.equal((await received).length, 5);
    await until(() => socket.conn.writeBuffer.length === 0, "the buffer is empty");
  },
  ["websocket", "upgraded"],
);

eachTransport(
  "the WebSocket can be reached",
  async (t, transport) => {
    const app = await serve(t, { transport });
    const { socket } = await app.connect();
    const webSocket = socket.conn.transport.socket;
    assert.equal(webSocket.readyState, 1);
    assert.equal(typeof webSocket.bufferedAmount, "number");
    assert.match(webSocket._socket.remoteAddress, /127\.0\.0\.1$/);
    assert.equal(typeof webSocket._socket.remotePort, "number");
    const left = next(socket, "disconnect");
    webSocket.close();
    assert.equal((await left)[0], "transport close");
  },
  ["websocket", "upgraded"],
);

eachTransport("custom properties stay on their objects", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.engine.on("connection", (conn) => {
    conn.tag = "conn";
  });
  app.io.on("connection", (socket) => {
    socket.tag = "socket";
    socket.client.tag = "client";
  });
  const { socket } = await app.connect();
  assert.equal(socket.tag, "socket");
  assert.equal(socket.client.tag, "client");
  assert.equal(socket.conn.tag, "conn");
  const known = new WeakMap([
    [socket, 1],
    [socket.conn, 2],
  ]);
  assert.equal(known.get(app.io.sockets.sockets.get(socket.id)), 1);
  assert.equal(known.get(app.io.engine.clients[socket.conn.id]), 2);
});

test("several sockets of one client share it", async (t) => {
  const app = await serve(t);
  app.io.of("/other");
  const main = await app.connect();
  const other = await app.share(main.client, "/other");
  const { client } = main.socket;
  assert.ok(other.socket.client === client);
  assert.deepEqual([...client.sockets.keys()], [main.socket.id, other.socket.id]);
  assert.deepEqual([...client.nsps.keys()], ["/", "/other"]);
});

test("the first request may be dropped to save memory", async (t) => {
  const app = await serve(t);
  app.io.engine.on("connection", (conn) => {
    conn.request = null;
  });
  const { client, socket } = await app.connect();
  assert.equal(socket.request, null);
  assert.deepEqual(socket.handshake.headers, {});
  await settle(client, socket);
});

test("client.conn.close() ends all sockets of the client", async (t) => {
  const app = await serve(t);
  app.io.of("/other");
  const main = await app.connect("/", { transports: ["websocket"] });
  const other = await app.share(main.client, "/other");
  const order = [];
  main.socket.on("disconnect", () => order.push("main"));
  other.socket.on("disconnect", () => order.push("other"));
  const left = next(other.socket, "disconnect");
  main.socket.client.conn.close();
  await left;
  assert.deepEqual(order, ["main", "other"]);
});
