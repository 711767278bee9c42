"use strict";

// The in-memory adapter as applications see it: its maps and its room events.

const assert = require("node:assert/strict");
const { Adapter } = require("socket.io-adapter");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { next } = require("../support/events");

/** A plain copy of a map of sets. */
const copy = (map) => Object.fromEntries([...map].map(([key, set]) => [key, [...set]]));

eachTransport("rooms and sids follow join and leave at once", async (t, transport) => {
  const app = await serve(t, { transport });
  const [{ socket: a }, { socket: b }] = await app.connectAll(2);
  const { adapter } = app.io.sockets;
  assert.ok(adapter.rooms instanceof Map);
  assert.ok(adapter.sids instanceof Map);
  assert.deepEqual(copy(adapter.rooms), { [a.id]: [a.id], [b.id]: [b.id] });

  a.join("room");
  assert.deepEqual([...adapter.rooms.get("room")], [a.id]);
  b.join(["room", "other"]);
  assert.deepEqual([...adapter.rooms.get("room")], [a.id, b.id]);
  assert.deepEqual([...adapter.sids.get(b.id)], [b.id, "room", "other"]);
  assert.equal(adapter.rooms.get("room").size, 2);

  b.leave("other");
  assert.equal(adapter.rooms.has("other"), false);
  a.leave("room");
  assert.deepEqual([...adapter.rooms.get("room")], [b.id]);
  assert.deepEqual(copy(adapter.sids), { [a.id]: [a.id], [b.id]: [b.id, "room"] });
});

eachTransport("nothing is left of clients that have left", async (t, transport) => {
  const app = await serve(t, { transport });
  const all = await app.connectAll(3);
  const { adapter } = app.io.sockets;
  app.io.socketsJoin(["one", "two"]);
  assert.equal(adapter.rooms.size, 5);
  for (const { client, socket } of all) {
    const left = next(socket, "disconnect");
    client.disconnect();
    await left;
  }
  assert.equal(adapter.rooms.size, 0);
  assert.equal(adapter.sids.size, 0);
  assert.equal(app.io.sockets.sockets.size, 0);
});

eachTransport("the room events tell what happens in order", async (t, transport) => {
  const app = await serve(t, { transport });
  const { adapter } = app.io.sockets;
  const events = [];
  adapter.on("create-room", (room) => events.push(`create ${room}`));
  adapter.on("join-room", (room, id) => events.push(`join ${room} ${id}`));
  adapter.on("leave-room", (room, id) => events.push(`leave ${room} ${id}`));
  adapter.on("delete-room", (room) => events.push(`delete ${room}`));
  const take = () => events.splice(0);

  const { client, socket: a } = await app.connect();
  assert.deepEqual(take(), [`create ${a.id}`, `join ${a.id} ${a.id}`]);
  const { socket: b } = await app.connect();
  take();
  a.join("room");
  assert.deepEqual(take(), ["create room", `join room ${a.id}`]);
  b.join("room");
  b.join("room");
  assert.deepEqual(take(), [`join room ${b.id}`]);
  b.leave("room");
  b.leave("room");
  assert.deepEqual(take(), [`leave room ${b.id}`]);
  const left = next(a, "disconnect");
  client.disconnect();
  await left;
  assert.deepEqual(take(), [
    ...[`leave ${a.id} ${a.id}`, `delete ${a.id}`],
    ...[`leave room ${a.id}`, "delete room"],
  ]);
});

test("every namespace has its own adapter", async (t) => {
  const app = await serve(t);
  const other = app.io.of("/other");
  assert.notEqual(other.adapter, app.io.sockets.adapter);
  assert.ok(other.adapter instanceof Adapter);
  assert.ok(other.adapter.nsp === other);
  const { socket } = await app.connect("/other");
  assert.ok(socket.adapter === other.adapter);
});

test("the adapter tells which sockets are in a room", async (t) => {
  const app = await serve(t);
  const [{ socket: a }, { socket: b }] = await app.connectAll(2);
  const { adapter } = app.io.sockets;
  a.join("room");
  assert.deepEqual([...(await adapter.sockets(new Set(["room"])))], [a.id]);
  assert.deepEqual([...(await adapter.sockets(new Set()))], [a.id, b.id]);
  assert.deepEqual([...adapter.socketRooms(a.id)], [a.id, "room"]);
  assert.equal(adapter.socketRooms("nobody"), undefined);
  assert.equal(await adapter.serverCount(), 1);
});

test("a custom adapter sees joins and broadcasts", async (t) => {
  const calls = [];
  class Recording extends Adapter {
    addAll(id, rooms) {
      calls.push(["addAll", ...rooms]);
      return super.addAll(id, rooms);
    }

    broadcast(packet, options) {
      calls.push(["broadcast", ...packet.data, [...options.rooms]]);
      return super.broadcast(packet, options);
    }
  }
  const app = await serve(t, { options: { adapter: Recording } });
  const { client, socket } = await app.connect();
  const heard = next(client, "event");
  socket.join("room");
  app.io.to("room").emit("event", 1);
  assert.deepEqual(await heard, [1]);
  assert.deepEqual(calls, [
    ["addAll", socket.id],
    ["addAll", "room"],
    ["broadcast", "event", 1, ["room"]],
  ]);
});

test("rooms changed through the adapter are heard by broadcasts", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  const { adapter } = app.io.sockets;
  adapter.addAll(socket.id, new Set(["room"]));
  assert.equal(socket.rooms.has("room"), true);
  const heard = next(client, "event");
  app.io.to("room").emit("event");
  await heard;
  adapter.del(socket.id, "room");
  assert.equal(socket.rooms.has("room"), false);
});
