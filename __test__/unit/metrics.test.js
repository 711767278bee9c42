"use strict";

// What is counted, as an object and as Prometheus reads it.

const assert = require("node:assert/strict");
const http = require("node:http");
const { handler, metrics, prometheus } = require("../../lib/metrics");
const { test } = require("../support/scenario");
const { serveOwn } = require("../support/own-app");
const { collect, next, settle } = require("../support/events");

test("connections, events, deliveries and reasons are counted", async (t) => {
  const app = await serveOwn(t);
  const before = metrics();
  const [a, b] = await app.connectAll(2);
  const open = app.io.metrics();
  assert.equal(open.opened, before.opened + 2);
  assert.equal(
    open.connections.websocket + open.connections.polling,
    before.connections.websocket + before.connections.polling + 2,
  );
  a.client.emit("hello");
  app.io.emit("all", "x".repeat(1000));
  await settle(a.client, a.socket);
  await settle(b.client, b.socket);
  const after = metrics();
  assert.ok(after.events.in >= open.events.in + 1);
  assert.ok(after.deliveries >= open.deliveries + 2);
  assert.ok(after.broadcasts > open.broadcasts);
  assert.ok(after.bytes.in > open.bytes.in);
  assert.ok(after.javascript.batches > open.javascript.batches);
  const left = next(a.socket, "disconnect");
  a.socket.conn.close();
  await left;
  await settle(b.client, b.socket);
  assert.equal(metrics().closed["forced close"], after.closed["forced close"] + 1);
});

test("broadcasts stay the core's after a middleware has called next() twice", async (t) => {
  const app = await serveOwn(t);
  let times = 2;
  app.io.use((_socket, proceed) => {
    for (let i = 0; i < times; i++) {
      proceed();
    }
  });
  const twice = await app.connect();
  times = 1;
  const { client } = await app.connect();
  const left = next(twice.socket, "disconnect");
  twice.client.disconnect();
  await left;
  const before = metrics().broadcasts;
  const heard = next(client, "news");
  app.io.emit("news");
  await heard;
  assert.equal(metrics().broadcasts, before + 1);
});

test("answers to pings are counted by the time they took", async (t) => {
  const app = await serveOwn(t, { pingInterval: 50 });
  const count = () => Object.values(metrics().heartbeat.buckets).reduce((sum, n) => sum + n, 0);
  const { client, socket } = await app.connect();
  const before = count();
  await next(client.io, "ping");
  await settle(client, socket);
  assert.ok(count() > before);
});

test("pings and their answers do not wake JavaScript", async (t) => {
  const app = await serveOwn(t, { pingInterval: 20 });
  const { client, socket } = await app.connect();
  await settle(client, socket);
  const before = metrics();
  await collect(client.io, "ping", 10);
  const after = metrics();
  assert.equal(after.javascript.batches, before.javascript.batches);
  assert.notDeepEqual(after.heartbeat.buckets, before.heartbeat.buckets);
});

test("the text is what Prometheus reads", async (t) => {
  const app = await serveOwn(t);
  await app.connect();
  const lines = prometheus().trimEnd().split("\n");
  const described = new Set();
  for (const line of lines) {
    const comment = /^# (HELP|TYPE) (ferrio_\w+) (.+)$/.exec(line);
    if (comment) {
      described.add(comment[2]);
      continue;
    }
    const sample = /^(ferrio_\w+?)(_bucket|_sum|_count)?(\{\w+="[^"]*"\})? -?[\d.e+-]+$/.exec(line);
    assert.ok(sample, line);
    assert.ok(described.has(sample[1]) || described.has(sample[1] + (sample[2] ?? "")), line);
  }
  assert.ok(lines.some((line) => /^ferrio_connections\{transport="\w+"\} [1-9]/.test(line)));
});

test("the handler answers a request", async (t) => {
  const server = http.createServer(handler);
  t.after(() => server.close());
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const response = await fetch(`http://127.0.0.1:${server.address().port}`);
  assert.match(response.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  assert.match(await response.text(), /^# HELP ferrio_connections /);
});
