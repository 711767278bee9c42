"use strict";

// Rooms and broadcasts: who is in, and who hears what.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { next, settle } = require("../support/events");

/**
 * Connects clients by name, runs `act`, and returns who heard "event" with which value.
 */
async function whoHears(app, names, act) {
  const pairs = {};
  const heard = [];
  for (const name of names) {
    pairs[name] = await app.connect();
    pairs[name].client.on("event", (value) => heard.push(value ? `${name}:${value}` : name));
  }
  const sockets = Object.fromEntries(names.map((name) => [name, pairs[name].socket]));
  await act(sockets, pairs);
  for (const { client, socket } of Object.values(pairs)) {
    if (client.connected) {
      await settle(client, socket);
    }
  }
  return heard.sort();
}

eachTransport("io.emit reaches everybody", async (t, transport) => {
  const app = await serve(t, { transport });
  const heard = await whoHears(app, ["a", "b", "c"], () => app.io.emit("event"));
  assert.deepEqual(heard, ["a", "b", "c"]);
});

eachTransport("io.to(room) reaches those who joined", async (t, transport) => {
  const app = await serve(t, { transport });
  const heard = await whoHears(app, ["a", "b", "c"], ({ a, b }) => {
    a.join("room");
    b.join("room");
    app.io.to("room").emit("event", 1);
    b.leave("room");
    app.io.in("room").emit("event", 2);
    app.io.to("nobody").emit("event", 3);
  });
  assert.deepEqual(heard, ["a:1", "a:2", "b:1"]);
});

eachTransport("a socket in several rooms hears a broadcast once", async (t, transport) => {
  const app = await serve(t, { transport });
  const heard = await whoHears(app, ["a", "b", "c"], ({ a, b }) => {
    a.join(["one", "two", "three"]);
    b.join("two");
    app.io.to("one").to("two").in("three").emit("event", 1);
    app.io.to(["one", "two"]).emit("event", 2);
  });
  assert.deepEqual(heard, ["a:1", "a:2", "b:1", "b:2"]);
});

eachTransport("except leaves rooms out", async (t, transport) => {
  const app = await serve(t, { transport });
  const heard = await whoHears(app, ["a", "b", "c", "d"], ({ a, b, c }) => {
    a.join(["room", "quiet"]);
    b.join("room");
    c.join("silent");
    app.io.except("quiet").emit("event", 1);
    app.io.to("room").except("quiet").emit("event", 2);
    app.io.except(["quiet", "silent"]).emit("event", 3);
    app.io.except("quiet").except("silent").except("nobody").emit("event", 4);
    app.io.to("room").except("room").emit("event", 5);
  });
  assert.deepEqual(heard, ["b:1", "b:2", "b:3", "b:4", "c:1", "d:1", "d:3", "d:4"]);
});

eachTransport("socket.broadcast leaves the socket itself out", async (t, transport) => {
  const app = await serve(t, { transport });
  const heard = await whoHears(app, ["a", "b", "c"], ({ a }) => a.broadcast.emit("event"));
  assert.deepEqual(heard, ["b", "c"]);
});

eachTransport("socket.to(room) leaves the socket itself out", async (t, transport) => {
  const app = await serve(t, { transport });
  const heard = await whoHears(app, ["a", "b", "c", "d"], ({ a, b, c }) => {
    a.join("room");
    b.join("room");
    c.join("other");
    a.to("room").emit("event", 1);
    a.to("room").to("other").emit("event", 2);
    a.in(["room", "other"]).except("other").emit("event", 3);
    a.except("room").emit("event", 4);
    a.broadcast.to("other").emit("event", 5);
  });
  assert.deepEqual(heard, ["b:1", "b:2", "b:3", "c:2", "c:4", "c:5", "d:4"]);
});

eachTransport("a socket is reached by its own id", async (t, transport) => {
  const app = await serve(t, { transport });
  const heard = await whoHears(app, ["a", "b"], ({ a, b }) => {
    app.io.to(a.id).emit("event", "from io");
    b.to(a.id).emit("event", "from b");
  });
  assert.deepEqual(heard, ["a:from b", "a:from io"]);
});

test("the room of the own id decides who is left out of a broadcast", async (t) => {
  const app = await serve(t);
  const heard = await whoHears(app, ["a", "b", "c"], ({ a, b }) => {
    // A socket that left the room of its own id hears itself; who joined it does not.
    a.leave(a.id);
    b.join(a.id);
    a.broadcast.emit("event");
  });
  assert.deepEqual(heard, ["a", "c"]);
});

eachTransport("who joins hears what is emitted in the same tick", async (t, transport) => {
  const app = await serve(t, { transport });
  const heard = await whoHears(app, ["a", "b"], ({ a, b }) => {
    a.join("room");
    app.io.to("room").emit("event", 1);
    b.join("room");
    app.io.to("room").emit("event", 2);
    a.leave("room");
    app.io.to("room").emit("event", 3);
    a.join("room");
    app.io.to("room").emit("event", 4);
  });
  assert.deepEqual(heard, ["a:1", "a:2", "a:4", "b:2", "b:3", "b:4"]);
});

eachTransport("join in the connection listener is effective at once", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.on("connection", (socket) => {
    socket.join("room");
    app.io.to("room").emit("welcome", socket.id);
  });
  const client = app.open();
  assert.deepEqual(await next(client, "welcome"), [client.id]);
});

eachTransport("who has left the server is in no room", async (t, transport) => {
  const app = await serve(t, { transport });
  const heard = await whoHears(app, ["a", "b"], async ({ a, b }, pairs) => {
    a.join("room");
    b.join("room");
    const left = next(a, "disconnect");
    pairs.a.client.disconnect();
    await left;
    app.io.to("room").emit("event");
  });
  assert.deepEqual(heard, ["b"]);
});

eachTransport("rooms of namespaces are apart", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/other");
  const main = await app.connect();
  const other = await app.share(main.client, "/other");
  main.socket.join("room");
  other.socket.join("room");
  const seen = [];
  main.client.on("event", (value) => seen.push(["main", value]));
  other.client.on("event", (value) => seen.push(["other", value]));
  app.io.to("room").emit("event", 1);
  app.io.of("/other").to("room").emit("event", 2);
  await settle(main.client, main.socket);
  await settle(other.client, other.socket);
  assert.deepEqual(seen, [
    ["main", 1],
    ["other", 2],
  ]);
});

eachTransport("a broadcast reaches a hundred clients", async (t, transport) => {
  const app = await serve(t, { transport });
  const count = 100;
  const all = await Promise.all(Array.from({ length: count }, () => app.connect()));
  all.forEach(({ socket }, i) => socket.join(i % 2 ? "odd" : "even"));
  const heard = all.map(({ client }) => next(client, "parity"));
  app.io.to("odd").emit("parity", "odd");
  app.io.to("even").emit("parity", "even");
  const values = (await Promise.all(heard)).map(([value]) => value);
  assert.deepEqual(
    values,
    all.map((_, i) => (i % 2 ? "odd" : "even")),
  );
});

test("socket.rooms shows the rooms of a socket", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  assert.ok(socket.rooms instanceof Set);
  assert.deepEqual([...socket.rooms], [socket.id]);
  socket.join("one");
  socket.join(["two", "three"]);
  assert.deepEqual([...socket.rooms], [socket.id, "one", "two", "three"]);
  socket.leave("two");
  socket.leave("never joined");
  assert.deepEqual([...socket.rooms], [socket.id, "one", "three"]);
  socket.leaveAll();
  assert.equal(socket.rooms.size, 0);
});

test('any value is a room, and 1 is not the same as "1"', async (t) => {
  const app = await serve(t);
  const symbol = Symbol("room");
  const heard = await whoHears(app, ["a", "b", "c", "d"], ({ a, b, c, d }) => {
    a.join(1);
    b.join("1");
    c.join("__proto__");
    d.join(symbol);
    app.io.to(1).emit("event", "number");
    app.io.to("1").emit("event", "string");
    app.io.to("__proto__").emit("event", "proto");
    app.io.to(symbol).emit("event", "symbol");
    app.io.to("constructor").emit("event", "nobody");
  });
  assert.deepEqual(heard, ["a:number", "b:string", "c:proto", "d:symbol"]);
});

test("an operator can be kept and used again", async (t) => {
  const app = await serve(t);
  const heard = await whoHears(app, ["a", "b"], ({ a, b }) => {
    const room = app.io.to("room");
    const both = room.to("other");
    a.join("room");
    b.join("other");
    room.emit("event", 1);
    both.emit("event", 2);
    room.emit("event", 3);
  });
  assert.deepEqual(heard, ["a:1", "a:2", "a:3", "b:2"]);
});

test("flags of an operator do not change who hears it", async (t) => {
  const app = await serve(t);
  const heard = await whoHears(app, ["a", "b"], ({ a, b }) => {
    a.join("room");
    app.io.local.compress(false).to("room").emit("event", 1);
    b.local.emit("event", 2);
    b.compress(true).broadcast.emit("event", 3);
    app.io.compress(true).except("room").local.emit("event", 4);
  });
  assert.deepEqual(heard, ["a:1", "a:2", "a:3", "b:4"]);
});

test("the same event to several rooms is encoded even when nobody is there", async (t) => {
  const app = await serve(t);
  let written = 0;
  app.io.to("nobody").emit("event", { toJSON: () => ++written });
  assert.ok(written > 0);
});

test("join, leave and leaveAll return what the adapter does", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  assert.equal(socket.join("room"), undefined);
  assert.equal(socket.leave("room"), undefined);
  const { adapter } = socket;
  const { addAll, del } = adapter;
  adapter.addAll = async (...args) => addAll.apply(adapter, args);
  adapter.del = async (...args) => del.apply(adapter, args);
  for (const result of [socket.join(["a", "b"]), socket.leave("a")]) {
    assert.ok(result instanceof Promise);
    await result;
  }
  assert.deepEqual([...socket.rooms], [socket.id, "b"]);
  assert.equal(socket.leaveAll(), undefined);
  assert.equal(socket.rooms.size, 0);
});
