"use strict";

// Redis over TLS, and Redis that Sentinel names: our adapter reaches it with the options that npm's
// clients have, and is in one cluster with the official adapter there.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { TRANSPORTS, test } = require("../support/scenario");
const { selfSigned } = require("../support/certificate");
const { atEnd } = require("../support/cleanup");
const { next } = require("../support/events");
const { isReference } = require("../support/target");
const { startRedisProcess, startSentinel } = require("../examples/redis");
const { load, serve } = require("./installed");
const { joined } = require("./redis-clients");

/** What a test opens, to be closed after its servers, which say good-bye to Redis. */
const opened = new WeakMap();

const onlyNative = isReference ? () => {} : test;

const authority = selfSigned({ host: "authority" });
const server = selfSigned({ issuer: authority });
const other = selfSigned();
const { cert: ca } = authority;

for (const [title, options] of Object.entries({
  "a URL": (url) => ({ url, tls: { ca } }),
  "a host and a port": (url) => ({
    host: "127.0.0.1",
    port: Number(new URL(url).port),
    tls: { ca },
  }),
  "several authorities": (url) => ({ url, tls: { ca: [other.cert.toString(), ca] } }),
  "any certificate": (url) => ({ url, tls: { rejectUnauthorized: false } }),
  "a client of redis": (url) => ({
    pubClient: load("redis").createClient({ url, socket: { tls: true, ca } }),
  }),
  "a client of redis 4": (url) => ({
    pubClient: load("redis4").createClient({ url, socket: { tls: true, ca } }),
  }),
  "a client of ioredis": (url) => ({
    pubClient: new (load("ioredis").Redis)(url, { lazyConnect: true, tls: { ca } }),
  }),
})) {
  onlyNative(`ferrio/redis-adapter speaks TLS: ${title}`, async (t) => {
    const url = await secureRedis(t);
    await agree(await withAdapter(t, createAdapter(options(url))), await official(t, url));
  });
}

onlyNative("a certificate that signs itself is its own authority", async (t) => {
  const url = await secureRedis(t, { identity: other });
  const one = await withAdapter(t, createAdapter({ url, tls: { ca: other.cert } }));
  await joined([one]);
});

onlyNative("Redis may ask for our certificate", async (t) => {
  const url = await secureRedis(t, { settings: ["--tls-auth-clients", "yes"] });
  const { key, cert } = selfSigned({ host: "client", issuer: authority, passphrase: "secret" });
  const one = await withAdapter(t, createAdapter({ url, tls: { ca } }));
  await next(one.io.of("/").adapter, "error");
  const mine = { key, cert, passphrase: "secret" };
  await joined([await withAdapter(t, createAdapter({ url, tls: { ca, ...mine } }))]);
});

for (const [title, identity, tls, words] of [
  ["of an unknown authority", server, {}, /UnknownIssuer/],
  [
    "of another server",
    selfSigned({ host: "elsewhere", issuer: authority }),
    { ca },
    /not valid for/,
  ],
  [
    "of another server, its own authority",
    other,
    { ca: other.cert, servername: "x.y" },
    /not valid/,
  ],
]) {
  onlyNative(`a certificate ${title} is an error event, and local delivery goes on`, async (t) => {
    const url = await secureRedis(t, { identity });
    const app = await withAdapter(t, createAdapter({ url, tls }));
    const [error] = await next(app.io.of("/").adapter, "error");
    assert.match(error.message, words);
    const { client } = await app.connect();
    const told = next(client, "own");
    app.io.emit("own");
    await told;
  });
}

onlyNative("a name may be given for the certificate", async (t) => {
  const identity = selfSigned({ host: "redis.example", issuer: authority });
  const url = await secureRedis(t, { identity });
  const tls = { ca, servername: "redis.example" };
  await joined([await withAdapter(t, createAdapter({ url, tls }))]);
});

onlyNative("what TLS cannot be spoken with is refused at once", () => {
  const url = "rediss://localhost";
  const make = (tls, more) => () => createAdapter({ url, tls, ...more });
  assert.throws(make({ ca: "no certificate" }), /"tls.ca" must be certificates in PEM/);
  assert.throws(make({ cert: server.cert }), /"key" and "cert"/);
  assert.throws(make({ cert: server.cert, key: other.key }), /not the key of/);
  assert.throws(make({ checkServerIdentity() {} }), /"tls.checkServerIdentity"/);
  assert.throws(make("yes"), /"tls" .* must be an object/);
});

onlyNative("the primary server that Sentinel names is followed", async (t) => {
  const { replica, primary, sentinel } = await threeServers(t);
  const options = { name: "fleet", sentinels: [{ host: "127.0.0.1", port: sentinel.port }] };
  const one = await withAdapter(t, createAdapter({ ...options, password: "secret" }));
  const two = await withAdapter(t, createAdapter({ pubClient: followed(options) }));
  await joined([one, two]);
  assert.equal(await subscribers(t, primary), 2);
  const back = [one, two].map(({ io }) => next(io.of("/").adapter, "ready"));
  one.io.of("/").adapter.on("error", () => {});
  two.io.of("/").adapter.on("error", () => {});
  await primary.stop();
  await Promise.all(back);
  await joined([one, two]);
  assert.equal(await subscribers(t, replica), 2);
  await agree(one, two);
});

onlyNative("without a Sentinel that knows, the error says so", async (t) => {
  const { sentinel, port } = await oneSentinel(t);
  for (const [options, words] of [
    [{ name: "others", sentinels: [{ host: "127.0.0.1", port: sentinel.port }] }, /"others"/],
    [{ name: "fleet", sentinels: [{ host: "127.0.0.1", port }] }, /no Sentinel names/],
  ]) {
    const { io } = await withAdapter(t, createAdapter(options));
    const [error] = await next(io.of("/").adapter, "error");
    assert.match(error.message, words);
  }
});

function createAdapter(options) {
  return load("socket.io/redis-adapter").createAdapter(options);
}

/** Starts Redis with TLS only, and resolves with its URL. */
async function secureRedis(t, { identity = server, settings = [] } = {}) {
  const list = prepare(t);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "redis-tls-"));
  list.push(() => fs.rmSync(folder, { recursive: true }));
  const file = (name, content) => {
    fs.writeFileSync(path.join(folder, name), content);
    return path.join(folder, name);
  };
  const redis = await startRedisProcess(t, (port) => [
    ...["--port", 0, "--tls-port", port, "--tls-auth-clients", "no"],
    ...["--tls-cert-file", file("cert.pem", identity.cert)],
    ...["--tls-key-file", file("key.pem", identity.key)],
    ...["--tls-ca-cert-file", file("ca.pem", ca)],
    ...settings,
  ]);
  return redis.url.replace("redis:", "rediss:");
}

/** A primary server, one that copies it, and a Sentinel that has seen both. */
async function threeServers(t) {
  prepare(t);
  const secret = ["--requirepass", "secret", "--masterauth", "secret"];
  const primary = await startRedisProcess(t, secret);
  const copying = ["--replicaof", "127.0.0.1", primary.port, "--repl-diskless-sync-delay", 0];
  const replica = await startRedisProcess(t, [...secret, ...copying]);
  const sentinel = await startSentinel(t, [
    `sentinel monitor fleet 127.0.0.1 ${primary.port} 1`,
    "sentinel auth-pass fleet secret",
    "sentinel down-after-milliseconds fleet 500",
  ]);
  const client = await connectTo(t, sentinel.url);
  let known;
  do {
    known = String(await client.sendCommand(["SENTINEL", "REPLICAS", "fleet"]));
  } while (!known.includes("master-link-status,ok"));
  return { primary, replica, sentinel };
}

/** A Sentinel, and a port where nobody is. */
async function oneSentinel(t) {
  prepare(t);
  const redis = await startRedisProcess(t);
  const sentinel = await startSentinel(t, [`sentinel monitor fleet 127.0.0.1 ${redis.port} 1`]);
  await redis.stop();
  return { sentinel, port: redis.port };
}

/** How many servers listen to a Redis server. */
async function subscribers(t, { url }) {
  const client = await connectTo(t, url.replace("redis://", "redis://:secret@"));
  const [, count] = await client.sendCommand(["PUBSUB", "NUMSUB", "socket.io-request#/#"]);
  return Number(count);
}

/** A client of ioredis that is only read. */
function followed(options) {
  return new (load("ioredis").Redis)({ ...options, password: "secret", lazyConnect: true });
}

async function connectTo(t, url) {
  const client = load("redis").createClient({ url });
  client.on("error", () => {});
  await client.connect();
  opened.get(t).push(() => client.destroy());
  return client;
}

function withAdapter(t, adapter) {
  return serve(t, { transport: TRANSPORTS.websocket, options: { adapter } });
}

/** A server with the official adapter over TLS. */
async function official(t, url) {
  const { Redis } = load("ioredis");
  const clients = [0, 1].map(() => new Redis(url, { tls: { ca } }));
  for (const client of clients) {
    opened.get(t).push(() => client.quit());
  }
  return withAdapter(t, load("@socket.io/redis-adapter").createAdapter(...clients));
}

/** Both hear of each other. */
async function agree(one, two) {
  await joined([one, two]);
  for (const [from, to] of [
    [one, two],
    [two, one],
  ]) {
    const { client } = await to.connect();
    const heard = next(client, "news");
    from.io.emit("news", { n: 1 });
    assert.deepEqual(await heard, [{ n: 1 }]);
  }
}

/** What is closed last; it is given back to be filled. */
function prepare(t) {
  const list = [];
  opened.set(t, list);
  atEnd(t, () => {});
  t.after(async () => {
    for (const close of list.reverse()) {
      await close();
    }
  });
  return list;
}
