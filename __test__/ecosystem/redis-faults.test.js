"use strict";

// Redis that is lost, slow, restarted or refuses: servers go on for their own clients, say so, and
// are one cluster again by themselves. With our adapter, and with the official one.

const assert = require("node:assert/strict");
const net = require("node:net");
const { TRANSPORTS, test } = require("../support/scenario");
const { atEnd } = require("../support/cleanup");
const { next, settle, until } = require("../support/events");
const { isReference } = require("../support/target");
const { startRedisProcess } = require("../examples/redis");
const { load, serve } = require("./installed");
const { connectAdmin, joined } = require("./redis-clients");

/** What a test opens, to be closed after its servers, which say good-bye to Redis. */
const opened = new WeakMap();

/** What Redis says of a password, and its Rust client. */
const REFUSED = /WRONGPASS|NOAUTH|authentication/i;

const KINDS = { "ferrio/redis-adapter": native, "the official adapter": official };

for (const [title, kind] of Object.entries(KINDS)) {
  if (isReference && kind === native) {
    continue;
  }

  test(`${title}: Redis may be killed and started again`, async (t) => {
    const redis = await prepare(t);
    const cluster = await start(t, kind, redis.url);
    const heard = cluster.troubles();
    await redis.stop();
    await heard;
    await cluster.servesItsOwn();
    await redis.restart();
    await cluster.isJoined();
  });

  test(`${title}: Redis may be slow`, async (t) => {
    const redis = await prepare(t);
    const proxy = await startProxy(t, redis.port);
    const cluster = await start(t, kind, proxy.url);
    proxy.hold();
    await cluster.servesItsOwn();
    const late = next(cluster.far.client, "late");
    cluster.one.io.emit("late", 1);
    let isHeard = false;
    cluster.far.client.on("late", () => (isHeard = true));
    await settle(cluster.far.client, cluster.far.socket);
    assert.equal(isHeard, false);
    proxy.go();
    // It was on its way, so it is late, not lost.
    assert.deepEqual(await late, [1]);
    await cluster.isJoined();
  });

  test(`${title}: connections to Redis may be cut`, async (t) => {
    const redis = await prepare(t);
    const proxy = await startProxy(t, redis.port);
    const cluster = await start(t, kind, proxy.url);
    const heard = cluster.troubles();
    proxy.cut();
    await heard;
    await cluster.servesItsOwn();
    await cluster.isJoined();
  });
}

for (const [title, kind] of Object.entries({
  "ferrio/redis-adapter": native,
  "the official adapter with redis": officialWith("redis"),
  "the official adapter with redis 4": officialWith("redis4"),
  "the official adapter with ioredis": officialWith("ioredis"),
})) {
  if (isReference && kind === native) {
    continue;
  }

  test(`${title}: the password changes, and becomes right again`, async (t) => {
    const redis = await prepare(t, ["--requirepass", "right"]);
    const url = withPassword(redis, "right");
    const admin = await connectAdmin(t, url);
    const cluster = await start(t, kind, url);
    const heard = cluster.troubles(REFUSED);
    await admin.configSet("requirepass", "other");
    for (const type of ["normal", "pubsub"]) {
      await admin.sendCommand(["CLIENT", "KILL", "TYPE", type, "SKIPME", "yes"]);
    }
    await heard;
    await cluster.servesItsOwn();
    await admin.configSet("requirepass", "right");
    await cluster.isJoined();
  });

  test(`${title}: the password is wrong from the start, and becomes right`, async (t) => {
    const redis = await prepare(t, ["--requirepass", "other"]);
    const url = withPassword(redis, "right");
    const admin = await connectAdmin(t, withPassword(redis, "other"));
    const side = await kind(t, url, { isRefused: true });
    const { adapter } = side;
    const app = await serve(t, { transport: TRANSPORTS.websocket, options: { adapter } });
    await side.trouble(app.io, REFUSED);
    const near = await app.connect();
    const told = next(near.client, "own");
    app.io.emit("own", 1);
    assert.deepEqual(await told, [1]);
    const ready = side.ready(app.io);
    await admin.configSet("requirepass", "right");
    await ready;
    if (kind === native) {
      await joined([app]);
      const other = await serve(t, { options: { adapter: (await kind(t, url)).adapter } });
      await joined([app, other]);
      const across = next(near.client, "across");
      other.io.emit("across");
      await across;
    } else {
      // Its subscriptions were refused, and nobody asks for them again.
      assert.ok(side.refusals.length > 0);
      assert.equal(await app.io.of("/").adapter.serverCount(), 0);
      while ((await app.io.of("/late").adapter.serverCount()) !== 1);
    }
  });
}

/** Our adapter: trouble is an event of its own. */
function native(t, url) {
  const adapter = load("socket.io/redis-adapter").createAdapter(url);
  return {
    adapter,
    trouble: (io, words = /Redis/) => failure(io.of("/").adapter, words),
    ready: (io) => next(io.of("/").adapter, "ready"),
  };
}

/**
 * The official adapter: trouble is an event of the clients that the application made. Those of the
 * package redis reject what breaks with a connection, which the adapter does not handle; those of
 * ioredis send it again.
 */
async function official(t, url) {
  const { Redis } = load("ioredis");
  const clients = [0, 1].map(() => new Redis(url, { maxRetriesPerRequest: null }));
  for (const client of clients) {
    client.on("error", () => {});
    opened.get(t).push(() => client.quit());
  }
  const adapter = load("@socket.io/redis-adapter").createAdapter(...clients);
  return { adapter, trouble: () => next(clients[1], "close") };
}

/**
 * The official adapter where Redis may refuse commands, too. All clients reject them then, and the
 * adapter does not handle it: the application has to.
 */
function officialWith(name) {
  return async (t, url, { isRefused = false } = {}) => {
    const refusals = [];
    const clients = [];
    for (let i = 0; i < 2; i++) {
      clients.push(clientOf(name, url));
      handleRejections(clients[i], refusals);
    }
    const connected = clients.map((client) => connect(client));
    connected.forEach((one, i) => {
      one.catch(() => {});
      opened.get(t).push(() => clients[i].quit());
    });
    if (!isRefused) {
      await Promise.all(connected);
    }
    return {
      adapter: load("@socket.io/redis-adapter").createAdapter(...clients),
      refusals,
      trouble: (io, words) => failure(clients[0], words),
      // It was on its way all the time.
      ready: () => Promise.all(connected),
    };
  };
}

/** Resolves with the first error in such words; there may be others before and after. */
async function failure(emitter, words) {
  emitter.on("error", () => {});
  let error;
  do {
    [error] = await next(emitter, "error");
  } while (!words.test(error.message));
}

function clientOf(name, url) {
  if (name === "ioredis") {
    return new (load("ioredis").Redis)(url, { maxRetriesPerRequest: null, lazyConnect: true });
  }
  return load(name).createClient({ url });
}

/** Resolves when a client is ready, however often it has to try. */
async function connect(client) {
  client.on("error", () => {});
  const ready = next(client, "ready");
  client.connect().catch(() => {});
  await ready;
}

/** What an application does that goes on without Redis: the adapter does not look at the results. */
function handleRejections(client, refusals) {
  for (const name of ["publish", "subscribe", "psubscribe", "pSubscribe"]) {
    const method = client[name];
    if (method !== undefined) {
      client[name] = (...args) =>
        method.apply(client, args).catch((error) => {
          assert.match(error.message, /NOAUTH|WRONGPASS|closed|disconnect/i);
          refusals.push(error);
        });
    }
  }
}

function withPassword({ url }, password) {
  return url.replace("redis://", `redis://:${password}@`);
}

/** Starts Redis, to be stopped last. */
function prepare(t, settings) {
  const list = [];
  opened.set(t, list);
  atEnd(t, () => {});
  t.after(async () => {
    for (const close of list.reverse()) {
      await close();
    }
  });
  return startRedisProcess(t, settings);
}

/** Two servers with a client each. */
async function start(t, kind, url) {
  const sides = [];
  for (let i = 0; i < 2; i++) {
    const { adapter, trouble } = await kind(t, url);
    const app = await serve(t, { transport: TRANSPORTS.websocket, options: { adapter } });
    sides.push({ app, trouble });
  }
  const [one, two] = sides.map(({ app }) => app);
  await joined([one, two]);
  return new Cluster(one, two, sides, await one.connect(), await two.connect());
}

class Cluster {
  constructor(one, two, sides, near, far) {
    this.one = one;
    this.two = two;
    this.sides = sides;
    this.near = near;
    this.far = far;
  }

  /** Resolves once both servers' applications have been told of trouble, in such words if any. */
  async troubles(words) {
    await Promise.all(this.sides.map(({ app, trouble }) => trouble(app.io, words)));
  }

  /** Each server's own client hears it. */
  async servesItsOwn() {
    for (const [{ io }, { client, socket }] of [
      [this.one, this.near],
      [this.two, this.far],
    ]) {
      socket.join("red");
      const news = next(client, "news");
      io.to("red").local.emit("news", 1);
      await news;
      const own = next(client, "own");
      io.to("red").emit("own", Buffer.from([1]));
      await own;
      await settle(client, socket);
    }
  }

  /** Broadcasts get through in both directions again, once and in order. */
  async isJoined() {
    for (const [event, { io }, { client }] of [
      ["there", this.one, this.far],
      ["back", this.two, this.near],
    ]) {
      const seen = [];
      client.on(event, (n) => seen.push(n));
      let sent = 0;
      await until(() => {
        io.emit(event, sent++);
        return seen.length > 0;
      });
      assert.deepEqual(
        seen,
        [...new Set(seen)].sort((a, b) => a - b),
      );
    }
  }
}

/** A TCP proxy that can hold what passes, and cut it. */
async function startProxy(t, port) {
  const pairs = new Set();
  const server = net.createServer((inner) => {
    const outer = net.connect(port, "127.0.0.1");
    const pair = [inner, outer];
    pairs.add(pair);
    for (const [from, to] of [pair, [outer, inner]]) {
      from.on("error", () => {});
      from.on("close", () => {
        pairs.delete(pair);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  server.listen(0, "127.0.0.1");
  await next(server, "listening");
  const each = (act) => [...pairs].flat().forEach(act);
  opened.get(t).push(() => {
    each((socket) => socket.destroy());
    server.close();
  });
  return {
    url: `redis://127.0.0.1:${server.address().port}`,
    hold: () => each((socket) => socket.pause()),
    go: () => each((socket) => socket.resume()),
    cut: () => each((socket) => socket.destroy()),
  };
}
