"use strict";

// The official adapters, unmodified, with two servers each: Redis (plain and sharded, three
// clients), Redis streams with recovery, the emitter, and those for Postgres and MongoDB on
// stand-ins for the connection, which prove local behaviour only.

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const { test } = require("../support/scenario");
const { atEnd } = require("../support/cleanup");
const { next, until, settle } = require("../support/events");
const { startRedis } = require("../examples/redis");
const checkout = require("../support/app");
const { load, serve } = require("./installed");

/** The clients of Redis that a test has opened. */
const opened = new WeakMap();

const CLIENTS = { redis: nodeRedis("redis"), redis4: nodeRedis("redis4"), ioredis };

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

  const { client, socket } = await one.connect();
  socket.join("red");
  socket.data.name = "Ada";
  const first = next(client, "news");
  one.io.to("red").emit("news", 1);
  await first;
  const gone = next(socket, "disconnect");
  client.io.engine.close();
  await gone;
  two.io.to("red").emit("news", 2);

  // The session is at the server that the client comes back to, which is another one.
  const missed = next(client, "news");
  client.io.uri = two.url;
  client.connect();
  // Its offset comes along.
  assert.equal((await missed)[0], 2);
  assert.equal(client.recovered, true);
  const [restored] = await two.io.in("red").local.fetchSockets();
  assert.deepEqual(restored.data, { name: "Ada" });
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

/** A Redis server that outlives the test's servers and clients, which say good-bye to it. */
function redisServer(t) {
  atEnd(t, () => {});
  opened.set(t, []);
  t.after(() => Promise.all(opened.get(t).map((client) => client.quit())));
  return startRedis(t);
}

/** Two servers that share an adapter's medium and know of each other. */
async function pair(t, makeAdapter, options, start = serve) {
  const servers = [];
  for (let i = 0; i < 2; i++) {
    const adapter = await makeAdapter();
    servers.push(await start(t, { options: { ...options, adapter } }));
  }
  for (const { io } of servers) {
    let count = 0;
    while (count < 2) {
      count = await io.of("/").adapter.serverCount();
    }
  }
  return servers;
}

/** What applications do across servers. */
async function behavesAsOne([one, two]) {
  const near = await one.connect();
  const far = await two.connect();
  near.socket.join("red");
  far.socket.join("red");
  far.socket.data.name = "far";
  await arrives(one, far.client);

  const news = [next(near.client, "news"), next(far.client, "news")];
  const bytes = Buffer.from([1, 2, 3]);
  one.io.to("red").emit("news", bytes, { n: 1 });
  for (const args of await Promise.all(news)) {
    assert.deepEqual([Buffer.from(args[0]), args[1]], [bytes, { n: 1 }]);
  }

  near.client.on("others", () => assert.fail("the sender is left out"));
  const others = next(far.client, "others");
  near.socket.to("red").emit("others");
  await others;
  await settle(near.client, near.socket);

  near.client.on("vote", (answer) => answer("near"));
  far.client.on("vote", (answer) => answer("far"));
  const votes = await one.io.timeout(10_000).emitWithAck("vote");
  assert.deepEqual(votes.sort(), ["far", "near"]);

  const sockets = await one.io.fetchSockets();
  const found = sockets.find(({ id }) => id === far.client.id);
  assert.deepEqual(found.data, { name: "far" });

  two.io.on("ping", (text, answer) => answer(`pong ${text}`));
  const pongs = await new Promise((resolve, reject) => {
    one.io.serverSideEmit("ping", "?", (error, answers) => {
      error ? reject(error) : resolve(answers);
    });
  });
  assert.deepEqual(pongs, ["pong ?"]);

  one.io.in(far.client.id).socketsJoin("blue");
  await until(() => far.socket.rooms.has("blue"));
  one.io.in("red").socketsLeave("red");
  await until(() => !far.socket.rooms.has("red") && !near.socket.rooms.has("red"));
  const gone = [next(near.client, "disconnect"), next(far.client, "disconnect")];
  one.io.disconnectSockets(true);
  await Promise.all(gone);
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
