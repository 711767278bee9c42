"use strict";

// The official adapters, unmodified, with two servers each: Redis (plain and sharded, three
// clients), Redis streams with recovery, the emitter, and those for Postgres and MongoDB on
// stand-ins for the connection, which prove local behaviour only.

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const { test } = require("../support/scenario");
const { next, until, settle } = require("../support/events");
const checkout = require("../support/app");
const { behavesAsOne, recovers } = require("./as-one");
const { load, serve } = require("./installed");
const { CLIENTS, joined, redisServer } = require("./redis-clients");

for (const [name, connect] of Object.entries(CLIENTS)) {
  test(`@socket.io/redis-adapter joins two servers, with ${name}`, async (t) => {
    const url = await redisServer(t);
    const { createAdapter } = load("@socket.io/redis-adapter");
    const servers = await pair(t, async () =>
      createAdapter(await connect(t, url), await connect(t, url)),
    );
    await behavesAsOne(servers);
  });

  test(`the sharded Redis adapter joins two servers, with ${name}`, async (t) => {
    const url = await redisServer(t);
    const { createShardedAdapter } = load("@socket.io/redis-adapter");
    const servers = await pair(t, async () => {
      return createShardedAdapter(await connect(t, url), await connect(t, url));
    });
    await behavesAsOne(servers);
  });
}

test("an adapter may extend another copy of socket.io-adapter than the server's", async (t) => {
  assert.notEqual(require("../../node_modules/socket.io-adapter"), load("socket.io-adapter"));
  const url = await redisServer(t);
  const { createAdapter } = load("@socket.io/redis-adapter");
  const make = async () => {
    return createAdapter(await CLIENTS.redis(t, url), await CLIENTS.redis(t, url));
  };
  await behavesAsOne(await pair(t, make, {}, checkout.serve));
});

test("the Redis streams adapter joins two servers and recovers what was missed", async (t) => {
  const url = await redisServer(t);
  const { createAdapter } = load("@socket.io/redis-streams-adapter");
  const make = async () => createAdapter(await CLIENTS.redis(t, url), { blockTimeInMs: 50 });
  const options = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } };
  const [one, two] = await pair(t, make, options);
  await behavesAsOne([one, two]);
  await recovers(one, two);
});

test("@socket.io/redis-emitter reaches the sockets of a server", async (t) => {
  const url = await redisServer(t);
  const { createAdapter } = load("@socket.io/redis-adapter");
  const [app] = await pair(t, async () => {
    return createAdapter(await CLIENTS.redis(t, url), await CLIENTS.redis(t, url));
  });
  const { client, socket } = await app.connect();
  const { Emitter } = load("@socket.io/redis-emitter");
  const emitter = new Emitter(await CLIENTS.redis(t, url));
  emitter.in(client.id).socketsJoin("red");
  await until(() => socket.rooms.has("red"));
  const heard = next(client, "news");
  emitter.to("red").emit("news", { n: 1 });
  assert.deepEqual(await heard, [{ n: 1 }]);
  const gone = next(client, "disconnect");
  emitter.disconnectSockets(true);
  await gone;
});

test("the Postgres adapter serves the sockets of its server", async (t) => {
  const pool = {
    query: async () => ({ rows: [] }),
    connect: async () => Object.assign(new EventEmitter(), { query: async () => {}, release() {} }),
  };
  const { createAdapter } = load("@socket.io/postgres-adapter");
  await behavesLocally(t, createAdapter(pool, { errorHandler() {} }));
});

test("the MongoDB adapter serves the sockets of its server", async (t) => {
  const changes = Object.assign(new EventEmitter(), { close() {}, closed: false });
  const collection = {
    watch: () => changes,
    insertOne: async () => ({ insertedId: "0" }),
  };
  const { createAdapter } = load("@socket.io/mongo-adapter");
  await behavesLocally(t, createAdapter(collection));
});

async function behavesLocally(t, adapter) {
  const app = await serve(t, { options: { adapter } });
  const { client, socket } = await app.connect();
  const { client: other, socket: otherSocket } = await app.connect();
  socket.join("red");
  other.on("news", () => assert.fail("it is not in the room"));
  const heard = next(client, "news");
  app.io.to("red").emit("news", Buffer.from("é"));
  assert.equal(Buffer.from((await heard)[0]).toString(), "é");
  await settle(other, otherSocket);
  const gone = next(client, "disconnect");
  app.io.in("red").local.disconnectSockets();
  await gone;
  assert.equal(other.connected, true);
}

/** Two servers that share an adapter's medium and know of each other. */
async function pair(t, makeAdapter, options, start = serve) {
  const servers = [];
  for (let i = 0; i < 2; i++) {
    const adapter = await makeAdapter();
    servers.push(await start(t, { options: { ...options, adapter } }));
  }
  await joined(servers);
  return servers;
}
