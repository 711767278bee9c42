"use strict";

// Namespaces with a fixed name. Those made on demand are in dynamic-namespaces.

const assert = require("node:assert/strict");
const { target } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { connected, serve } = require("../support/app");
const { deferred, next, settle } = require("../support/events");

eachTransport("clients of namespaces on one connection are apart", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/chat");
  app.io.of("/news");
  const main = await app.connect();
  const chat = await app.share(main.client, "/chat");
  const news = await app.share(main.client, "/news");
  assert.ok(chat.socket.conn === main.socket.conn);
  assert.ok(chat.socket.client === news.socket.client);
  assert.equal(new Set([main.socket.id, chat.socket.id, news.socket.id]).size, 3);
  assert.equal(app.io.engine.clientsCount, 1);

  const seen = [];
  for (const [name, { client }] of Object.entries({ main, chat, news })) {
    client.on("event", (value) => seen.push([name, value]));
  }
  app.io.emit("event", 1);
  app.io.of("/chat").emit("event", 2);
  app.io.of("/news").emit("event", 3);
  await settle(main.client, main.socket);
  await settle(chat.client, chat.socket);
  await settle(news.client, news.socket);
  assert.deepEqual(seen, [
    ["main", 1],
    ["chat", 2],
    ["news", 3],
  ]);
});

eachTransport("a client may use a namespace and not the main one", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/chat");
  app.io.on("connection", () => assert.fail("not connected to the main namespace"));
  const { client, socket } = await app.connect("/chat");
  socket.on("question", (answer) => answer("chat"));
  assert.equal(await client.emitWithAck("question"), "chat");
  assert.equal(app.io.sockets.sockets.size, 0);
  assert.equal(app.io.of("/chat").sockets.size, 1);
});

eachTransport("an unknown namespace is refused and the connection kept", async (t, transport) => {
  const app = await serve(t, { transport });
  const main = await app.connect();
  const refused = next(main.client.io.socket("/nowhere", {}), "connect_error");
  const [error] = await refused;
  assert.equal(error.message, "Invalid namespace");
  assert.equal(error.data, undefined);
  await settle(main.client, main.socket);
});

eachTransport("names may have several parts and any character", async (t, transport) => {
  const app = await serve(t, { transport });
  for (const name of ["/a/b/c", "/with space", "/ünïcode-日本", "/-", "/__proto__"]) {
    app.io.of(name);
    const { client, socket } = await app.connect(name);
    assert.equal(socket.nsp.name, name);
    socket.on("question", (answer) => answer(name));
    assert.equal(await client.emitWithAck("question"), name);
    client.disconnect();
  }
});

eachTransport("binary and acks work in a namespace", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/files");
  const { client, socket } = await app.connect("/files");
  socket.on("echo", (bytes, answer) => answer(bytes, bytes.length));
  const bytes = Buffer.from([1, 2, 3]);
  assert.ok(Buffer.from(await client.emitWithAck("echo", bytes)).equals(bytes));
  client.on("echo", (received, answer) => answer(received));
  assert.ok((await socket.emitWithAck("echo", bytes)).equals(bytes));
});

test("of() gives the same namespace for the same name", async (t) => {
  const app = await serve(t);
  const { io } = app;
  assert.ok(io.of("/chat") === io.of("chat"));
  assert.ok(io.of("/") === io.sockets);
  assert.ok(io.of("") === io.sockets);
  assert.ok(io.of("/chat") instanceof target.Namespace);
  assert.equal(io.of("/chat").name, "/chat");
  assert.ok(io.of("/chat").server === io);
});

test("of() with a listener hears of connections", async (t) => {
  const app = await serve(t);
  const heard = deferred();
  app.io.of("/chat", (socket) => heard.resolve(socket.nsp.name));
  await app.connect("/chat");
  assert.equal(await heard.promise, "/chat");
});

test("connect and connection are told, in this order", async (t) => {
  const app = await serve(t);
  const calls = [];
  app.io.on("connection", (socket) => calls.push(["connection", socket.id]));
  app.io.on("connect", (socket) => calls.push(["connect", socket.id]));
  const { client } = await app.connect();
  assert.deepEqual(calls, [
    ["connect", client.id],
    ["connection", client.id],
  ]);
});

test("a new namespace is announced once", async (t) => {
  const app = await serve(t);
  const announced = [];
  app.io.on("new_namespace", (namespace) => announced.push(namespace.name));
  app.io.of("/one");
  app.io.of("/two");
  app.io.of("/one");
  assert.deepEqual(announced, ["/one", "/two"]);
});

test("listeners of io are those of the main namespace", async (t) => {
  const app = await serve(t);
  const listener = () => {};
  assert.ok(app.io.on("connection", listener) === app.io.sockets);
  assert.deepEqual(app.io.listeners("connection"), [listener]);
  assert.deepEqual(app.io.sockets.listeners("connection"), [listener]);
  app.io.off("connection", listener);
  assert.equal(app.io.listenerCount("connection"), 0);
});

eachTransport("auth reaches the handshake", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/chat");
  const auth = { token: "tökén", nested: { list: [1, null] }, ["__proto__x"]: true };
  const main = await app.connect("/", { auth });
  assert.deepEqual(main.socket.handshake.auth, auth);
  const chat = await app.share(main.client, "/chat", { auth: { token: "other" } });
  assert.deepEqual(chat.socket.handshake.auth, { token: "other" });
});

eachTransport("auth may be a function of the client", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect("/", { auth: (done) => done({ late: true }) });
  assert.deepEqual(socket.handshake.auth, { late: true });
});

eachTransport("without auth the handshake has an empty object", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect();
  assert.deepEqual(socket.handshake.auth, {});
});

test("a namespace knows its sockets", async (t) => {
  const app = await serve(t);
  const chat = app.io.of("/chat");
  const [one, two] = await app.connectAll(2, "/chat");
  assert.ok(chat.sockets instanceof Map);
  assert.deepEqual([...chat.sockets.keys()], [one.socket.id, two.socket.id]);
  const left = next(one.socket, "disconnect");
  one.client.disconnect();
  await left;
  assert.deepEqual(
    [...chat.sockets.values()].map(({ id }) => id),
    [two.socket.id],
  );
});

test("disconnecting all sockets of a namespace empties it", async (t) => {
  const app = await serve(t);
  const chat = app.io.of("/chat");
  const all = await app.connectAll(3, "/chat");
  const gone = all.map(({ client }) => next(client, "disconnect"));
  chat.disconnectSockets();
  for (const reason of gone) {
    assert.equal((await reason)[0], "io server disconnect");
  }
  assert.equal(chat.sockets.size, 0);
});

test("a client can join the same namespace again on the same connection", async (t) => {
  const app = await serve(t);
  app.io.of("/chat");
  const main = await app.connect();
  const chat = await app.share(main.client, "/chat");
  const left = next(chat.socket, "disconnect");
  chat.client.disconnect();
  await left;
  chat.client.connect();
  await connected(chat.client);
  const again = app.io.of("/chat").sockets.get(chat.client.id);
  assert.notEqual(again.id, chat.socket.id);
  assert.ok(again.conn === main.socket.conn);
});

test("events that a server sends to itself reach the listeners of the namespace", async (t) => {
  const app = await serve(t);
  const heard = deferred();
  app.io.of("/chat").on("internal", (...args) => heard.resolve(args));
  app.io.of("/chat")._onServerSideEmit(["internal", 1, 2]);
  assert.deepEqual(await heard.promise, [1, 2]);
});
