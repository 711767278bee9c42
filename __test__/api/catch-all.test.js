"use strict";

// Listeners for any event: incoming (onAny) and outgoing (onAnyOutgoing).

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { deferred, next, settle } = require("../support/events");

eachTransport("onAny hears every incoming event with its arguments", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = [];
  assert.ok(socket.onAny((...args) => seen.push(args)) === socket);
  const last = next(socket, "last");
  client.emit("first", 1, { a: [null] });
  client.emit("second", Buffer.from("bytes"));
  client.emit("last");
  await last;
  assert.deepEqual(seen, [["first", 1, { a: [null] }], ["second", Buffer.from("bytes")], ["last"]]);
});

eachTransport("onAny gets the ack function and runs before the listeners", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const calls = [];
  socket.on("question", () => calls.push("listener"));
  socket.onAny((event, answer) => {
    calls.push("any");
    setImmediate(answer, event);
  });
  assert.equal(await client.emitWithAck("question"), "question");
  assert.deepEqual(calls, ["any", "listener"]);
});

eachTransport("onAnyOutgoing hears every event sent to the client", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = [];
  assert.ok(socket.onAnyOutgoing((...args) => seen.push(args)) === socket);
  socket.join("room");
  const last = next(client, "last");
  socket.emit("one", 1);
  app.io.emit("two", { to: "all" });
  app.io.to("room").emit("three", [3]);
  app.io.to("another room").emit("not for this client");
  socket.broadcast.emit("not for this client either");
  socket.emit("last", "bytes");
  await last;
  assert.deepEqual(seen, [
    ["one", 1],
    ["two", { to: "all" }],
    ["three", [3]],
    ["last", "bytes"],
  ]);
});

eachTransport("onAnyOutgoing hears an event without its ack function", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = [];
  socket.onAnyOutgoing((...args) => seen.push(args));
  client.on("question", (value, answer) => answer());
  await socket.emitWithAck("question", 1);
  assert.deepEqual(seen, [["question", 1]]);
});

eachTransport("catch-all listeners can be put first, listed and removed", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const calls = [];
  const second = () => calls.push("second");
  const first = () => calls.push("first");
  socket.onAny(second);
  socket.prependAny(first);
  assert.deepEqual(socket.listenersAny(), [first, second]);
  client.emit("event");
  await next(socket, "event");
  assert.deepEqual(calls, ["first", "second"]);
  assert.ok(socket.offAny(first) === socket);
  assert.deepEqual(socket.listenersAny(), [second]);
  client.emit("event");
  await next(socket, "event");
  assert.deepEqual(calls, ["first", "second", "second"]);
  socket.offAny();
  assert.deepEqual(socket.listenersAny(), []);
  await settle(client, socket);
  assert.equal(calls.length, 3);
});

test("outgoing catch-all listeners can be put first, listed and removed", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  const calls = [];
  const second = () => calls.push("second");
  const first = () => calls.push("first");
  socket.onAnyOutgoing(second);
  socket.prependAnyOutgoing(first);
  assert.deepEqual(socket.listenersAnyOutgoing(), [first, second]);
  socket.emit("event");
  assert.deepEqual(calls, ["first", "second"]);
  socket.offAnyOutgoing(first);
  app.io.emit("event");
  assert.deepEqual(calls, ["first", "second", "second"]);
  socket.offAnyOutgoing();
  assert.deepEqual(socket.listenersAnyOutgoing(), []);
  socket.emit("event");
  assert.equal(calls.length, 3);
});

test("catch-all listeners without any added are an empty list", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  assert.deepEqual(socket.listenersAny(), []);
  assert.deepEqual(socket.listenersAnyOutgoing(), []);
});

test("removing a catch-all listener while one runs does not skip another", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  const calls = [];
  const once = () => {
    calls.push("once");
    socket.offAny(once);
  };
  socket.onAny(once);
  socket.onAny(() => calls.push("always"));
  client.emit("event");
  await next(socket, "event");
  assert.deepEqual(calls, ["once", "always"]);
});

test("this inside a catch-all listener is the socket", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  const incoming = deferred();
  const outgoing = deferred();
  socket.onAny(function () {
    incoming.resolve(this);
  });
  socket.onAnyOutgoing(function () {
    outgoing.resolve(this);
  });
  client.emit("event");
  socket.emit("event");
  assert.ok((await incoming.promise) === socket);
  assert.ok((await outgoing.promise) === socket);
});

test("the catch-all listeners of the client hear what the server sends", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  const received = deferred();
  client.onAny((...args) => received.resolve(args));
  socket.emit("event", 1, [2]);
  assert.deepEqual(await received.promise, ["event", 1, [2]]);
});
