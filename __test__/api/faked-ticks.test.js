"use strict";

// Fake timers of a test may take process.nextTick away from the server that the test is about, and
// give it back.

const assert = require("node:assert/strict");
const { io: connectTo } = require("socket.io-client");
const { test } = require("../support/scenario");
const { connected } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { next } = require("../support/events");
const { startFixture } = require("../support/fixture");

test("what comes while process.nextTick is faked is lost, and nothing else", async (t) => {
  const fixture = startFixture(t, "faked-ticks");
  const { port } = await fixture.report();
  const [client, other] = [await open(t, port), await open(t, port)];
  client.emit("fake");
  assert.deepEqual(await fixture.report(), { faked: true });
  client.emit("lost");
  // Answered where it was read, behind the event.
  const { ws } = client.io.engine.transport;
  const read = next(ws, "pong");
  ws.ping();
  await read;
  fixture.child.kill("SIGUSR2");
  assert.deepEqual(await fixture.report(), { faked: false });
  assert.equal(await other.emitWithAck("echo", 1), 1);
  assert.equal(await client.emitWithAck("echo", 2), 2);
  assert.equal(await (await open(t, port)).emitWithAck("echo", 3), 3);
});

async function open(t, port) {
  const client = connectTo(`http://127.0.0.1:${port}`, {
    forceNew: true,
    transports: ["websocket"],
  });
  atEnd(t, () => client.disconnect());
  await connected(client);
  return client;
}
