"use strict";

// The order in which things arrive is the order in which they were emitted.

const assert = require("node:assert/strict");
const test = require("node:test");
const { eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, deferred, next, settle } = require("../support/events");

const numbers = (count) => Array.from({ length: count }, (_, i) => i);

eachTransport("1,000 events of a client arrive in order", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const received = collect(socket, "count", 1_000);
  for (const n of numbers(1_000)) {
    client.emit("count", n);
  }
  assert.deepEqual(
    (await received).map(([n]) => n),
    numbers(1_000),
  );
});

eachTransport("1,000 events of the server arrive in order", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const received = collect(client, "count", 1_000);
  for (const n of numbers(1_000)) {
    socket.emit("count", n);
  }
  assert.deepEqual(
    (await received).map(([n]) => n),
    numbers(1_000),
  );
});

eachTransport("1,000 events of several clients stay in order for each", async (t, transport) => {
  const app = await serve(t, { transport });
  const all = await app.connectAll(4);
  const received = all.map(({ socket }) => collect(socket, "count", 250));
  for (const n of numbers(250)) {
    for (const { client } of all) {
      client.emit("count", n);
    }
  }
  for (const events of received) {
    assert.deepEqual(
      (await events).map(([n]) => n),
      numbers(250),
    );
  }
});

eachTransport("different events of a client stay in order", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = [];
  const done = deferred();
  for (const event of ["a", "b", "c"]) {
    socket.on(event, (n) => {
      seen.push(`${event}${Buffer.isBuffer(n) ? n[0] : n}`);
      if (seen.length === 90) {
        done.resolve();
      }
    });
  }
  const expected = [];
  for (const n of numbers(30)) {
    client.emit("a", n);
    client.emit("b", Buffer.from([n]));
    client.emit("c", n, () => {});
    expected.push(`a${n}`, `b${n}`, `c${n}`);
  }
  await done.promise;
  assert.deepEqual(seen, expected);
});

eachTransport("events, binary, broadcasts and acks leave in order", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  await app.connect();
  socket.join("room");
  const seen = [];
  client.on("event", (n, answer) => {
    seen.push(typeof n === "number" ? n : Buffer.from(n)[0]);
    answer?.();
  });
  const expected = [];
  socket.on("go", (round, answer) => {
    const n = round * 10;
    socket.emit("event", n);
    app.io.emit("event", n + 1);
    socket.emit("event", Buffer.from([n + 2]));
    answer(n + 3);
    app.io.to("room").emit("event", Buffer.from([n + 4]));
    socket.emit("event", n + 5);
    app.io.to("nobody").emit("event", -1);
    app.io.in("room").emit("event", n + 6);
    socket.timeout(10_000).emit("event", n + 7, () => {});
  });
  const rounds = 20;
  for (const round of numbers(rounds)) {
    client.emit("go", round, (n) => seen.push(n));
    expected.push(...numbers(8).map((step) => round * 10 + step));
  }
  await settle(client, socket);
  assert.deepEqual(seen, expected);
});

eachTransport("namespaces of one connection stay in order", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/other");
  const main = await app.connect();
  const other = await app.share(main.client, "/other");
  const seen = [];
  main.client.on("event", (n) => seen.push(n));
  other.client.on("event", (n) => seen.push(n));
  for (const n of numbers(100)) {
    (n % 2 ? other : main).socket.emit("event", n);
  }
  await settle(main.client, main.socket);
  await settle(other.client, other.socket);
  assert.deepEqual(seen, numbers(100));
});

eachTransport("the disconnection comes after what was emitted", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = [];
  client.on("event", (n) => seen.push(n));
  const left = next(client, "disconnect");
  for (const n of numbers(50)) {
    app.io.emit("event", n);
  }
  socket.disconnect();
  socket.emit("event", "after");
  await left;
  assert.deepEqual(seen, numbers(50));
});

eachTransport("events that listeners emit come in their order", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  socket.on("echo", (n) => socket.emit("echo", n));
  const received = collect(client, "echo", 300);
  for (const n of numbers(300)) {
    client.emit("echo", n);
  }
  assert.deepEqual(
    (await received).map(([n]) => n),
    numbers(300),
  );
});

/** Nothing else runs in this thread meanwhile. Other threads read what there is. */
function stay(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("what a client has sent in two pieces while JavaScript was busy is taken in together", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  const seen = [];
  socket.on("event", (n) => seen.push(n));
  const gone = next(socket, "disconnect");
  const { ws } = client.io.engine.transport;
  ws.send('42["event",1]');
  stay(50);
  ws.send("41");
  stay(50);
  const [reason] = await gone;
  assert.equal(reason, "client namespace disconnect");
  assert.deepEqual(seen, [], "it has left before its event gets to a listener");
});
