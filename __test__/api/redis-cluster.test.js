"use strict";

// Servers that share one Redis: with the native adapter, with the official one under this
// package, and stock socket.io with the official one, in pairs.

const assert = require("node:assert/strict");
const http = require("node:http");
const { createClient } = require("redis");
const official = require("@socket.io/redis-adapter");
const stock = require("socket.io");
const { test } = require("../support/scenario");
const { App, closeAtEnd, listen } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { next, until } = require("../support/events");
const { isReference, target } = require("../support/target");
const { startRedis } = require("../examples/redis");

const PAIRS = isReference
  ? [["stock", "stock"]]
  : [
      ["native", "stock"],
      ["stock", "native"],
      ["official", "stock"],
      ["native", "official"],
      ["native", "native"],
    ];

/** A server of one of the kinds, on a Redis server. */
async function serve(t, kind, url, options = {}) {
  const httpServer = http.createServer();
  const { Server } = kind === "stock" ? stock : target;
  const adapter = kind === "native" ? nativeAdapter(url, options) : await officialAdapter(t, url);
  const io = new Server(httpServer, { adapter });
  const app = new App(io);
  closeAtEnd(t, io, app);
  await listen(httpServer);
  return app;
}

function nativeAdapter(url, options) {
  return require("../../redis-adapter").createAdapter({ url, ...options });
}

async function officialAdapter(t, url) {
  const clients = [createClient({ url }), createClient({ url })];
  for (const client of clients) {
    client.on("error", () => {});
    await client.connect();
    opened.get(t).push(client);
  }
  return official.createAdapter(...clients);
}

/** The npm clients of a test. */
const opened = new WeakMap();

/** Starts Redis. At the end servers are closed first, then clients, since adapters say goodbye. */
function prepare(t) {
  const clients = [];
  opened.set(t, clients);
  atEnd(t, () => {});
  t.after(() => Promise.all(clients.map((client) => client.close())));
  return startRedis(t);
}

/** Resolves once every server knows of all. */
async function joined(apps, nsp = "/") {
  for (const app of apps) {
    let count;
    while (count !== apps.length) {
      count = await app.io.of(nsp).adapter.serverCount();
    }
  }
}

async function pair(t, kinds) {
  const url = await prepare(t);
  const apps = [await serve(t, kinds[0], url), await serve(t, kinds[1], url)];
  await joined(apps);
  const [a, b] = [await apps[0].connect(), await apps[1].connect()];
  return { apps, here: apps[0].io, there: apps[1].io, a, b };
}

/** What clients get until an "end" that the first server sends to all. */
async function gathered(here, ends) {
  const got = ends.map(() => []);
  ends.forEach(({ client }, i) => client.onAny((...args) => got[i].push(args)));
  const done = ends.map(({ client }) => next(client, "end"));
  here.emit("end");
  await Promise.all(done);
  ends.forEach(({ client }) => client.offAny());
  return got.map((list) => list.slice(0, -1));
}

for (const kinds of PAIRS) {
  const title = kinds.join(" to ");

  test(`${title}: broadcasts reach rooms of the other server`, async (t) => {
    const { apps, here, there, a, b } = await pair(t, kinds);
    const other = await apps[1].connect();
    b.socket.join(["room", "vip"]);
    other.socket.join("room");
    const value = {
      text: 'é"\n\u2028😀',
      list: [1, -2, 0.1, -1.5e-300, 2 ** 40, null, true],
      2: "z",
    };
    here.to("room").emit("one", value);
    here.to("room").except("vip").emit("two", new Date(0));
    here.to(["room", "vip"]).emit("once", undefined, [undefined]);
    here.to("nobody").emit("never");
    here.except("room").emit("outside");
    here.local.emit("local");
    here.to("room").emit("binary", Buffer.from([1, 2, 3]), { deep: [Buffer.from([4])] });
    a.socket.broadcast.emit("others", 5);
    const [toA, toB, toOther] = await gathered(here, [a, b, other]);
    assert.deepEqual(toA, [["outside"], ["local"]]);
    const shared = [
      ["once", null, [null]],
      ["binary", Buffer.from([1, 2, 3]), { deep: [Buffer.from([4])] }],
      ["others", 5],
    ];
    assert.deepEqual(toB, [["one", value], ...shared]);
    assert.deepEqual(toOther, [["one", value], ["two", "1970-01-01T00:00:00.000Z"], ...shared]);
    assert.ok(there);
  });

  test(`${title}: sockets of the other server are found, moved and disconnected`, async (t) => {
    const { here, a, b } = await pair(t, kinds);
    b.socket.data.name = "b";
    const sockets = await here.fetchSockets();
    assert.deepEqual(sockets.map(({ id }) => id).sort(), [a.socket.id, b.socket.id].sort());
    const remote = sockets.find(({ id }) => id === b.socket.id);
    assert.equal(remote.data.name, "b");
    assert.equal(remote.handshake.address, b.socket.handshake.address);
    if (kinds[0] === "native") {
      // The official adapter knows its own sockets only.
      assert.deepEqual(await here.allSockets(), new Set([a.socket.id, b.socket.id]));
    }

    here.in(b.socket.id).socketsJoin(["x", "y"]);
    await until(() => b.socket.rooms.has("y"), "joined");
    here.in("x").socketsLeave("y");
    await until(() => !b.socket.rooms.has("y"), "left");
    assert.ok(b.socket.rooms.has("x"));
    assert.ok(!a.socket.rooms.has("x"));

    const gone = next(b.client, "disconnect");
    here.in("x").disconnectSockets(true);
    await gone;
    assert.ok(a.socket.connected);
  });

  test(`${title}: acknowledgements of all servers are collected`, async (t) => {
    const { here, a, b } = await pair(t, kinds);
    a.client.on("ask", (answer) => answer("a"));
    b.client.on("ask", (answer) => answer("b"));
    const answers = await here.timeout(5_000).emitWithAck("ask");
    assert.deepEqual(answers.sort(), ["a", "b"]);
  });

  test(`${title}: servers send each other events`, async (t) => {
    const { here, there } = await pair(t, kinds);
    const heard = next(there, "hello");
    here.serverSideEmit("hello", { n: 1 }, "two");
    assert.deepEqual(await heard, [{ n: 1 }, "two"]);
    there.on("sum", (x, y, answer) => answer(x + y));
    assert.deepEqual(await here.serverSideEmitWithAck("sum", 1, 2), [3]);
  });
}

const onlyNative = isReference ? () => {} : test;

onlyNative("broadcasts of other servers do not pass through JavaScript", async (t) => {
  const { here, there, b } = await pair(t, ["native", "native"]);
  const { adapter } = there.of("/");
  const handed = [];
  const { onmessage } = adapter;
  adapter.onmessage = function (...args) {
    handed.push(args);
    onmessage.apply(this, args);
  };
  b.socket.join("room");
  await until(() => adapter._isDirect, "the core delivers");
  const got = next(b.client, "x");
  here.to("room").emit("x", { plain: true });
  assert.deepEqual(await got, [{ plain: true }]);
  assert.deepEqual(handed, []);

  const heard = [];
  b.socket.onAnyOutgoing((...args) => heard.push(args));
  const watched = next(b.client, "y");
  here.emit("y", 1);
  await watched;
  assert.deepEqual(heard, [["y", 1]]);
  assert.equal(handed.length, 1);
});

onlyNative("a wrong password is an error event, and local delivery goes on", async (t) => {
  const url = (await prepare(t)).replace("redis://", "redis://:wrong@");
  const app = await serve(t, "native", url);
  const [err] = await next(app.io.of("/").adapter, "error");
  assert.ok(err instanceof Error);
  assert.match(err.message, /auth|password/i);
  const { client } = await app.connect();
  const got = next(client, "x");
  app.io.emit("x", 1);
  assert.deepEqual(await got, [1]);
});

onlyNative("a server joins the others once Redis is there", async (t) => {
  const url = await prepare(t);
  const apps = [await serve(t, "native", url), await serve(t, "native", url)];
  await joined(apps);
  const { client } = await apps[1].connect();
  const lost = apps.map(({ io }) => next(io.of("/").adapter, "error"));
  const back = apps.map(({ io }) => next(io.of("/").adapter, "ready"));
  const killer = createClient({ url });
  await killer.connect();
  await killer.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
  await Promise.all(lost);
  await Promise.all(back);
  await killer.close();
  await joined(apps);
  const got = next(client, "x");
  apps[0].io.emit("x", 1);
  assert.deepEqual(await got, [1]);
});

onlyNative("a message that breaks the connection does not take with it what follows", async (t) => {
  const url = await prepare(t);
  const app = await serve(t, "native", url.replace("redis://", "redis://:secret@"));
  await next(app.io.of("/").adapter, "error");
  // Both wait until the connections stand, and are then taken in one go.
  app.io.emit("too big", "x".repeat(2 << 20));
  app.io.of("/late");
  const admin = createClient({ url });
  await admin.connect();
  // Redis ends the connection of whoever sends more.
  await admin.configSet("proto-max-bulk-len", String(1 << 20));
  await admin.configSet("requirepass", "secret");
  await admin.close();
  const other = await serve(t, "native", url.replace("redis://", "redis://:secret@"));
  other.io.of("/late");
  await joined([app, other], "/late");
  const { client } = await app.connect("/late");
  const got = next(client, "x");
  other.io.of("/late").emit("x", 1);
  assert.deepEqual(await got, [1]);
});

onlyNative("an address that the adapter cannot use is refused at once", () => {
  assert.throws(() => nativeAdapter("http://localhost"), /"url"/);
  for (const name of ["sentinelRootNodes", "rootNodes", "nodes"]) {
    const many = { [name]: [{ host: "localhost" }] };
    assert.throws(() => nativeAdapter(undefined, many), /not to Redis Cluster/);
    const pubClient = { options: many };
    assert.throws(() => nativeAdapter(undefined, { pubClient }), /not to Redis Cluster/);
  }
  const pubClient = { isCluster: true, options: {} };
  assert.throws(() => nativeAdapter(undefined, { pubClient }), /address of one server/);
  const sentinels = [{ host: "localhost" }];
  assert.throws(() => nativeAdapter(undefined, { sentinels }), /"name"/);
  assert.throws(() => nativeAdapter(undefined, { sentinels: {}, name: "x" }), /"sentinels"/);
  assert.throws(() => nativeAdapter(undefined, { sentinels, name: "x", natMap: {} }), /"natMap"/);
  assert.throws(() => nativeAdapter(undefined, { parser: {} }), /"parser"/);
});
