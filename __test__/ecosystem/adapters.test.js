"use strict";

// The official adapters, unmodified, with two servers each: Redis (plain and sharded, three
// clients), Redis streams with recovery, the emitters, the old socket.io-redis, Postgres, and MongoDB on
// a stand-in for the database.

const assert = require("node:assert/strict");
const { test } = require("../support/scenario");
const { next, until, settle } = require("../support/events");
const checkout = require("../support/app");
const { behavesAsOne, recovers } = require("./as-one");
const { Mongo } = require("./mongo");
const { load, serve } = require("./installed");
const { startPostgres } = require("./postgres");
const { CLIENTS, joined, redisServer } = require("./redis-clients");

/** Where the Postgres adapter puts what is too long for a notification, or has bytes. */
const TABLE = `CREATE TABLE socket_io_attachments (
  id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea
)`;

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

test("socket.io-redis, of the days before acks of broadcasts, joins two servers", async (t) => {
  const url = await redisServer(t);
  const createAdapter = load("socket.io-redis");
  const options = { adapter: createAdapter(url) };
  const [one, two] = [await serve(t, { options }), await serve(t, { options })];
  for (const { io } of [one, two]) {
    const { pubClient, subClient } = io.of("/").adapter;
    t.after(() => [pubClient, subClient].forEach((client) => client.quit()));
  }
  const near = await one.connect();
  const far = await two.connect();
  near.socket.join("red");
  far.socket.join("red");
  await arrives(one, far.client);
  const others = next(far.client, "others");
  near.client.on("others", () => assert.fail("the sender is left out"));
  near.socket.to("red").emit("others", Buffer.from([1, 2, 3]), { n: 1 });
  const [bytes, rest] = await others;
  assert.deepEqual([Buffer.from(bytes), rest], [Buffer.from([1, 2, 3]), { n: 1 }]);
  await settle(near.client, near.socket);
  const sids = await one.io.in("red").allSockets();
  assert.deepEqual(sids, new Set([near.client.id, far.client.id]));
  const found = (await one.io.fetchSockets()).find(({ id }) => id === far.client.id);
  assert.deepEqual([...found.rooms], [far.client.id, "red"]);
  one.io.in(far.client.id).socketsJoin("blue");
  await until(() => far.socket.rooms.has("blue"));
  const gone = next(far.client, "disconnect");
  one.io.in("blue").disconnectSockets(true);
  await gone;
});

test("the Postgres adapter joins two servers", async (t) => {
  const postgres = await startPostgres(t);
  await postgres.pool().query(TABLE);
  const { createAdapter } = load("@socket.io/postgres-adapter");
  const servers = await pair(t, () => createAdapter(postgres.pool()));
  await behavesAsOne(servers);
});

test("the MongoDB adapter joins two servers, and its emitter reaches them", async (t) => {
  const database = new Mongo();
  const { createAdapter } = load("@socket.io/mongo-adapter");
  const { Emitter } = load("@socket.io/mongo-emitter");
  const servers = await pair(t, () => createAdapter(database.collection()));
  await behavesAsOne(servers);
  await hearsFrom(new Emitter(database.collection()), servers);
});

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

/** Resolves when a broadcast gets through: a subscription to a room takes a moment. */
async function arrives(app, client) {
  let heard = false;
  client.once("heard", () => (heard = true));
  await until(() => {
    app.io.to("red").emit("heard");
    return heard;
  });
}

/** What applications do with an emitter, which is no server. */
async function hearsFrom(emitter, servers) {
  const ends = await Promise.all(servers.map((app) => app.connect()));
  for (const { client, socket } of ends) {
    emitter.in(client.id).socketsJoin("green");
    await until(() => socket.rooms.has("green"));
  }
  const told = ends.map(({ client }) => next(client, "told"));
  emitter.to("green").emit("told", { n: 1 }, Buffer.from([1, 2]));
  for (const [object, bytes] of await Promise.all(told)) {
    assert.deepEqual([object, Buffer.from(bytes)], [{ n: 1 }, Buffer.from([1, 2])]);
  }
  const asked = servers.map(({ io }) => next(io, "ask"));
  emitter.serverSideEmit("ask", "all");
  assert.deepEqual(await Promise.all(asked), [["all"], ["all"]]);
  const gone = ends.map(({ client }) => next(client, "disconnect"));
  emitter.disconnectSockets(true);
  await Promise.all(gone);
}
