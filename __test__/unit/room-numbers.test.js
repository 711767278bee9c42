"use strict";

// The native core names rooms and namespaces by numbers, which are used again when they are free.

const assert = require("node:assert/strict");
const http = require("node:http");
const native = require("../../lib/native");
const { Server } = require("../..");
const { test } = require("../support/scenario");
const { App, closeAtEnd, listen } = require("../support/app");
const { next } = require("../support/events");

/** A server of this package, whichever one the other tests are about. */
async function serve(t, { options } = {}) {
  const httpServer = http.createServer();
  const io = new Server(httpServer, options);
  const app = new App(io, undefined, options);
  closeAtEnd(t, io, app);
  await listen(httpServer);
  return app;
}

/** The number that the next room would get. */
function nextNumber() {
  const number = native.takeNumber();
  native.freeNumber(number);
  return number;
}

test("the numbers of rooms that were left are free again", async (t) => {
  const app = await serve(t);
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

test("the number of a namespace is free again when its last socket has left", async (t) => {
  const app = await serve(t, { options: { cleanupEmptyChildNamespaces: true } });
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
