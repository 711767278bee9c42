"use strict";

// Connection state recovery: a client that comes back soon has missed nothing.

const assert = require("node:assert/strict");
const { Adapter } = require("socket.io-adapter");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, next, until } = require("../support/events");
const { openWebSocket } = require("../support/request");

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
  assert.deepEqual(
    (await received).map(([value]) => value),
    ["one", "two"],
  );
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

eachTransport("missed events come in the order in which they were sent", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const pair = await connectRecoverable(app);
  pair.socket.join(["a", "b"]);
  const { id } = pair.socket;
  const seen = [];
  pair.client.on("missed", (value) => seen.push(Buffer.isBuffer(value) ? value[0] : value));
  const again = await loseConnection(app, pair, () => {
    for (let i = 0; i < 40; i += 5) {
      app.io.emit("missed", i);
      app.io.to(["a", "b"]).emit("missed", i + 1);
      app.io.to(id).emit("missed", Buffer.from([i + 2]));
      app.io
        .to("a")
        .except("c")
        .emit("missed", i + 3);
      pair.socket.to("b").emit("missed", "not to itself");
      app.io
        .of("/")
        .to("b")
        .compress(false)
        .emit("missed", i + 4);
    }
  });
  again.emit("missed", 40);
  app.io.emit("missed", 41);
  await until(() => seen.length === 42, "all have arrived");
  assert.deepEqual(
    seen,
    Array.from({ length: 42 }, (_, i) => i),
  );
});

eachTransport("what need not be kept is not kept", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const pair = await connectRecoverable(app);
  const { client, socket } = pair;
  const { id } = socket;
  socket.join("mine");
  const { packets } = app.io.sockets.adapter;
  const before = packets.length;
  const seen = [];
  client.onAny((event, value) => seen.push(value));
  const again = await loseConnection(app, pair, () => {
    app.io.volatile.emit("missed", "volatile");
    app.io.to("mine").volatile.emit("missed", "volatile to a room");
    app.io.timeout(1).emit("missed", "with an ack", () => {});
    app.io.except("mine").emit("missed", "excepted by room");
    app.io.except(id).emit("missed", "excepted by id");
    app.io.of("/other").emit("missed", "to another namespace");
    assert.equal(packets.length, before + 2);
    app.io.emit("missed", "kept");
  });
  again.emit("missed", "last");
  await until(() => seen.includes("last"), "the last has arrived");
  assert.deepEqual(seen, ["kept", "last"]);
});

test("a kept event ends with its offset, which the client takes off", async (t) => {
  const app = await serve(t, { options: OPTIONS });
  const { client, socket } = await connectRecoverable(app);
  const outgoing = [];
  socket.onAnyOutgoing((...args) => outgoing.push(args));
  const received = collect(client, "event", 2);
  socket.emit("event", 1);
  app.io.emit("event", 2);
  await received;
  const { packets } = app.io.sockets.adapter;
  assert.deepEqual(
    outgoing.map((args) => args.slice(0, -1)),
    [
      ["event", 1],
      ["event", 2],
    ],
  );
  const offsets = packets.map(({ id }) => id);
  assert.deepEqual(
    outgoing.map((args) => args.at(-1)),
    offsets.slice(-2),
  );
  assert.ok(offsets.every((offset) => typeof offset === "string" && offset.length > 0));
  assert.equal(new Set(offsets).size, offsets.length);
  const { id, data, opts, emittedAt } = packets.at(-2);
  assert.deepEqual(data, ["event", 1, id]);
  assert.deepEqual([...opts.rooms], [socket.id]);
  assert.equal(typeof emittedAt, "number");
});

eachTransport("a recovered socket is in its rooms for broadcasts", async (t, transport) => {
  const app = await serve(t, { transport, options: OPTIONS });
  const pair = await connectRecoverable(app);
  const { socket: other } = await app.connect();
  pair.socket.join("room");
  other.join("room");
  const again = await loseConnection(app, pair);
  const seen = [];
  pair.client.on("event", (value) => seen.push(value));
  app.io.emit("event", "all");
  app.io.to("room").emit("event", "room");
  app.io.to(again.id).emit("event", "id");
  again.to("room").emit("event", "others");
  app.io.except("room").emit("event", "not the room");
  again.leave("room");
  app.io.to("room").emit("event", "left");
  again.emit("event", "last");
  await until(() => seen.includes("last"), "the last has arrived");
  assert.deepEqual(seen, ["all", "room", "id", "last"]);
  const { adapter } = app.io.sockets;
  assert.deepEqual([adapter.sids.size, adapter.rooms.size], [2, 3]);
});

test("a session that is too old is not recovered", async (t) => {
  const options = { connectionStateRecovery: { maxDisconnectionDuration: 1_000 } };
  const app = await serve(t, { options });
  const pair = await connectRecoverable(app);
  const { adapter } = app.io.sockets;
  const again = await loseConnection(app, pair, () => {
    const [session] = adapter.sessions.values();
    assert.deepEqual(session.rooms, [pair.socket.id]);
    session.disconnectedAt -= 2_000;
  });
  assert.equal(again.recovered, false);
  assert.equal(pair.client.recovered, false);
  assert.notEqual(again.id, pair.socket.id);
  assert.equal(adapter.sessions.size, 0);
});

test("the offset has to be a known one", async (t) => {
  const app = await serve(t, { options: OPTIONS });
  const pair = await connectRecoverable(app);
  const again = await loseConnection(app, pair, () => {
    app.io.sockets.adapter.packets.length = 0;
  });
  assert.equal(again.recovered, false);
});

test("a client that the server has disconnected is not recovered", async (t) => {
  const app = await serve(t, { options: OPTIONS });
  const { client } = await connectRecoverable(app);
  const left = next(client, "disconnect");
  app.io.disconnectSockets(true);
  await left;
  assert.equal(app.io.sockets.adapter.sessions.size, 0);
  const back = next(app.io, "connection");
  client.connect();
  const [again] = await back;
  assert.equal(again.recovered, false);
});

test("namespaces recover each for itself", async (t) => {
  const app = await serve(t, { options: OPTIONS });
  app.io.of("/other");
  const main = await connectRecoverable(app);
  const other = await app.share(main.client, "/other");
  app.clients.push(other.client);
  const first = next(other.client, "first");
  other.socket.emit("first");
  await first;
  const seen = [];
  main.client.on("missed", (value) => seen.push(value));
  other.client.on("missed", (value) => seen.push(value));
  const backThere = next(app.io.of("/other"), "connection");
  const again = await loseConnection(app, main, () => {
    setImmediate(() => {
      app.io.emit("missed", "main");
      app.io.of("/other").emit("missed", "other");
    });
  });
  const [there] = await backThere;
  assert.deepEqual([again.recovered, there.recovered], [true, true]);
  await until(() => seen.length === 2, "both have arrived");
  assert.deepEqual(seen.sort(), ["main", "other"]);
});

test("on the wire the missed events come before the CONNECT packet", async (t) => {
  const app = await serve(t, { options: OPTIONS });
  const url = `${app.url}/socket.io/?EIO=4&transport=websocket`;
  const first = await openWebSocket(t, url);
  first.webSocket.send("40");
  const [socket] = await next(app.io, "connection");
  socket.emit("event", 1);
  await until(() => first.messages.length === 3, "the event has arrived");
  const { sid, pid } = JSON.parse(first.messages[1].slice(2));
  assert.equal(pid, socket.pid);
  const offset = JSON.parse(first.messages[2].slice(2)).at(-1);
  const gone = next(socket, "disconnect");
  first.webSocket.terminate();
  await gone;
  app.io.emit("missed", 2);
  app.io.emit("missed", Buffer.from([3]));

  const second = await openWebSocket(t, url);
  second.webSocket.send(`40${JSON.stringify({ pid, offset, token: "t" })}`);
  const [again] = await next(app.io, "connection");
  assert.deepEqual(again.handshake.auth, { pid, offset, token: "t" });
  await until(() => second.messages.length === 5, "all have arrived");
  const [, missed, header, attachment, connect] = second.messages;
  assert.match(missed, /^42\["missed",2,"[^"]+"\]$/);
  assert.match(header, /^451-\["missed",\{"_placeholder":true,"num":0\},"[^"]+"\]$/);
  assert.deepEqual(attachment, Buffer.from([3]));
  assert.equal(connect, `40${JSON.stringify({ sid, pid })}`);
});

for (const auth of [{ pid: "unknown", offset: "x" }, { pid: 1, offset: 2 }, { pid: "p" }, {}]) {
  test(`a client that brings ${JSON.stringify(auth)} is a new one`, async (t) => {
    const app = await serve(t, { options: OPTIONS });
    const { socket, client } = await app.connect("/", { auth });
    assert.equal(socket.recovered, false);
    assert.equal(client.recovered, false);
    assert.deepEqual(socket.handshake.auth, auth);
  });
}

test("an event for a socket that is still in the middleware is lost", async (t) => {
  const app = await serve(t, { options: OPTIONS });
  app.io.use((socket, done) => {
    socket.emit("event", "early");
    done();
  });
  app.io.on("connection", (socket) => socket.emit("event", "on time"));
  const client = app.open();
  assert.equal((await next(client, "event"))[0], "on time");
});

for (const [reason, kept] of [
  ["transport error", 1],
  ["transport close", 1],
  ["forced close", 1],
  ["ping timeout", 1],
  ["server shutting down", 1],
  ["forced server close", 1],
  ["parse error", 0],
  ["client namespace disconnect", 0],
  ["server namespace disconnect", 0],
]) {
  test(`a session is ${kept ? "kept" : "dropped"} after "${reason}"`, async (t) => {
    const app = await serve(t, { options: OPTIONS });
    const { socket } = await app.connect();
    socket._onclose(reason);
    assert.equal(app.io.sockets.adapter.sessions.size, kept);
  });
}

test("an adapter may keep the sessions, and what was missed, by itself", async (t) => {
  const kept = new Map();
  const asked = [];
  class Keeping extends Adapter {
    persistSession(session) {
      kept.set(session.pid, session);
    }

    async restoreSession(pid, offset) {
      asked.push([pid, offset]);
      const session = kept.get(pid);
      return session && { ...session, missedPackets: [["missed", 1]] };
    }
  }
  const app = await serve(t, { options: { ...OPTIONS, adapter: Keeping } });
  const url = `${app.url}/socket.io/?EIO=4&transport=websocket`;
  const first = await openWebSocket(t, url);
  first.webSocket.send("40");
  const [socket] = await next(app.io, "connection");
  socket.join("room");
  socket.data.name = "ann";
  const gone = next(socket, "disconnect");
  first.webSocket.terminate();
  await gone;
  const { id: sid, pid } = socket;
  assert.deepEqual([...kept.values()], [{ sid, pid, rooms: [sid, "room"], data: { name: "ann" } }]);

  const second = await openWebSocket(t, url);
  second.webSocket.send(`40${JSON.stringify({ pid, offset: "offset" })}`);
  const [again] = await next(app.io, "connection");
  assert.deepEqual(asked, [[pid, "offset"]]);
  assert.equal(again.recovered, true);
  assert.deepEqual([again.id, again.pid, again.data], [sid, pid, { name: "ann" }]);
  assert.deepEqual([...again.rooms].sort(), [sid, "room"].sort());
  await until(() => second.messages.length === 3, "all have arrived");
  assert.deepEqual(second.messages.slice(1), [
    '42["missed",1]',
    `40${JSON.stringify({ sid, pid })}`,
  ]);
});
