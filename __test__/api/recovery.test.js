"use strict";

// Connection state recovery: a client that comes back soon has missed nothing.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, next, until } = require("../support/events");

const OPTIONS = { connectionStateRecovery: {} };
const RECONNECT = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5 };

/** Connects a client that has received an event: without one there is nothing to recover from. */
async function connectRecoverable(app) {
  const pair = await app.connect("/", RECONNECT);
  const first = next(pair.client, "first");
  pair.socket.emit("first");
  await first;
  return pair;
}

/** Loses the connection, runs `meanwhile` and waits until the client is back. */
async function loseConnection(app, { client, socket }, meanwhile = () => {}) {
  const back = next(app.io, "connection");
  const connected = next(client, "connect");
  socket.once("disconnect", meanwhile);
  socket.conn.close();
  const [again] = await back;
  await connected;
  return again;
}

eachTransport("a client that comes back gets what it missed", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const pair = await connectRecoverable(app);
  const { client, socket } = pair;
  const { id } = socket;
  socket.join("room");
  socket.data.name = "ann";
  const seen = [];
  client.on("missed", (value) => seen.push(typeof value === "string" ? value : [...value]));
  const again = await loseConnection(app, pair, () => {
    app.io.emit("missed", "to all");
    app.io.to("room").emit("missed", "to the room");
    app.io.to("another room").emit("missed", "to another room");
    app.io.to(id).emit("missed", "to the socket");
    app.io.except("room").emit("missed", "to the others");
    app.io.volatile.emit("missed", "volatile");
    app.io.emit("missed", Buffer.from([1, 2, 3]));
  });
  assert.equal(again.recovered, true);
  assert.equal(client.recovered, true);
  assert.equal(again.id, id);
  assert.equal(client.id, id);
  assert.deepEqual([...again.rooms].sort(), [id, "room"].sort());
  assert.deepEqual(again.data, { name: "ann" });
  await until(() => seen.length === 4, "the missed events have arrived");
  assert.deepEqual(seen, ["to all", "to the room", "to the socket", [1, 2, 3]]);
});

eachTransport("a recovered client goes on as before", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const pair = await connectRecoverable(app);
  const again = await loseConnection(app, pair);
  again.on("question", (value, answer) => answer(value + 1));
  assert.equal(await pair.client.emitWithAck("question", 1), 2);
  const received = collect(pair.client, "event", 2);
  again.emit("event", "one");
  app.io.emit("event", "two");
  // The last argument is the offset from which the client could recover.
  assert.deepEqual((await received).map(([value]) => value), ["one", "two"]);
});

test("a first connection is not a recovered one", async (t) => {
  const app = await serve(t, { options: OPTIONS });
  const { client, socket } = await app.connect();
  assert.equal(socket.recovered, false);
  assert.equal(client.recovered, false);
});

test("without the option nothing is recovered", async (t) => {
  const app = await serve(t);
  const pair = await connectRecoverable(app);
  const { id } = pair.socket;
  const again = await loseConnection(app, pair);
  assert.equal(again.recovered, false);
  assert.notEqual(again.id, id);
});

test("a client that left by itself is not recovered", async (t) => {
  const app = await serve(t, { options: OPTIONS });
  const { client, socket } = await connectRecoverable(app);
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
  const back = next(app.io, "connection");
  client.connect();
  const [again] = await back;
  assert.equal(again.recovered, false);
  assert.notEqual(again.id, socket.id);
});

test("middleware is skipped for a recovered client", async (t) => {
  const app = await serve(t, { options: OPTIONS });
  let runs = 0;
  app.io.use((socket, done) => {
    runs++;
    done();
  });
  const pair = await connectRecoverable(app);
  const again = await loseConnection(app, pair);
  assert.equal(again.recovered, true);
  assert.equal(runs, 1);
});

test("middleware runs for a recovered client when skipMiddlewares is false", async (t) => {
  const options = { connectionStateRecovery: { skipMiddlewares: false } };
  const app = await serve(t, { options });
  let runs = 0;
  app.io.use((socket, done) => {
    runs++;
    done();
  });
  const pair = await connectRecoverable(app);
  const again = await loseConnection(app, pair);
  assert.equal(again.recovered, true);
  assert.equal(runs, 2);
});

test("the options of recovery are completed", async (t) => {
  const options = { connectionStateRecovery: {} };
  await serve(t, { options });
  assert.deepEqual(options.connectionStateRecovery, {
    maxDisconnectionDuration: 120_000,
    skipMiddlewares: true,
  });
});
