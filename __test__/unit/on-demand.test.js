"use strict";

// What a client or a socket holds only once somebody has asked for it.

const assert = require("node:assert/strict");
const { test } = require("../support/scenario");
const { serveOwn } = require("../support/own-app");
const { next } = require("../support/events");

test("the handlers of a client are not bound by connecting, events and acknowledgements", async (t) => {
  const app = await serveOwn(t);
  const { client, socket } = await app.connect();
  socket.on("event", (done) => done());
  await client.emitWithAck("event");
  client.on("asked", (done) => done());
  await socket.emitWithAck("asked");
  for (const name of ["onclose", "ondata", "ondecoded", "onerror"]) {
    assert.equal(Object.hasOwn(socket.client, name), false, name);
  }
  assert.equal(socket.client.ondata, socket.client.ondata);
  assert.equal(Object.hasOwn(socket.client, "ondata"), true);
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
});
