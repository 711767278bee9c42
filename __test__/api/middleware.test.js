"use strict";

// Middleware of namespaces: who may connect, and what a refused client is told.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, deferred, next, settle, until } = require("../support/events");

eachTransport("a hole behind a middleware ends the list", async (t, transport) => {
  const app = await serve(t, { transport });
  const calls = [];
  app.io.use((socket, done) => {
    calls.push("first");
    done();
  });
  app.io.use(undefined);
  app.io.use((socket, done) => {
    calls.push("behind");
    done();
  });
  const { client, socket } = await app.connect();
  socket.use((event, done) => done());
  socket.use(null);
  socket.on("question", (answer) => answer(calls));
  assert.deepEqual(await client.emitWithAck("question"), ["first"]);
});

eachTransport("middleware runs in order before the connection", async (t, transport) => {
  const app = await serve(t, { transport });
  const calls = [];
  const used = app.io.use((socket, done) => {
    calls.push("first");
    setImmediate(done);
  });
  assert.ok(used === app.io);
  app.io.use(async (socket, done) => {
    await null;
    calls.push("second");
    done();
  });
  app.io.use((socket, done) => {
    calls.push("third");
    done();
  });
  app.io.on("connection", () => calls.push("connection"));
  await app.connect();
  assert.deepEqual(calls, ["first", "second", "third", "connection"]);
});

eachTransport("an error refuses the client with its message and data", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.use((socket, done) => {
    const error = new Error("not authorised");
    error.data = { code: "E1", details: [1, { nested: null }] };
    done(error);
  });
  app.io.use(() => assert.fail("the chain has ended"));
  app.io.on("connection", () => assert.fail("refused"));
  const client = app.open();
  const [error] = await next(client, "connect_error");
  assert.ok(error instanceof Error);
  assert.equal(error.message, "not authorised");
  assert.deepEqual(error.data, { code: "E1", details: [1, { nested: null }] });
  assert.equal(client.connected, false);
  assert.equal(app.io.sockets.sockets.size, 0);
});

eachTransport("a refused client may try again with other credentials", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.use((socket, done) => {
    done(socket.handshake.auth.token === "good" ? undefined : new Error("bad token"));
  });
  const client = app.open("/", { auth: { token: "bad" } });
  const [error] = await next(client, "connect_error");
  assert.equal(error.message, "bad token");
  client.auth = { token: "good" };
  const back = next(client, "connect");
  client.connect();
  await back;
  assert.deepEqual(app.io.sockets.sockets.get(client.id).handshake.auth, { token: "good" });
});

eachTransport("middleware sees the handshake", async (t, transport) => {
  const app = await serve(t, { transport });
  const seen = deferred();
  app.io.use((socket, done) => {
    seen.resolve(socket.handshake);
    done();
  });
  await app.connect("/", {
    auth: { token: "t" },
    query: { room: "7", text: "ä b" },
    extraHeaders: { "x-test": "header" },
  });
  const { auth, query, headers } = await seen.promise;
  assert.deepEqual(auth, { token: "t" });
  assert.equal(query.room, "7");
  assert.equal(query.text, "ä b");
  assert.equal(query.EIO, "4");
  assert.equal(headers["x-test"], "header");
});

eachTransport("what middleware stores is there in the connection", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.use((socket, done) => {
    socket.data.user = { name: "ann" };
    socket.own = "property";
    socket.join("early");
    done();
  });
  const connection = next(app.io, "connection");
  app.open();
  const [socket] = await connection;
  assert.deepEqual(socket.data, { user: { name: "ann" } });
  assert.equal(socket.own, "property");
  assert.equal(socket.rooms.has("early"), true);
});

test("during middleware the socket is not connected yet", async (t) => {
  const app = await serve(t);
  const seen = deferred();
  app.io.use((socket, done) => {
    seen.resolve([
      ...[socket.connected, socket.disconnected, socket.rooms.size],
      ...[app.io.sockets.sockets.has(socket.id), app.io.sockets._preConnectSockets.size],
    ]);
    done();
  });
  await app.connect();
  assert.deepEqual(await seen.promise, [false, true, 0, false, 1]);
  assert.equal(app.io.sockets._preConnectSockets.size, 0);
});

test("rooms joined by a refused client are left", async (t) => {
  const app = await serve(t);
  app.io.use((socket, done) => {
    socket.join("room");
    done(new Error("refused"));
  });
  await next(app.open(), "connect_error");
  const { adapter, _preConnectSockets } = app.io.sockets;
  assert.equal(adapter.rooms.size, 0);
  assert.equal(adapter.sids.size, 0);
  assert.equal(_preConnectSockets.size, 0);
});

eachTransport("middleware of a namespace runs for that namespace only", async (t, transport) => {
  const app = await serve(t, { transport });
  const calls = [];
  app.io.use((socket, done) => {
    calls.push(socket.nsp.name);
    done();
  });
  app.io.of("/chat").use((socket, done) => {
    calls.push(socket.nsp.name);
    done();
  });
  const main = await app.connect();
  await app.share(main.client, "/chat");
  assert.deepEqual(calls, ["/", "/chat"]);
});

eachTransport("a client refused by one namespace keeps the others", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/admin").use((socket, done) => done(new Error("admins only")));
  const main = await app.connect();
  const [error] = await next(main.client.io.socket("/admin", {}), "connect_error");
  assert.equal(error.message, "admins only");
  await settle(main.client, main.socket);
});

test("middleware added later is for later clients", async (t) => {
  const app = await serve(t);
  const first = await app.connect();
  app.io.use((socket, done) => done(new Error("closed")));
  assert.equal((await next(app.open(), "connect_error"))[0].message, "closed");
  await settle(first.client, first.socket);
});

eachTransport("a client that leaves during middleware is never connected", async (t, transport) => {
  const app = await serve(t, { transport });
  const held = deferred();
  app.io.use((socket, done) => held.resolve({ socket, done }));
  app.io.on("connection", () => assert.fail("the client has left"));
  const client = app.open();
  const { socket, done } = await held.promise;
  const closed = next(socket.conn, "close");
  client.io.engine.close();
  await closed;
  done();
  const { _preConnectSockets, sockets } = app.io.sockets;
  await until(() => _preConnectSockets.size === 0, "the place kept for the socket is given up");
  assert.equal(sockets.size, 0);
});

eachTransport("middleware may answer late, or never", async (t, transport) => {
  const app = await serve(t, { transport });
  const held = [];
  app.io.use((socket, done) => held.push(done));
  const connections = [];
  app.io.on("connection", ({ id }) => connections.push(id));
  const [first, second] = [app.open(), app.open()];
  await until(() => held.length === 2, "both are in the middleware");
  assert.deepEqual(connections, []);
  const connect = Promise.race([next(first, "connect"), next(second, "connect")]);
  held[0]();
  await connect;
  assert.equal(connections.length, 1);
  assert.equal(app.io.sockets._preConnectSockets.size, 1);
  assert.equal(app.io.sockets.sockets.size, 1);
});

test("middleware that goes on twice makes what follows happen twice", async (t) => {
  const app = await serve(t);
  app.io.use((socket, done) => {
    done();
    done();
  });
  const connections = collect(app.io, "connection", 2);
  const { socket } = await app.connect();
  for (const [connected] of await connections) {
    assert.equal(connected, socket);
  }
  assert.equal(app.io.sockets.sockets.size, 1);
});
