"use strict";

// node:cluster: workers behind @socket.io/sticky, or on a port that they share, joined by
// @socket.io/cluster-adapter.

const assert = require("node:assert/strict");
const path = require("node:path");
const { fork } = require("node:child_process");
const { TRANSPORTS, eachTransport, test } = require("../support/scenario");
const { atEnd } = require("../support/cleanup");
const { next } = require("../support/events");
const { connectAll, hearEachOther } = require("./workers");

/** More than one read of a socket. */
const LENGTH = 400_000;

eachTransport("four workers serve their clients as one server", (t, transport) => {
  return areAsOne(t, transport);
});

eachTransport("clients of a worker that is killed come back to another", (t, transport) => {
  return comeBack(t, transport);
});

// As pm2 starts them: nothing keeps a client on one of them, so polling cannot be used.
for (const policy of ["rr", "none"]) {
  const where = `on a shared port, scheduled by ${policy === "rr" ? "node" : "the system"}`;

  test(`four workers ${where} serve clients over WebSocket as one server`, (t) => {
    return areAsOne(t, TRANSPORTS.websocket, policy);
  });

  test(`clients of a worker ${where} that is killed come back to another`, (t) => {
    return comeBack(t, TRANSPORTS.websocket, policy);
  });
}

async function areAsOne(t, transport, policy) {
  const clients = await start(t, transport, policy);
  const workers = new Set();
  for (const client of clients) {
    workers.add(await client.emitWithAck("worker"));
    assert.equal(await client.emitWithAck("length", "x".repeat(LENGTH)), LENGTH);
  }
  // The system may find one of them idle each time.
  assert.ok(workers.size > 1 || policy === "none", "the clients are spread");
  await hearEachOther(clients);
}

async function comeBack(t, transport, policy) {
  const clients = await start(t, transport, policy);
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
}

/** Starts the workers, and clients that are spread over them. */
async function start(t, transport, policy) {
  const shared = policy && { NODE_CLUSTER_SCHED_POLICY: policy };
  const primary = fork(path.join(__dirname, "cluster-fixture.js"), shared && ["shared"], {
    env: { ...process.env, ...shared },
  });
  atEnd(t, () => primary.kill("SIGKILL"));
  const [port] = await next(primary, "message");
  return connectAll(t, port, transport);
}
