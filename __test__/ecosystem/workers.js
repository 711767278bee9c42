"use strict";

// Clients of several workers that an adapter joins.

const assert = require("node:assert/strict");
const { io: connectTo } = require("socket.io-client");
const { atEnd } = require("../support/cleanup");
const { next } = require("../support/events");

const CLIENTS = 4;

/** Connects clients to the workers behind a port, one after the other. */
async function connectAll(t, port, transport) {
  const clients = [];
  for (let i = 0; i < CLIENTS; i++) {
    const client = connectTo(`http://127.0.0.1:${port}`, {
      forceNew: true,
      // The answer to a handshake may overtake the news of its sid to the balancer, which then sends the
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

module.exports = { connectAll, hearEachOther };
