"use strict";

// Events that may be dropped when the connection is not ready for them.

const assert = require("node:assert/strict");
const { eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, next, settle, until } = require("../support/events");

/** The connection can take an event at once: nothing is being written, a poll is pending. */
const ready = (socket) => until(() => socket.conn.transport.writable, "the transport is writable");

eachTransport("a volatile event arrives when the connection is ready", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  await ready(socket);
  const received = next(client, "event");
  assert.ok(socket.volatile === socket);
  assert.equal(socket.emit("event", { some: "value" }), true);
  assert.deepEqual(await received, [{ some: "value" }]);
});

eachTransport("of two volatile events in one tick only the first arrives", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = [];
  client.on("event", (value) => seen.push(value));
  await ready(socket);
  socket.volatile.emit("event", 1);
  socket.volatile.emit("event", 2);
  await settle(client, socket);
  assert.deepEqual(seen, [1]);
});

eachTransport("a volatile event after another in one tick is dropped", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = [];
  client.on("event", (value) => seen.push(value));
  await ready(socket);
  socket.emit("event", "kept");
  socket.volatile.emit("event", "dropped");
  socket.emit("event", "kept too");
  await settle(client, socket);
  assert.deepEqual(seen, ["kept", "kept too"]);
});

eachTransport("a dropped volatile event drops its attachments as well", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = [];
  client.on("event", (value) => seen.push(String(value)));
  await ready(socket);
  socket.volatile.emit("event", Buffer.from("kept"));
  socket.volatile.emit("event", Buffer.from("dropped"));
  socket.emit("event", Buffer.from("kept too"));
  await settle(client, socket);
  assert.deepEqual(seen, ["kept", "kept too"]);
});

eachTransport("a volatile broadcast is dropped like an event", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = [];
  client.on("event", (value) => seen.push(value));
  await ready(socket);
  app.io.volatile.emit("event", 1);
  app.io.volatile.emit("event", 2);
  await settle(client, socket);
  assert.deepEqual(seen, [1]);
});

eachTransport("a volatile broadcast does without those who are not ready", async (t, transport) => {
  const app = await serve(t, { transport });
  const [busy, idle] = await app.connectAll(2);
  const seen = [];
  busy.client.on("event", () => seen.push("busy"));
  idle.client.on("event", () => seen.push("idle"));
  await ready(busy.socket);
  await ready(idle.socket);
  busy.socket.emit("first");
  app.io.volatile.emit("event");
  await settle(busy.client, busy.socket);
  await settle(idle.client, idle.socket);
  assert.deepEqual(seen, ["idle"]);
});

eachTransport("the volatile flag holds for one emit", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const received = collect(client, "event", 2);
  await ready(socket);
  socket.volatile.emit("event", 1);
  socket.emit("event", 2);
  assert.deepEqual(await received, [[1], [2]]);
});

eachTransport("a volatile event of the client reaches the server", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  await until(() => client.io.engine.transport.writable, "the client can write");
  const received = next(socket, "event");
  client.volatile.emit("event", "volatile");
  assert.deepEqual(await received, ["volatile"]);
});

eachTransport("a volatile emit to a client that has left does nothing", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
  assert.equal(socket.volatile.emit("event"), true);
  assert.equal(app.io.volatile.emit("event"), true);
});
