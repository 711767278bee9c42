"use strict";

// The adapter's Maps are the truth: whoever replaces the adapter or changes its Maps by hand is
// obeyed at once. Rooms may have any value as their name.

const assert = require("node:assert/strict");
const { Adapter } = require("socket.io-adapter");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { next, settle } = require("../support/events");

/** Who of the clients has heard "event" when everything sent so far has arrived. */
async function whoHears(pairs, act) {
  const heard = [];
  const listeners = pairs.map((pair, index) => {
    const listener = () => heard.push(index);
    pair.client.on("event", listener);
    return listener;
  });
  act();
  for (const { client, socket } of pairs) {
    await settle(client, socket);
  }
  pairs.forEach(({ client }, index) => client.off("event", listeners[index]));
  return heard.sort();
}

class Counting extends Adapter {
  constructor(nsp) {
    super(nsp);
    this.broadcasts = 0;
  }

  broadcast(packet, opts) {
    this.broadcasts++;
    super.broadcast(packet, opts);
  }
}

test("an adapter that is set before anybody connects is used by all namespaces", async (t) => {
  const app = await serve(t);
  const other = app.io.of("/other");
  const before = [app.io.sockets.adapter, other.adapter];
  assert.equal(app.io.adapter(Counting), app.io);
  assert.equal(app.io.adapter(), Counting);
  const after = [app.io.sockets.adapter, other.adapter];
  assert.ok(after.every((adapter) => adapter instanceof Counting && !before.includes(adapter)));
  const pairs = await app.connectAll(2);
  assert.equal(pairs[0].socket.adapter, app.io.sockets.adapter);
  pairs[0].socket.join("room");
  assert.deepEqual(await whoHears(pairs, () => app.io.to("room").emit("event")), [0]);
  assert.deepEqual(await whoHears(pairs, () => app.io.emit("event")), [0, 1]);
  assert.equal(app.io.sockets.adapter.broadcasts, 2);
});

test("the default adapter can be set again by its class", async (t) => {
  const app = await serve(t);
  const DefaultAdapter = app.io.adapter();
  app.io.adapter(Counting);
  app.io.adapter(DefaultAdapter);
  const pairs = await app.connectAll(2);
  pairs[1].socket.join("room");
  assert.deepEqual(await whoHears(pairs, () => app.io.to("room").emit("event")), [1]);
});

for (const [kind, classOf] of [
  ["another class", () => Counting],
  ["the same class", (io) => io.adapter()],
]) {
  eachTransport(`sockets keep an adapter that is replaced by ${kind}`, async (t, transport) => {
    const app = await serve(t, { transport });
    const old = await app.connect();
    old.socket.join("room");
    const { adapter } = app.io.sockets;
    app.io.adapter(classOf(app.io));
    assert.notEqual(app.io.sockets.adapter, adapter);
    assert.equal(old.socket.adapter, adapter);
    assert.equal(app.io.sockets.adapter.sids.size, 0);

    // The new adapter knows nobody, so nobody hears.
    assert.deepEqual(await whoHears([old], () => app.io.emit("event")), []);
    assert.deepEqual(await whoHears([old], () => app.io.to("room").emit("event")), []);

    const late = await app.connect();
    late.socket.join("room");
    assert.equal(late.socket.adapter, app.io.sockets.adapter);
    const both = [old, late];
    assert.deepEqual(await whoHears(both, () => app.io.emit("event")), [1]);
    assert.deepEqual(await whoHears(both, () => app.io.to("room").emit("event")), [1]);
    assert.deepEqual(await whoHears(both, () => late.socket.in("room").emit("event")), []);
    assert.deepEqual(await whoHears(both, () => adapter.nsp.to(late.socket.id).emit("event")), [1]);
    // Sockets broadcast with their own adapter.
    const third = await app.connect();
    const all = [...both, third];
    assert.deepEqual(await whoHears(all, () => third.socket.broadcast.emit("event")), [1]);
    assert.deepEqual(await whoHears(both, () => old.socket.broadcast.emit("event")), []);
    old.socket.leave("room");
    assert.equal(adapter.rooms.has("room"), false);
    assert.equal(app.io.sockets.adapter.rooms.has("room"), true);
  });
}

test("an adapter can be put in place by assignment", async (t) => {
  const app = await serve(t);
  const pair = await app.connect();
  const { adapter } = app.io.sockets;
  const replacement = new Counting(app.io.sockets);
  app.io.sockets.adapter = replacement;
  assert.deepEqual(await whoHears([pair], () => app.io.emit("event")), []);
  assert.equal(replacement.broadcasts, 1);
  app.io.sockets.adapter = adapter;
  assert.deepEqual(await whoHears([pair], () => app.io.emit("event")), [0]);
});

eachTransport("rooms that are changed by hand count at once", async (t, transport) => {
  const app = await serve(t, { transport });
  const pairs = await app.connectAll(3);
  const [a, b, c] = pairs.map(({ socket }) => socket);
  const { rooms } = app.io.sockets.adapter;
  const toRoom = () => whoHears(pairs, () => app.io.to("room").emit("event"));
  [a, b].forEach((socket) => socket.join("room"));
  assert.deepEqual(await toRoom(), [0, 1]);
  rooms.get("room").add(c.id);
  assert.deepEqual(await toRoom(), [0, 1, 2]);
  rooms.get("room").delete(a.id);
  rooms.get("room").delete(b.id);
  assert.deepEqual(await toRoom(), [2]);
  const toOthers = () => whoHears(pairs, () => app.io.except("room").emit("event"));
  assert.deepEqual(await toOthers(), [0, 1]);
  rooms.delete("room");
  assert.deepEqual(await toRoom(), []);
  assert.deepEqual(await toOthers(), [0, 1, 2]);
  rooms.set("made", new Set([b.id]));
  assert.deepEqual(await whoHears(pairs, () => app.io.to("made").emit("event")), [1]);
});

eachTransport("ids that are changed by hand count at once", async (t, transport) => {
  const app = await serve(t, { transport });
  const pairs = await app.connectAll(3);
  const [a, b] = pairs.map(({ socket }) => socket);
  const { adapter, sockets } = app.io.sockets;
  const toAll = () => whoHears(pairs, () => app.io.emit("event"));
  const rooms = adapter.sids.get(a.id);
  adapter.sids.delete(a.id);
  assert.deepEqual(await toAll(), [1, 2]);
  adapter.sids.set(a.id, rooms);
  assert.deepEqual(await toAll(), [0, 1, 2]);
  sockets.delete(b.id);
  assert.deepEqual(await toAll(), [0, 2]);
  assert.deepEqual(await whoHears(pairs, () => app.io.to(b.id).emit("event")), []);
  sockets.set(b.id, b);
  assert.deepEqual(await toAll(), [0, 1, 2]);
});

eachTransport("a socket that has left all rooms hears only new ones", async (t, transport) => {
  const app = await serve(t, { transport });
  const pairs = await app.connectAll(2);
  const { socket } = pairs[0];
  const toAll = () => whoHears(pairs, () => app.io.emit("event"));
  socket.leaveAll();
  assert.equal(socket.rooms.size, 0);
  assert.deepEqual(await toAll(), [1]);
  assert.deepEqual(await whoHears(pairs, () => app.io.to(socket.id).emit("event")), []);
  socket.join("room");
  assert.deepEqual(await toAll(), [0, 1]);
  assert.deepEqual(await whoHears(pairs, () => app.io.to("room").emit("event")), [0]);
  socket.leave("room");
  assert.deepEqual(await toAll(), [0, 1]);
});

eachTransport("a socket outside its own room hears its broadcasts", async (t, transport) => {
  const app = await serve(t, { transport });
  const pairs = await app.connectAll(2);
  const [a, b] = pairs.map(({ socket }) => socket);
  a.leave(a.id);
  assert.deepEqual(await whoHears(pairs, () => a.broadcast.emit("event")), [0, 1]);
  b.join(a.id);
  assert.deepEqual(await whoHears(pairs, () => a.broadcast.emit("event")), [0]);
});

eachTransport("any value is a room, and no two of them are the same", async (t, transport) => {
  const app = await serve(t, { transport });
  const names = [1, "1", {}, [], Symbol("room"), "__proto__", "constructor", "toString", null, NaN];
  const pairs = await app.connectAll(names.length);
  // An array is a list of rooms, hence the list around each of them.
  pairs.forEach(({ socket }, index) => socket.join([names[index]]));
  for (const [index, room] of names.entries()) {
    assert.deepEqual(await whoHears(pairs, () => app.io.to([room]).emit("event")), [index]);
    assert.ok(pairs[index].socket.rooms.has(room));
    pairs[index].socket.leave(room);
    assert.deepEqual(await whoHears(pairs, () => app.io.to([room]).emit("event")), []);
  }
  assert.equal(app.io.sockets.adapter.rooms.size, pairs.length);
});

eachTransport("listeners for room events send to the right ones", async (t, transport) => {
  const app = await serve(t, { transport });
  const pairs = await app.connectAll(2);
  const [a, b] = pairs.map(({ socket }) => socket);
  const { adapter } = app.io.sockets;
  const tell = (room) => app.io.to(room).emit("event");
  adapter.on("join-room", tell);
  adapter.on("leave-room", tell);
  assert.deepEqual(await whoHears(pairs, () => a.join("room")), [0]);
  assert.deepEqual(await whoHears(pairs, () => b.join("room")), [0, 1]);
  assert.deepEqual(await whoHears(pairs, () => a.leave("room")), [1]);
  adapter.off("leave-room", tell);
  adapter.off("join-room", tell);

  // A listener that undoes what it hears of.
  adapter.on("join-room", (room, id) => app.io.in(id).socketsLeave(room));
  a.join(["one", "two"]);
  assert.deepEqual([...a.rooms], [a.id]);
  assert.deepEqual(await whoHears(pairs, () => tell("one")), []);
});

eachTransport("rooms that are joined before the connection count", async (t, transport) => {
  const app = await serve(t, { transport });
  const { adapter } = app.io.sockets;
  app.io.use((socket, done) => {
    adapter.addAll(socket.id, new Set(["middleware"]));
    done();
  });
  const pairs = await app.connectAll(2);
  assert.deepEqual(await whoHears(pairs, () => app.io.to("middleware").emit("event")), [0, 1]);
});

test("what a refused socket has joined is forgotten", async (t) => {
  const app = await serve(t);
  app.io.use((socket, done) => {
    socket.join(["room", "other"]);
    done(new Error("no"));
  });
  const client = app.open();
  await next(client, "connect_error");
  const { adapter } = app.io.sockets;
  assert.deepEqual([adapter.rooms.size, adapter.sids.size], [0, 0]);
});

test("a hundred thousand joins and leaves leave nothing behind", async (t) => {
  const app = await serve(t);
  const pairs = await app.connectAll(2);
  const { adapter } = app.io.sockets;
  const { socket } = pairs[0];
  for (let i = 0; i < 100_000; i++) {
    socket.join(`room ${i}`);
    socket.leave(`room ${i}`);
  }
  assert.equal(adapter.rooms.size, 2);
  assert.equal(socket.rooms.size, 1);
  socket.join("room");
  assert.deepEqual(await whoHears(pairs, () => app.io.to("room").emit("event")), [0]);
});
