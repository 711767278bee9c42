"use strict";

// What happens to clients when the process of the server is busy, closes, or is told to go.

const assert = require("node:assert/strict");
const { io: connectTo } = require("socket.io-client");
const { serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { next } = require("../support/events");
const { startFixture } = require("../support/fixture");
const { eachTransport, test, TRANSPORTS } = require("../support/scenario");
const { isReference } = require("../support/target");

const CLIENTS = 20;

async function connect(t, port, transport) {
  const client = connectTo(`http://127.0.0.1:${port}`, {
    forceNew: true,
    reconnection: false,
    ...transport.client,
  });
  atEnd(t, () => client.disconnect());
  await next(client, "connect");
  return client;
}

/** Ways to be connected that do not pass through the thread that is busy. */
const INDEPENDENT = [
  ["node", "websocket"],
  ["native", "websocket"],
  ["native", "polling"],
];

for (const [acceptor, name] of isReference ? INDEPENDENT.slice(0, 1) : INDEPENDENT) {
  test(`a handler that blocks, ${CLIENTS} clients ${name}, acceptor ${acceptor}`, async (t) => {
    const options = { pingInterval: 500, pingTimeout: 700, acceptor };
    const fixture = startFixture(t, "serving", JSON.stringify(options));
    const { port } = await fixture.report();
    const clients = [];
    let lost = 0;
    for (let i = 0; i < CLIENTS; i++) {
      const client = await connect(t, port, TRANSPORTS[name]);
      client.on("disconnect", () => lost++);
      clients.push(client);
    }
    const left = clients.map((client) => next(client, "disconnect"));
    const blocked = clients[0].timeout(10_000).emitWithAck("block", 2_500);
    if (isReference) {
      // Its own heartbeats stop with its thread, which every client notices.
      blocked.catch(() => {});
      await Promise.all(left);
      assert.equal(lost, CLIENTS);
      return;
    }
    await blocked;
    for (const client of clients) {
      assert.equal(await client.timeout(10_000).emitWithAck("echo", 1), 1);
    }
    assert.equal(lost, 0);
  });
}

eachTransport("io.close() in the middle of traffic both ways", async (t, transport) => {
  const app = await serve(t, { transport });
  const pairs = await app.connectAll(5);
  let running = true;
  for (const { client, socket } of pairs) {
    socket.join("room");
    client.on("event", () => running && client.emit("event", Buffer.from("x")));
    socket.on("event", () => app.io.to("room").emit("event", "x".repeat(100)));
    client.emit("event", 0);
  }
  await Promise.all(pairs.map(({ client }) => next(client, "event")));
  const left = pairs.map(({ client, socket }) =>
    Promise.all([next(client, "disconnect"), next(socket, "disconnect")]),
  );
  const closed = app.io.close();
  for (const [, [reason]] of await Promise.all(left)) {
    assert.equal(reason, "server shutting down");
  }
  running = false;
  app.httpServer.closeAllConnections();
  await closed;
  assert.equal(app.io.engine.clientsCount, 0);
  assert.equal(app.io.of("/").adapter.rooms.size, 0);
});

eachTransport("SIGTERM: what is said last arrives, then the process ends", async (t, transport) => {
  const fixture = startFixture(t, "serving");
  const { port } = await fixture.report();
  const client = await connect(t, port, transport);
  await client.timeout(10_000).emitWithAck("echo", 1);
  const words = [];
  client.on("goodbye", (text, answer) => {
    words.push(text);
    answer();
  });
  const left = next(client, "disconnect");
  fixture.child.kill("SIGTERM");
  await left;
  assert.deepEqual(words, ["the server is going down"]);
  assert.deepEqual(await fixture.exited(), { code: 0, signal: null });
});
