"use strict";

// Adapters that an application brings along: they extend the class of socket.io-adapter and call
// its methods by `super`, as all official adapters do.

const assert = require("node:assert/strict");
const { Adapter } = require("socket.io-adapter");
const stock = require("socket.io");
const { isReference } = require("../support/target");
const { test } = require("../support/scenario");
const { serve } = require("../support/app");
const { next } = require("../support/events");

/** Passes everything on, and remembers what it was asked. */
class Recorder extends Adapter {
  calls = [];

  addAll(id, rooms) {
    this.calls.push(["addAll", ...rooms]);
    super.addAll(id, rooms);
  }

  broadcast(packet, opts) {
    this.calls.push(["broadcast", packet.data[0]]);
    super.broadcast(packet, opts);
  }
}

const CLIENTS = 5;

async function open(t, { adapter = Recorder } = {}) {
  const app = await serve(t, { options: { adapter } });
  const pairs = [];
  for (let i = 0; i < CLIENTS; i++) {
    pairs.push(await app.connect());
  }
  return { io: app.io, pairs };
}

/** How often the server wrote to single clients during `run`, without making it slower. */
function countApplied(adapter, run) {
  const { get } = adapter.nsp.sockets;
  let count = 0;
  adapter.nsp.sockets.get = function (id) {
    count++;
    return get.call(this, id);
  };
  run();
  delete adapter.nsp.sockets.get;
  return count;
}

test("a broadcast through super reaches members of rooms, not the excepted ones", async (t) => {
  const { io, pairs } = await open(t);
  pairs[0].socket.join("a");
  pairs[1].socket.join(["a", "b"]);
  pairs[2].socket.join("a");
  pairs[2].socket.leave("a");
  const got = [];
  pairs.forEach(({ client }, i) => client.on("x", (value) => got.push([i, value])));
  const done = pairs.map(({ client }) => next(client, "end"));
  io.to("a").emit("x", 1);
  io.to(["a", "b"]).except("b").emit("x", Buffer.from("binary"));
  io.except("a").emit("x", 3);
  io.emit("end");
  await Promise.all(done);
  const of = (i) => got.filter(([to]) => to === i).map(([, value]) => value);
  assert.deepEqual(of(0), [1, Buffer.from("binary")]);
  assert.deepEqual(of(1), [1]);
  for (const i of [2, 3, 4]) {
    assert.deepEqual(of(i), [3]);
  }
  assert.ok(io.of("/").adapter.calls.some(([name]) => name === "broadcast"));
});

test("a broadcast through super costs nothing for each local recipient", async (t) => {
  const { io, pairs } = await open(t);
  const done = pairs.map(({ client }) => next(client, "x"));
  const count = countApplied(io.of("/").adapter, () => io.emit("x"));
  await Promise.all(done);
  assert.equal(count, isReference ? CLIENTS : 0);
});

test("acknowledgements through super are counted and collected", async (t) => {
  const { io, pairs } = await open(t);
  pairs.forEach(({ client }, i) => client.on("ask", (answer) => answer(i)));
  const answers = await io.timeout(60_000).emitWithAck("ask");
  assert.deepEqual(answers.sort(), [0, 1, 2, 3, 4]);
});

test("a question through super reaches members of rooms, and their outgoing listeners", async (t) => {
  const { io, pairs } = await open(t);
  pairs.forEach(({ socket }, i) => i < 3 && socket.join("a"));
  pairs[2].socket.join("b");
  const heard = [];
  pairs[1].socket.onAnyOutgoing((...args) => heard.push(args));
  pairs.forEach(({ client }, i) => client.on("ask", (bytes, answer) => answer(i + bytes[0])));
  const ask = () =>
    io
      .to("a")
      .except("b")
      .timeout(60_000)
      .emitWithAck("ask", Buffer.from([7]));
  const asked = Promise.all([ask(), ask()]);
  for (const answers of await asked) {
    assert.deepEqual(answers.sort(), [7, 8]);
  }
  assert.deepEqual(heard, Array(2).fill(["ask", Buffer.from([7])]));
});

// The reference writes to one recipient after the other.
const onlyNative = isReference ? () => {} : test;

onlyNative("a question through super is written to all local recipients at once", async (t) => {
  const { io, pairs } = await open(t);
  const broadcast = t.mock.method(require("../../lib/native"), "broadcast");
  pairs.forEach(({ client }, i) => client.on("ask", (answer) => answer(i)));
  assert.equal((await io.timeout(60_000).emitWithAck("ask")).length, CLIENTS);
  assert.equal(broadcast.mock.callCount(), 1);
});

test("listeners for outgoing packets hear what is sent through super", async (t) => {
  const { io, pairs } = await open(t);
  const heard = [];
  pairs[1].socket.onAnyOutgoing((...args) => heard.push(args));
  const done = pairs.map(({ client }) => next(client, "x"));
  io.emit("x", 7);
  await Promise.all(done);
  assert.deepEqual(heard, [["x", 7]]);
});

test("an adapter that replaces apply() decides who is to hear a broadcast", async (t) => {
  class Picky extends Adapter {
    apply(opts, callback) {
      super.apply(opts, (socket) => {
        if (socket.data.chosen) {
          callback(socket);
        }
      });
    }
  }
  const { io, pairs } = await open(t, { adapter: Picky });
  pairs[3].socket.data.chosen = true;
  const got = [];
  pairs.forEach(({ client }, i) => client.on("x", () => got.push(i)));
  io.emit("x");
  for (const { socket } of pairs) {
    socket.emit("end");
  }
  await Promise.all(pairs.map(({ client }) => next(client, "end")));
  assert.deepEqual(got, [3]);
});

test("members that were put into the Maps by hand hear broadcasts too", async (t) => {
  const { io, pairs } = await open(t);
  const { adapter } = io.of("/");
  adapter.rooms.set("by hand", new Set([pairs[4].socket.id]));
  const got = next(pairs[4].client, "x");
  io.to("by hand").emit("x", 1);
  assert.deepEqual(await got, [1]);
});

test("stock socket.io in the same process keeps its way through the same class", async (t) => {
  const { io } = await open(t);
  io.emit("before");
  const other = new stock.Server({ adapter: Recorder });
  const nsp = other.of("/");
  const written = [];
  const socket = (id) => ({
    id,
    client: { writeToEngine: (packets) => written.push([id, packets]) },
  });
  for (const id of ["one", "two"]) {
    nsp.sockets.set(id, socket(id));
    nsp.adapter.addAll(id, new Set([id, "room"]));
  }
  other.to("room").emit("x", 1);
  nsp.adapter.delAll("one");
  other.emit("y");
  assert.deepEqual(written, [
    ["one", ['2["x",1]']],
    ["two", ['2["x",1]']],
    ["two", ['2["y"]']],
  ]);
  assert.deepEqual([...nsp.adapter.rooms.keys()], ["room", "two"]);
  nsp.sockets.clear();
});
