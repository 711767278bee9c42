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

eachTransport("binary goes both ways as base64", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const { client, socket } = await connectOld(t, app, "/", { forceBase64: true });
  assert.equal(socket.handshake.query.b64, "1");
  const bytes = Buffer.from([0, 1, 2, 127, 128, 255]);
  const atServer = next(socket, "bytes");
  client.emit("bytes", bytes, { more: bytes });
  assert.deepEqual(await atServer, [bytes, { more: bytes }]);
  for (const send of [(...args) => socket.emit(...args), (...args) => app.io.emit(...args)]) {
    const atClient = next(client, "bytes");
    send("bytes", bytes, "text");
    const [first, text] = await atClient;
    assert.ok(bytes.equals(Buffer.from(first)));
    assert.equal(text, "text");
  }
});

eachTransport("an ack with binary data goes both ways", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const { client, socket } = await connectOld(t, app);
  const bytes = Buffer.from([1, 2, 3]);
  socket.on("question", (answer) => answer(bytes, 1));
  client.on("question", (answer) => answer(bytes, 2));
  const answered = deferred();
  client.emit("question", (...args) => answered.resolve(args));
  const [first, number] = await answered.promise;
  assert.ok(bytes.equals(Buffer.from(first)));
  assert.equal(number, 1);
  assert.deepEqual(await socket.emitWithAck("question"), bytes);
});

eachTransport("the query of the namespace is the auth of the handshake", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  app.io.of("/chat");
  const { socket } = await connectOld(t, app, "/chat?token=a%20b&n=1");
  assert.deepEqual({ ...socket.handshake.auth }, { token: "a b", n: "1" });
  assert.equal(Object.getPrototypeOf(socket.handshake.auth), null);
});

eachTransport("a client of version 2 is in the main namespace too", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  app.io.of("/chat");
  const { client, socket } = await connectOld(t, app, "/chat");
  const main = app.io.sockets.sockets.get(client.io.engine.id);
  assert.equal(main.conn, socket.conn);
  assert.equal(main.client.sockets.size, 2);
  const gone = next(main, "disconnect");
  const left = next(socket, "disconnect");
  client.io.close();
  assert.equal((await gone)[0], (await left)[0]);
});

eachTransport("an unknown namespace is refused for a client of version 2", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const client = openOld(t, app, "/nope");
  assert.deepEqual(await next(client, "error"), [{ message: "Invalid namespace" }]);
});

eachTransport("a client of version 2 gets the data of an error", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  app.io.use((socket, done) => done(Object.assign(new Error("no"), { data: { code: 7 } })));
  const client = openOld(t, app);
  assert.deepEqual(await next(client, "error"), [{ code: 7 }]);
});

eachTransport("rooms, volatile and local reach clients of version 2", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const one = await connectOld(t, app);
  const two = await connectOld(t, app);
  one.socket.join("room");
  two.socket.join(["room", "other"]);
  const received = collect(one.client, "event", 2);
  two.client.on("event", () => assert.fail("excluded"));
  app.io.to("room").except("other").emit("event", 1);
  two.socket.to("room").emit("event", 2);
  assert.deepEqual(await received, [[1], [2]]);
});
