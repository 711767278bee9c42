"use strict";

// Clients of version 2 (Engine.IO protocol 3), served when allowEIO3 is set.

const assert = require("node:assert/strict");
const connectTo = require("socket.io-client-v2");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { collect, deferred, next, until } = require("../support/events");

const OPTIONS = { allowEIO3: true };

/** Creates a client of version 2. */
function openOld(t, app, namespace = "/", options = {}) {
  const client = connectTo(app.url + namespace, {
    forceNew: true,
    reconnection: false,
    ...app.transport?.client,
    ...options,
  });
  atEnd(t, () => client.disconnect());
  return client;
}

/** Connects a client of version 2 and gives both ends. */
async function connectOld(t, app, namespace = "/", options) {
  const connection = next(app.io.of(namespace.split("?")[0]), "connection");
  const client = openOld(t, app, namespace, options);
  const [[socket]] = await Promise.all([connection, next(client, "connect")]);
  await app.upgraded(client, socket);
  return { client, socket };
}

eachTransport("a client of version 2 connects", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const { client, socket } = await connectOld(t, app);
  assert.equal(socket.conn.protocol, 3);
  assert.equal(socket.id, client.id);
  assert.equal(socket.handshake.query.EIO, "3");
  assert.equal(app.io.sockets.sockets.size, 1);
});

eachTransport("events go both ways with a client of version 2", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const { client, socket } = await connectOld(t, app);
  const values = [1, "é 😀 \u2028", { a: [null, true] }, ""];
  const atServer = next(socket, "values");
  client.emit("values", ...values);
  assert.deepEqual(await atServer, values);
  const atClient = next(client, "values");
  socket.emit("values", ...values);
  assert.deepEqual(await atClient, values);
});

eachTransport("acks go both ways with a client of version 2", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const { client, socket } = await connectOld(t, app);
  socket.on("question", (value, answer) => answer(value + 1));
  client.on("question", (value, answer) => answer(value + 2));
  const answered = deferred();
  client.emit("question", 1, answered.resolve);
  assert.equal(await answered.promise, 2);
  assert.equal(await socket.emitWithAck("question", 1), 3);
});

eachTransport("binary goes both ways with a client of version 2", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const { client, socket } = await connectOld(t, app);
  const bytes = Buffer.from([0, 1, 2, 127, 128, 255]);
  const atServer = next(socket, "bytes");
  client.emit("bytes", { list: [bytes, "text", bytes] });
  const [{ list }] = await atServer;
  assert.deepEqual(list, [bytes, "text", bytes]);
  const atClient = next(client, "bytes");
  socket.emit("bytes", bytes, { more: bytes });
  const [first, { more }] = await atClient;
  assert.ok(bytes.equals(Buffer.from(first)));
  assert.ok(bytes.equals(Buffer.from(more)));
});

eachTransport("clients of both versions hear a broadcast", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const old = await connectOld(t, app);
  const current = await app.connect();
  app.io.socketsJoin("room");
  const received = [old, current].map(({ client }) => collect(client, "event", 2));
  app.io.emit("event", { text: "é" });
  app.io.to("room").emit("event", Buffer.from([1, 2, 3]));
  for (const events of received) {
    const [[value], [bytes]] = await events;
    assert.deepEqual(value, { text: "é" });
    assert.deepEqual([...Buffer.from(bytes)], [1, 2, 3]);
  }
});

eachTransport("a client of version 2 joins a namespace with a query", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  app.io.of("/chat");
  const { client, socket } = await connectOld(t, app, "/chat?token=abc");
  assert.equal(socket.nsp.name, "/chat");
  assert.equal(socket.id, `/chat#${client.io.engine.id}`);
  const received = next(socket, "event");
  client.emit("event", 1);
  assert.deepEqual(await received, [1]);
});

eachTransport("a client of version 2 is told why it is refused", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  app.io.of("/private").use((socket, done) => done(new Error("not authorised")));
  const client = openOld(t, app, "/private");
  const [error] = await next(client, "error");
  assert.equal(error, "not authorised");
});

eachTransport("both sides hear of the end with a client of version 2", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const one = await connectOld(t, app);
  const left = next(one.socket, "disconnect");
  one.client.disconnect();
  assert.match((await left)[0], /^(client namespace disconnect|transport close)$/);
  const two = await connectOld(t, app);
  const told = next(two.client, "disconnect");
  two.socket.disconnect(true);
  assert.equal((await told)[0], "io server disconnect");
});

eachTransport("heartbeats keep a client of version 2", async (t, transport) => {
  const options = { ...OPTIONS, pingInterval: 30, pingTimeout: 10_000 };
  const app = await serve(t, { transport, options });
  const { client, socket } = await connectOld(t, app);
  await collect(client.io, "pong", 3);
  assert.equal(socket.connected, true);
  assert.equal(client.connected, true);
});

test("without allowEIO3 a client of version 2 is refused", async (t) => {
  const app = await serve(t);
  const refused = next(app.io.engine, "connection_error");
  const client = openOld(t, app, "/", { transports: ["polling"] });
  await next(client, "connect_error");
  const [{ code, message }] = await refused;
  assert.deepEqual([code, message], [5, "Unsupported protocol version"]);
});

test("nothing is left of a client of version 2 that has left", async (t) => {
  const app = await serve(t, { options: OPTIONS });
  const { client } = await connectOld(t, app, "/", { transports: ["websocket"] });
  client.disconnect();
  await until(() => app.io.engine.clientsCount === 0, "the connection is closed");
  assert.equal(app.io.sockets.sockets.size, 0);
  assert.equal(app.io.sockets.adapter.sids.size, 0);
});
