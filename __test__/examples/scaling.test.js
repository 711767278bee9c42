"use strict";

// The examples that need a Redis server, and the one with `ws` beside.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { next } = require("../support/events");
const { openWebSocket, request } = require("../support/request");
const { record, serveExample } = require("./example");
const { startRedis } = require("./redis");

for (const name of ["redis-adapter", "redis-adapter-ioredis"]) {
  test(`${name} joins two servers`, async (t) => {
    const REDIS_URL = await startRedis(t);
    const first = await serveExample(t, name, { REDIS_URL });
    const second = await serveExample(t, name, { REDIS_URL });
    const ada = await first.connect();
    const grace = await second.connect();
    const outsider = await second.connect();
    await allOnline([ada, grace], 3);
    await ada.emitWithAck("join", "room1");
    await grace.emitWithAck("join", "room1");

    const stray = record(outsider, "message");
    const received = [next(ada, "message"), next(grace, "message")];
    ada.emit("say", "room1", "across");
    assert.deepEqual(await Promise.all(received), [["across"], ["across"]]);
    const back = next(ada, "message");
    grace.emit("say", "room1", "and back");
    assert.deepEqual(await back, ["and back"]);

    await outsider.emitWithAck("join", "room1");
    const own = next(outsider, "message");
    ada.emit("say", "room1", "welcome");
    await own;
    assert.deepEqual(stray, ["welcome"]);
  });
}

test("cluster spreads clients over its workers and joins them", async (t) => {
  const REDIS_URL = await startRedis(t);
  const example = await serveExample(t, "cluster", { REDIS_URL, WORKERS: "2" });
  const workers = new Set();
  const clients = [];
  // Which worker takes a connection is for node:cluster to say: go on until both have one.
  while (workers.size < 2) {
    const client = example.open();
    workers.add((await next(client, "worker"))[0]);
    clients.push(client);
  }
  assert.ok(!workers.has(example.child.pid));
  await allOnline(clients, clients.length);
  const received = clients.map((client) => next(client, "message"));
  clients[0].emit("say", "to all workers");
  assert.deepEqual(
    await Promise.all(received),
    clients.map(() => ["to all workers"]),
  );
});

eachTransport("ws-beside serves Socket.IO and ws on one port", async (t, { client: options }) => {
  const example = await serveExample(t, "ws-beside");
  const { webSocket } = await openWebSocket(t, `${example.url}/ws`);
  const client = await example.connect("/", options);
  const answers = [next(webSocket, "message"), next(client, "message")];
  webSocket.send("one");
  client.emit("message", "two");
  const [[fromWs], [fromSocketIo]] = await Promise.all(answers);
  assert.equal(String(fromWs), "Server: one");
  assert.equal(fromSocketIo, "Socket.IO: two");
  assert.equal((await request(example.url)).text, "Hello over HTTP\n");
  await example.printed("Received: one");
  webSocket.close();
  await example.printed("Client disconnected");
});

test("ws-beside leaves ws connections alone when Socket.IO clients come and go", async (t) => {
  const example = await serveExample(t, "ws-beside");
  const { webSocket } = await openWebSocket(t, `${example.url}/ws`);
  const client = await example.connect();
  client.disconnect();
  const other = await example.connect();
  const answer = next(other, "message");
  other.emit("message", "still here");
  await answer;
  const echoed = next(webSocket, "message");
  webSocket.send("me too");
  assert.equal(String((await echoed)[0]), "Server: me too");
});

/** Resolves when every server sees all the clients: its subscriptions are in place then. */
async function allOnline(clients, count) {
  for (const client of clients) {
    while ((await client.emitWithAck("online")) !== count);
  }
}
