"use strict";

// Acting on many sockets at once: fetchSockets, socketsJoin, socketsLeave,
// disconnectSockets and allSockets.

const assert = require("node:assert/strict");
const { Adapter } = require("socket.io-adapter");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { next } = require("../support/events");

const ids = (sockets) => sockets.map(({ id }) => id);

eachTransport("fetchSockets gives the sockets of the selection", async (t, transport) => {
  const app = await serve(t, { transport });
  const [{ socket: a }, { socket: b }, { socket: c }] = await app.connectAll(3);
  a.join("room");
  b.join(["room", "other"]);
  assert.deepEqual(ids(await app.io.fetchSockets()), [a.id, b.id, c.id]);
  assert.deepEqual(ids(await app.io.in("room").fetchSockets()), [a.id, b.id]);
  assert.deepEqual(ids(await app.io.in("room").except("other").fetchSockets()), [a.id]);
  assert.deepEqual(ids(await app.io.in("nobody").fetchSockets()), []);
  assert.deepEqual(ids(await a.broadcast.fetchSockets()), [b.id, c.id]);
  assert.deepEqual(ids(await app.io.of("/").fetchSockets()), [a.id, b.id, c.id]);
});

eachTransport("a fetched socket shows its state and can be used", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect("/", { auth: { token: "t" } });
  socket.data.name = "ann";
  socket.join("room");
  const [fetched] = await app.io.in("room").fetchSockets();
  assert.equal(fetched.id, socket.id);
  assert.deepEqual(fetched.data, { name: "ann" });
  assert.deepEqual([...fetched.rooms], [socket.id, "room"]);
  assert.deepEqual(fetched.handshake.auth, { token: "t" });
  const heard = next(client, "event");
  fetched.emit("event", 1);
  assert.deepEqual(await heard, [1]);
  fetched.join("more");
  assert.equal(socket.rooms.has("more"), true);
  fetched.leave("room");
  assert.equal(socket.rooms.has("room"), false);
  const left = next(client, "disconnect");
  fetched.disconnect(true);
  assert.equal((await left)[0], "io server disconnect");
});

eachTransport("socketsJoin and socketsLeave act at once", async (t, transport) => {
  const app = await serve(t, { transport });
  const all = await app.connectAll(3);
  const [a, b, c] = all.map(({ socket }) => socket);
  const { rooms } = app.io.sockets.adapter;
  const members = (room) => [...(rooms.get(room) ?? [])];
  app.io.socketsJoin("all");
  assert.deepEqual(members("all"), [a.id, b.id, c.id]);
  app.io.in([a.id, b.id]).socketsJoin(["one", "two"]);
  assert.deepEqual(members("one"), [a.id, b.id]);
  assert.deepEqual(members("two"), [a.id, b.id]);
  a.broadcast.socketsLeave("one");
  assert.deepEqual(members("one"), [a.id]);
  app.io.except("one").socketsLeave(["two", "all"]);
  assert.deepEqual(members("two"), [a.id]);
  assert.deepEqual(members("all"), [a.id]);
  const heard = next(all[0].client, "event");
  app.io.to("all").emit("event");
  await heard;
});

eachTransport("disconnectSockets ends the selection", async (t, transport) => {
  const app = await serve(t, { transport });
  const [a, b, c] = await app.connectAll(3);
  a.socket.join("out");
  b.socket.join("out");
  const gone = [a, b].map(({ client }) => next(client, "disconnect"));
  app.io.in("out").disconnectSockets();
  const reasons = (await Promise.all(gone)).map(([reason]) => reason);
  assert.deepEqual(reasons, ["io server disconnect", "io server disconnect"]);
  assert.deepEqual([...app.io.sockets.sockets.keys()], [c.socket.id]);
});

eachTransport("disconnectSockets(true) closes the connections", async (t, transport) => {
  const app = await serve(t, { transport });
  const all = await app.connectAll(2);
  const closed = all.map(({ socket }) => next(socket.conn, "close"));
  app.io.disconnectSockets(true);
  await Promise.all(closed);
  assert.equal(app.io.engine.clientsCount, 0);
});

eachTransport("a socket can disconnect all the others", async (t, transport) => {
  const app = await serve(t, { transport });
  const [a, b, c] = await app.connectAll(3);
  const gone = [b, c].map(({ client }) => next(client, "disconnect"));
  a.socket.broadcast.disconnectSockets();
  await Promise.all(gone);
  assert.deepEqual([...app.io.sockets.sockets.keys()], [a.socket.id]);
});

test("allSockets gives the ids of the selection", async (t) => {
  const app = await serve(t);
  const [{ socket: a }, { socket: b }] = await app.connectAll(2);
  a.join("room");
  assert.deepEqual(await app.io.allSockets(), new Set([a.id, b.id]));
  assert.deepEqual(await app.io.in("room").allSockets(), new Set([a.id]));
  assert.deepEqual(await app.io.of("/empty").allSockets(), new Set());
});

test("a fetched socket answers with timeout and acknowledgement", async (t) => {
  const app = await serve(t);
  const { client } = await app.connect();
  client.on("question", (answer) => answer("answer"));
  const [fetched] = await app.io.fetchSockets();
  assert.equal(await fetched.timeout(10_000).emitWithAck("question"), "answer");
});

test("data set by the application is shared by everybody who looks", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  assert.deepEqual(socket.data, {});
  socket.data = { replaced: true };
  const [fetched] = await app.io.fetchSockets();
  assert.deepEqual(fetched.data, { replaced: true });
});

test("sockets of this server are fetched as they are", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  const [fetched] = await app.io.fetchSockets();
  assert.equal(fetched, socket);
});

test("allSockets does not look at rooms that are left out", async (t) => {
  const app = await serve(t);
  const [{ socket: a }, { socket: b }] = await app.connectAll(2);
  app.io.socketsJoin("room");
  b.join("quiet");
  assert.deepEqual(await app.io.in("room").except("quiet").allSockets(), new Set([a.id, b.id]));
});

/** An adapter that describes sockets, as it would those of another server. */
class Describing extends Adapter {
  flags = [];

  async fetchSockets(opts) {
    const sockets = await super.fetchSockets(opts);
    return sockets.map(({ id, handshake, rooms, data }) => {
      return { id, handshake, rooms: [...rooms], data };
    });
  }

  broadcastWithAck(packet, opts, ...callbacks) {
    this.flags.push({ ...opts.flags });
    return super.broadcastWithAck(packet, opts, ...callbacks);
  }
}

eachTransport("a socket of another server can be used by its description", async (t, transport) => {
  const app = await serve(t, { transport, options: { adapter: Describing } });
  const { client, socket } = await app.connect();
  socket.data.name = "ann";
  const [remote] = await app.io.fetchSockets();
  assert.equal(remote.constructor.name, "RemoteSocket");
  assert.notEqual(remote, socket);
  assert.equal(remote.id, socket.id);
  assert.equal(remote.handshake, socket.handshake);
  assert.deepEqual(remote.rooms, new Set([socket.id]));
  assert.deepEqual(remote.data, { name: "ann" });
  const heard = next(client, "event");
  assert.equal(remote.emit("event", 1), true);
  assert.deepEqual(await heard, [1]);
  client.on("question", (answer) => answer("answer"));
  assert.equal(await remote.timeout(10_000).emitWithAck("question"), "answer");
  assert.deepEqual(app.io.sockets.adapter.flags, [{ timeout: 10_000, expectSingleResponse: true }]);
  assert.equal(remote.join(["one", "two"]), undefined);
  assert.equal(remote.leave("one"), undefined);
  assert.deepEqual([...socket.rooms], [socket.id, "two"]);
  const left = next(client, "disconnect");
  assert.equal(remote.disconnect(), remote);
  assert.equal((await left)[0], "io server disconnect");
});
