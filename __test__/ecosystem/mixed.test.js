"use strict";

// Clusters of this package and stock socket.io on one Redis, with each of the official adapters
// and our own, asked from either side.

// The checkout's own: in this folder the name stands for the package under test.
const stock = require("../../node_modules/socket.io");
const { TRANSPORTS, test } = require("../support/scenario");
const { isReference } = require("../support/target");
const { behavesAsOne, recovers } = require("./as-one");
const { load, serve } = require("./installed");
const { CLIENTS, joined, redisServer } = require("./redis-clients");

const official = (connect) => made("@socket.io/redis-adapter", "createAdapter", connect);
const native = (t, url) => load("socket.io/redis-adapter").createAdapter(url);

const CONNECTS = Object.entries(CLIENTS);

for (const [name, connect] of CONNECTS) {
  mixed(`@socket.io/redis-adapter with ${name}`, official(connect));
  mixed(
    `the sharded Redis adapter with ${name}`,
    made("@socket.io/redis-adapter", "createShardedAdapter", connect),
  );
}

if (!isReference) {
  mixed("ferrio/redis-adapter and the official one", native, official(CLIENTS.redis));

  test("three kinds of servers are one cluster: any asks any", async (t) => {
    const url = await redisServer(t);
    const servers = [
      await start(t, "ferrio", native, url),
      await start(t, "ferrio", official(CLIENTS.redis), url),
      await start(t, "stock", official(CLIENTS.redis), url),
    ];
    await joined(servers);
    for (let at = 0; at < servers.length; at++) {
      await behavesAsOne([...servers.slice(at), ...servers.slice(0, at)]);
    }
  });
}

// With ioredis the adapter keeps a connection of its own, which nothing ends.
for (const name of ["redis", "redis4"]) {
  const adapter = streams(CLIENTS[name]);
  const options = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } };
  mixed(`the Redis streams adapter with ${name}`, adapter, adapter, options, recovers);
}

/** Declares a test with this package on one side and stock socket.io on the other. */
function mixed(title, ours, theirs = ours, options = {}, more = async () => {}) {
  test(`${title}: a mixed cluster is as one, asked from either side`, async (t) => {
    const url = await redisServer(t);
    const servers = [
      await start(t, "ferrio", ours, url, options),
      await start(t, "stock", theirs, url, options),
    ];
    await joined(servers);
    for (const [one, two] of [servers, [...servers].reverse()]) {
      await behavesAsOne([one, two]);
      await more(one, two);
    }
  });
}

async function start(t, kind, makeAdapter, url, options = {}) {
  const { Server } = kind === "stock" ? stock : load("socket.io");
  // Stock servers keep a timer of 30 seconds for each upgraded client that leaves.
  return serve(t, {
    Server,
    transport: TRANSPORTS.websocket,
    options: { ...options, adapter: await makeAdapter(t, url) },
  });
}

function made(name, create, connect) {
  return async (t, url) => load(name)[create](await connect(t, url), await connect(t, url));
}

function streams(connect) {
  return async (t, url) => {
    const { createAdapter } = load("@socket.io/redis-streams-adapter");
    return createAdapter(await connect(t, url), { blockTimeInMs: 50 });
  };
}
