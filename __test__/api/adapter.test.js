"use strict";

// The in-memory adapter as applications see it: its maps and its room events.

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const { Adapter, ClusterAdapter } = require("socket.io-adapter");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { next, until } = require("../support/events");

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

test("an adapter may be a function that returns one, and is called with new", async (t) => {
  const made = [];
  function makeAdapter(nsp) {
    made.push([new.target === makeAdapter, nsp.name]);
    return new Adapter(nsp);
  }
  const app = await serve(t, { options: { adapter: makeAdapter } });
  assert.deepEqual(made, [[true, "/"]]);
  const { client, socket } = await app.connect();
  assert.ok(socket.adapter instanceof Adapter);
  const heard = next(client, "event");
  app.io.emit("event", 1);
  assert.deepEqual(await heard, [1]);
  assert.throws(() => app.io.adapter((nsp) => new Adapter(nsp)), TypeError);
});

test("init() of an adapter is called once it is made, and may fail", async (t) => {
  const calls = [];
  class Starting extends Adapter {
    constructor(nsp) {
      super(nsp);
      calls.push(`made for ${nsp.name}`);
    }

    async init() {
      calls.push(`init for ${this.nsp.name}`);
      throw new Error("logged, and no more");
    }
  }
  const app = await serve(t, { options: { adapter: Starting } });
  assert.deepEqual(calls, ["made for /", "init for /"]);
  app.io.of("/other");
  assert.deepEqual(calls.slice(2), ["made for /other", "init for /other"]);
  const { client } = await app.connect("/other");
  assert.equal(client.connected, true);
});

test("an id stays known when its last room is left, until it is forgotten", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  const { adapter } = app.io.sockets;
  socket.leave(socket.id);
  assert.deepEqual(adapter.sids.get(socket.id), new Set());
  assert.equal(adapter.rooms.size, 0);
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
  assert.equal(adapter.sids.has(socket.id), false);
});

test("apply goes through rooms in order, and through each socket once", async (t) => {
  const app = await serve(t);
  const [{ socket: a }, { socket: b }, { socket: c }] = await app.connectAll(3);
  const { adapter } = app.io.sockets;
  b.join("second");
  a.join("second");
  a.join("first");
  c.join("first");
  // Known to the adapter, not to the namespace.
  adapter.addAll("nobody", new Set(["first", "second"]));
  const applied = (rooms, except = []) => {
    const ids = [];
    const opts = { rooms: new Set(rooms), except: new Set(except), flags: {} };
    adapter.apply(opts, ({ id }) => ids.push(id));
    return ids;
  };
  assert.deepEqual(applied(["first", "second"]), [a.id, c.id, b.id]);
  assert.deepEqual(applied(["second", "first"]), [b.id, a.id, c.id]);
  assert.deepEqual(applied([]), [a.id, b.id, c.id]);
  assert.deepEqual(applied([], ["first"]), [b.id]);
});

test("broadcastWithAck uses one id for all and counts the clients at once", async (t) => {
  const app = await serve(t);
  const pairs = await app.connectAll(2);
  const nsp = app.io.sockets;
  pairs.forEach(({ client }, i) => client.on("question", (answer) => answer(i)));
  nsp._ids = 41;
  const counts = [];
  const answers = [];
  nsp.adapter.broadcastWithAck(
    { type: 2, data: ["question"] },
    { rooms: new Set(), except: new Set(), flags: {} },
    (count) => counts.push(count),
    (answer) => answers.push(answer),
  );
  assert.deepEqual(counts, [2]);
  assert.equal(nsp._ids, 42);
  assert.ok(pairs.every(({ socket }) => socket.acks.has(41)));
  await until(() => answers.length === 2, "both have answered");
  assert.deepEqual(answers.sort(), [0, 1]);
  assert.ok(pairs.every(({ socket }) => !socket.acks.has(41)));
});

test("adapters are given the rooms and the flags that were set, and no others", async (t) => {
  const seen = [];
  class Recording extends Adapter {
    broadcast(packet, { rooms, except, flags }) {
      seen.push([[...rooms], [...except], { ...flags }, { ...packet }]);
    }
  }
  const { io } = await serve(t, { options: { adapter: Recording } });
  io.emit("event");
  io.to("a").volatile.compress(false).local.timeout(5).except("b").emit("event", 1);
  const flags = { volatile: true, compress: false, local: true, timeout: 5 };
  assert.deepEqual(seen, [
    [[], [], {}, { type: 2, data: ["event"] }],
    [["a"], ["b"], flags, { type: 2, data: ["event", 1] }],
  ]);
});

/** What joins the servers of a process: each hears what the others publish. */
class BusAdapter extends ClusterAdapter {
  static bus = new EventEmitter();

  constructor(nsp) {
    super(nsp);
    BusAdapter.bus.on("message", (message) => this.onMessage(message));
    BusAdapter.bus.on("response", (uid, response) => uid === this.uid && this.onResponse(response));
  }

  async doPublish(message) {
    BusAdapter.bus.emit("message", message);
    return "";
  }

  async doPublishResponse(uid, response) {
    BusAdapter.bus.emit("response", uid, response);
  }

  async serverCount() {
    return 2;
  }
}

eachTransport("adapters on top of ClusterAdapter join servers", async (t, transport) => {
  const setup = { transport, options: { adapter: BusAdapter } };
  const [one, two] = [await serve(t, setup), await serve(t, setup)];
  t.after(() => BusAdapter.bus.removeAllListeners());
  const near = await one.connect();
  const far = await two.connect();
  far.socket.join("room");
  far.socket.data.name = "far";
  const heard = next(far.client, "event");
  one.io.to("room").emit("event", Buffer.from([1]));
  assert.deepEqual(await heard, [Buffer.from([1])]);
  near.client.on("question", (answer) => answer("near"));
  far.client.on("question", (answer) => answer("far"));
  const answers = await one.io.timeout(10_000).emitWithAck("question");
  assert.deepEqual(answers.sort(), ["far", "near"]);
  const found = (await one.io.fetchSockets()).find(({ id }) => id === far.socket.id);
  assert.equal(found.constructor.name, "RemoteSocket");
  assert.deepEqual(found.data, { name: "far" });
  two.io.on("sum", (a, b, answer) => answer(a + b));
  assert.deepEqual(await one.io.serverSideEmitWithAck("sum", 1, 2), [3]);
  one.io.in("room").socketsLeave("room");
  await until(() => !far.socket.rooms.has("room"), "the room is left");
});
