"use strict";

// What adapters of others reach of a namespace and its sockets, used by hand as they do.

const assert = require("node:assert/strict");
const { Adapter } = require("socket.io-adapter");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, deferred, next, settle } = require("../support/events");

eachTransport(
  "ids of acknowledgements come from a number that may be set",
  async (t, transport) => {
    const app = await serve(t, { transport });
    const { client, socket } = await app.connect();
    const nsp = app.io.of("/");
    nsp._ids = 41;
    const heard = next(client, "question");
    socket.emit("question", () => {});
    await heard;
    assert.deepEqual([...socket.acks.keys()], [41]);
    assert.equal(nsp._ids++, 42);
    const sums = next(client, "question");
    socket.emit("question", () => {});
    await sums;
    assert.deepEqual([...socket.acks.keys()], [41, 43]);
  },
);

eachTransport("an ack that was put into socket.acks is called", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const called = deferred();
  client.on("question", (answer) => answer("answer"));
  const id = app.io.of("/")._ids++;
  socket.acks.set(id, called.resolve);
  socket.packet({ type: 2, data: ["question"], id });
  assert.equal(await called.promise, "answer");
  socket.acks.set(id + 1, () => assert.fail("taken out again"));
  socket.acks.delete(id + 1);
  socket.packet({ type: 2, data: ["question"], id: id + 1 });
  await settle(client, socket);
});

eachTransport("a packet of another server is sent as it is given", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const { adapter } = app.io.of("/");
  const received = collect(client, "event", 2);
  const packet = { type: 2, data: ["event", { from: "afar" }], nsp: "/elsewhere" };
  const opts = { rooms: new Set([socket.id]), except: new Set(), flags: {} };
  adapter.broadcast(packet, opts);
  packet.data.push("added");
  adapter.broadcast(packet, opts);
  assert.deepEqual(await received, [[{ from: "afar" }], [{ from: "afar" }, "added"]]);
  assert.equal(packet.nsp, "/");
});

eachTransport("an adapter may be no Adapter, and answer later", async (t, transport) => {
  const inner = Symbol("inner");
  function make(nsp) {
    const adapter = new Adapter(nsp);
    const overrides = { addAll: async (...args) => (await null, adapter.addAll(...args)) };
    // Not an instance: an object that hands over to one.
    return new Proxy(Object.create(null), {
      get: (_, key) => {
        if (key === inner) return adapter;
        const value = overrides[key] ?? adapter[key];
        return typeof value === "function" ? value.bind(adapter) : value;
      },
    });
  }
  const app = await serve(t, {
    transport,
    options: {
      adapter: function (nsp) {
        return make(nsp);
      },
    },
  });
  const { client, socket } = await app.connect();
  const joined = socket.join("room");
  assert.equal(socket.rooms.has("room"), false);
  await joined;
  assert.deepEqual([...socket.rooms], [socket.id, "room"]);
  const heard = next(client, "event");
  app.io.to("room").emit("event", 1);
  assert.deepEqual(await heard, [1]);
  assert.ok(app.io.of("/").adapter[inner] instanceof Adapter);
});

test("a handshake is plain data that can be spread and copied", async (t) => {
  const options = { connectionStateRecovery: { maxDisconnectionDuration: 1_000 } };
  const app = await serve(t, { options });
  const { socket } = await app.connect();
  const { headers, ...rest } = socket.handshake;
  assert.deepEqual(Object.keys(rest).sort(), [
    ...["address", "auth", "issued", "query", "secure", "time", "url", "xdomain"],
  ]);
  assert.deepEqual(JSON.parse(JSON.stringify({ headers, ...rest })), {
    ...socket.handshake,
    query: { ...socket.handshake.query },
  });
  const { connectionStateRecovery } = app.io.opts;
  assert.equal(connectionStateRecovery.maxDisconnectionDuration, 1_000);
});
