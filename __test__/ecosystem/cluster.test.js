"use strict";

// node:cluster: workers behind @socket.io/sticky, joined by @socket.io/cluster-adapter.

const assert = require("node:assert/strict");
const path = require("node:path");
const { fork } = require("node:child_process");
const { io: connectTo } = require("socket.io-client");
const { eachTransport } = require("../support/scenario");
const { atEnd } = require("../support/cleanup");
const { next } = require("../support/events");

const CLIENTS = 4;
/** More than one read of a socket. */
const LENGTH = 400_000;

eachTransport("four workers serve their clients as one server", async (t, transport) => {
  const clients = await connectAll(t, transport);
  const workers = new Set();
  for (const client of clients) {
    workers.add(await client.emitWithAck("worker"));
    assert.equal(await client.emitWithAck("length", "x".repeat(LENGTH)), LENGTH);
  }
  assert.ok(workers.size > 1, "the clients are spread");
  await hearEachOther(clients);
});

eachTransport("clients of a worker that is killed come back to another", async (t, transport) => {
  const clients = await connectAll(t, transport);
  await hearEachOther(clients);
  const workers = await Promise.all(clients.map((client) => client.emitWithAck("worker")));
  const lost = clients.filter((client, i) => workers[i] === workers[0]);
  const ends = lost.map((client) => next(client, "disconnect"));
  const returns = lost.map((client) => next(client, "connect"));
  clients[0].emit("die");
  await Promise.all(ends);
  await Promise.all(returns);
  for (const client of lost) {
    assert.notEqual(await client.emitWithAck("worker"), workers[0]);
  }
  await hearEachOther(clients);
});

/** Starts the workers, and clients that are spread over them. */
async function connectAll(t, transport) {
  const primary = fork(path.join(__dirname, "cluster-fixture.js"));
  atEnd(t, () => primary.kill("SIGKILL"));
  const [port] = await next(primary, "message");
  const clients = [];
  for (let i = 0; i < CLIENTS; i++) {
    const client = connectTo(`http://127.0.0.1:${port}`, {
      forceNew: true,
      // The answer to a handshake may overtake the news of its sid to the primary, which then sends the
      // next request elsewhere, with the reference more often than here: clients try again.
      reconnectionDelay: 50,
      ...transport.client,
    });
    atEnd(t, () => client.disconnect());
    await next(client, "connect");
    clients.push(client);
  }
  return clients;
}

/** Once all workers know of all clients, what one says reaches the others. */
async function hearEachOther(clients) {
  let count = 0;
  while (count !== CLIENTS) {
    // It is none while a worker that is gone is waited for.
    count = await clients[0].emitWithAck("count");
  }
  const told = clients.slice(1).map((client) => next(client, "told"));
  clients[0].emit("tell", Buffer.from([1, 2]), "all");
  for (const [bytes, text] of await Promise.all(told)) {
    assert.deepEqual([Buffer.from(bytes), text], [Buffer.from([1, 2]), "all"]);
  }
}
