"use strict";

// Namespaces made on demand: of(RegExp) and of(function).

const assert = require("node:assert/strict");
const { Adapter } = require("socket.io-adapter");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, next, until } = require("../support/events");

eachTransport("a regular expression makes namespaces on demand", async (t, transport) => {
  const app = await serve(t, { transport });
  const seen = [];
  const parent = app.io.of(/^\/room-\d+$/);
  parent.on("connection", (socket) => seen.push(socket.nsp.name));
  assert.equal(app.io._nsps.has("/room-1"), false);
  const { client, socket } = await app.connect("/room-1");
  socket.on("question", (answer) => answer(socket.nsp.name));
  assert.equal(await client.emitWithAck("question"), "/room-1");
  await app.connect("/room-2");
  assert.deepEqual(seen, ["/room-1", "/room-2"]);
  assert.equal(app.io._nsps.has("/room-1"), true);
});

eachTransport("a name that does not match is refused", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of(/^\/room-\d+$/);
  const [error] = await next(app.open("/room-x"), "connect_error");
  assert.equal(error.message, "Invalid namespace");
});

eachTransport("a function decides by name and auth", async (t, transport) => {
  const app = await serve(t, { transport });
  const asked = [];
  app.io.of((name, auth, done) => {
    asked.push([name, auth]);
    setImmediate(done, null, auth.token === "good");
  });
  const { socket } = await app.connect("/private", { auth: { token: "good" } });
  assert.equal(socket.nsp.name, "/private");
  const [error] = await next(app.open("/secret", { auth: { token: "bad" } }), "connect_error");
  assert.equal(error.message, "Invalid namespace");
  assert.deepEqual(asked, [
    ["/private", { token: "good" }],
    ["/secret", { token: "bad" }],
  ]);
});

test("a function that fails refuses", async (t) => {
  const app = await serve(t);
  app.io.of((name, auth, done) => done(new Error("cannot say"), true));
  const [error] = await next(app.open("/any"), "connect_error");
  assert.equal(error.message, "Invalid namespace");
});

test("the parents are asked in the order in which they were made", async (t) => {
  const app = await serve(t);
  const asked = [];
  const chosen = [];
  [false, true, true].forEach((allowed, i) => {
    const parent = app.io.of((name, auth, done) => {
      asked.push(i);
      done(null, allowed);
    });
    parent.on("connection", () => chosen.push(i));
  });
  await app.connect("/any");
  assert.deepEqual(chosen, [1]);
  assert.deepEqual(asked, [0, 1]);
});

test("a namespace made on demand is announced", async (t) => {
  const app = await serve(t);
  app.io.of(/^\/room-\d+$/);
  const announced = next(app.io, "new_namespace");
  await app.connect("/room-7");
  assert.equal((await announced)[0].name, "/room-7");
});

eachTransport("two clients at once share the namespace made for them", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of((name, auth, done) => setImmediate(done, null, true));
  const announced = [];
  app.io.on("new_namespace", ({ name }) => announced.push(name));
  const both = await Promise.all([app.connect("/shared"), app.connect("/shared")]);
  assert.ok(both[0].socket.nsp === both[1].socket.nsp);
  assert.deepEqual(announced, ["/shared"]);
});

eachTransport("middleware of the parent runs for its children", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of(/^\/room-\d+$/).use((socket, done) => {
    done(socket.nsp.name === "/room-1" ? undefined : new Error("only room 1"));
  });
  await app.connect("/room-1");
  const [error] = await next(app.open("/room-2"), "connect_error");
  assert.equal(error.message, "only room 1");
});

eachTransport("the parent emits to all its children", async (t, transport) => {
  const app = await serve(t, { transport });
  const parent = app.io.of(/^\/room-\d+$/);
  const one = await app.connect("/room-1");
  const two = await app.connect("/room-2");
  const outside = await app.connect();
  outside.client.on("event", () => assert.fail("not a child"));
  const received = [one, two].map(({ client }) => collect(client, "event", 2));
  assert.equal(parent.emit("event", "all"), true);
  two.socket.join("inside");
  one.socket.join("inside");
  parent.to("inside").emit("event", "in a room");
  for (const events of received) {
    assert.deepEqual(await events, [["all"], ["in a room"]]);
  }
});

test("of(name) of a matching name is a child of the parent", async (t) => {
  const app = await serve(t);
  const seen = [];
  const parent = app.io.of(/^\/room-\d+$/);
  parent.on("connection", (socket) => seen.push(socket.nsp.name));
  assert.ok(parent.children instanceof Set);
  const child = app.io.of("/room-3");
  assert.equal(parent.children.has(child), true);
  await app.connect("/room-3");
  assert.deepEqual(seen, ["/room-3"]);
});

test("a namespace with a fixed name comes before those made on demand", async (t) => {
  const app = await serve(t);
  app.io.of((name, auth, done) => done(null, true)).on("connection", () => assert.fail("fixed"));
  const fixed = app.io.of("/fixed");
  const heard = next(fixed, "connection");
  await app.connect("/fixed");
  await heard;
});

test("fetchSockets of a parent throws", async (t) => {
  const app = await serve(t);
  assert.throws(() => app.io.of(/./).fetchSockets(), {
    message: "fetchSockets() is not supported on parent namespaces",
  });
});

test("cleanupEmptyChildNamespaces removes a child with its last socket", async (t) => {
  const app = await serve(t, { options: { cleanupEmptyChildNamespaces: true } });
  const parent = app.io.of(/^\/room-\d+$/);
  const one = await app.connect("/room-1");
  const two = await app.connect("/room-1");
  one.client.disconnect();
  await next(one.socket, "disconnect");
  assert.equal(app.io._nsps.has("/room-1"), true);
  two.client.disconnect();
  await next(two.socket, "disconnect");
  await until(() => !app.io._nsps.has("/room-1"), "the child is removed");
  assert.equal(parent.children.size, 0);
});

test("cleanupEmptyChildNamespaces removes a child whose only client is refused", async (t) => {
  const app = await serve(t, { options: { cleanupEmptyChildNamespaces: true } });
  app.io.of(/^\/room-\d+$/).use((socket, done) => done(new Error("refused")));
  await next(app.open("/room-1"), "connect_error");
  assert.equal(app.io._nsps.has("/room-1"), false);
});

test("without cleanupEmptyChildNamespaces an empty child stays", async (t) => {
  const app = await serve(t);
  app.io.of(/^\/room-\d+$/);
  const { client, socket } = await app.connect("/room-1");
  client.disconnect();
  await next(socket, "disconnect");
  assert.equal(app.io._nsps.has("/room-1"), true);
});

test("cleanupEmptyChildNamespaces closes the adapter of the child, once", async (t) => {
  const closed = [];
  class Closing extends Adapter {
    close() {
      closed.push(this.nsp.name);
    }
  }
  const options = { cleanupEmptyChildNamespaces: true, adapter: Closing };
  const app = await serve(t, { options });
  app.io.of(/^\/room-\d+$/);
  const { client, socket } = await app.connect("/room-1");
  await app.connect("/room-2");
  client.disconnect();
  await next(socket, "disconnect");
  assert.deepEqual(closed, ["/room-1"]);
  const again = await app.connect("/room-1");
  assert.notEqual(again.socket.nsp, socket.nsp);
});

test("the adapters of parents are not closed", async (t) => {
  const closed = [];
  class Closing extends Adapter {
    close() {
      closed.push(this.nsp.name);
    }
  }
  const app = await serve(t, { options: { adapter: Closing } });
  app.io.of(/^\/child-\d$/);
  await app.connect("/child-1");
  await app.io.close();
  assert.deepEqual(closed.sort(), ["/", "/child-1"]);
});
