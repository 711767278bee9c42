"use strict";

// The native core names rooms and namespaces by numbers, which are used again when they are free.

const assert = require("node:assert/strict");
const native = require("../../lib/native");
const { test } = require("../support/scenario");
const { serveOwn } = require("../support/own-app");
const { next } = require("../support/events");

/** The number that the next room would get. */
function nextNumber() {
  const number = native.takeNumber();
  native.freeNumber(number);
  return number;
}

test("the numbers of rooms that were left are free again", async (t) => {
  const app = await serveOwn(t);
  const { client, socket } = await app.connect();
  const before = nextNumber();
  for (let i = 0; i < 1_000; i++) {
    socket.join([`a ${i}`, `b ${i}`]);
    socket.leave(`a ${i}`);
    socket.leave(`b ${i}`);
  }
  assert.equal(nextNumber(), before);
  socket.join(Array.from({ length: 100 }, (_, i) => `room ${i}`));
  assert.notEqual(nextNumber(), before);
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
  assert.ok(nextNumber() < before + 100);
});

test("the room of a socket's own has no number before it is needed", async (t) => {
  const app = await serveOwn(t);
  const { client, socket } = await app.connect();
  const before = nextNumber();
  const { client: other, socket: second } = await app.connect();
  assert.equal(nextNumber(), before);
  // To leave out a socket is to leave out its room.
  client.on("event", () => assert.fail("must not arrive"));
  const heard = next(other, "event");
  socket.broadcast.emit("event");
  await heard;
  assert.notEqual(nextNumber(), before);
  client.off("event");
  const both = [next(client, "both"), next(other, "both")];
  app.io.to([socket.id, second.id]).emit("both");
  await Promise.all(both);
  const left = [next(socket, "disconnect"), next(second, "disconnect")];
  client.disconnect();
  other.disconnect();
  await Promise.all(left);
  assert.ok(nextNumber() <= before);
});

test("another socket may join the room of a socket's own", async (t) => {
  const app = await serveOwn(t);
  const { client, socket } = await app.connect();
  const { client: other, socket: second } = await app.connect();
  second.join(socket.id);
  const both = [next(client, "both"), next(other, "both")];
  app.io.to(socket.id).emit("both");
  await Promise.all(both);
  socket.leave(socket.id);
  client.on("one", () => assert.fail("must not arrive"));
  const one = next(other, "one");
  app.io.to([socket.id, "nobody"]).emit("one");
  await one;
});

test("the number of a namespace is free again when its last socket has left", async (t) => {
  const app = await serveOwn(t, { cleanupEmptyChildNamespaces: true });
  app.io.of(/^\/child-/);
  await app.connect();
  const numbers = new Set();
  for (let i = 0; i < 5; i++) {
    numbers.add(nextNumber());
    const { client, socket } = await app.connect(`/child-${i}`);
    const left = next(socket, "disconnect");
    client.disconnect();
    await left;
  }
  assert.ok(numbers.size <= 2, `took ${[...numbers]}`);
});
