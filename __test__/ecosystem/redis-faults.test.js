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
const { joined } = require("./redis-clients");

/** What a test opens, to be closed after its servers, which say good-bye to Redis. */
const opened = new WeakMap();

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

/** Our adapter: trouble is an event of its own. */
function native(t, url) {
  const adapter = load("socket.io/redis-adapter").createAdapter(url);
  return {
    adapter,
    trouble: (io) => {
      // There may be more than one while it lasts.
      io.of("/").adapter.on("error", () => {});
      return next(io.of("/").adapter, "error");
    },
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

/** Starts Redis, to be stopped last. */
function prepare(t) {
  const list = [];
  opened.set(t, list);
  atEnd(t, () => {});
  t.after(async () => {
    for (const close of list.reverse()) {
      await close();
    }
  });
  return startRedisProcess(t);
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

  /** Resolves once both servers' applications have been told of trouble. */
  async troubles() {
    const errors = await Promise.all(this.sides.map(({ app, trouble }) => trouble(app.io)));
    for (const [error] of errors) {
      // A client's "close" has nothing to say.
      assert.match(error?.message ?? "Redis", /Redis/);
    }
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
