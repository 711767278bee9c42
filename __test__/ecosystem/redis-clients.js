"use strict";

// Redis for the tests of adapters: a server, npm's clients of it, and servers that have met there.

const { setImmediate: nextTurn } = require("node:timers/promises");
const { atEnd } = require("../support/cleanup");
const { startRedis } = require("../examples/redis");
const { load } = require("./installed");

/** The clients of Redis that a test has opened. */
const opened = new WeakMap();

/** How to connect with each package: `connect(t, url)`. */
const CLIENTS = { redis: nodeRedis("redis"), redis4: nodeRedis("redis4"), ioredis };

/** A Redis server that outlives the test's servers and clients, which say good-bye to it. */
function redisServer(t) {
  atEnd(t, () => {});
  opened.set(t, []);
  t.after(() => Promise.all(opened.get(t).map((client) => client.quit())));
  return startRedis(t);
}

/** Resolves once every server knows of all. */
async function joined(servers) {
  for (const { io } of servers) {
    let count = 0;
    while (count < servers.length) {
      // Some answer without asking anybody.
      await nextTurn();
      count = await io.of("/").adapter.serverCount();
    }
  }
}

/** A client that says to Redis what no server does. It is gone before the servers are. */
async function connectAdmin(t, url) {
  const admin = load("redis").createClient({ url });
  admin.on("error", () => {});
  await admin.connect();
  atEnd(t, () => admin.destroy());
  return admin;
}

module.exports = { CLIENTS, connectAdmin, joined, redisServer };

function nodeRedis(name) {
  return async (t, url) => {
    const client = load(name).createClient({ url });
    client.on("error", () => {});
    await client.connect();
    opened.get(t).push(client);
    return client;
  };
}

async function ioredis(t, url) {
  const loaded = load("ioredis");
  const client = new (loaded.Redis ?? loaded)(url);
  client.on("error", () => {});
  opened.get(t).push(client);
  return client;
}
