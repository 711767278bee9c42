"use strict";

// In which order a client's packets take effect, and what is still written in which state of its
// socket: before it is connected, after it has left a namespace, after it has left the last one.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { OPCODE, frame } = require("./wire");
const { RS, event, startHostile, startServer } = require("./support");

/** A client of each kind that has joined, and a way to deliver packets in one chunk. */
const CHUNKS = {
  "one WebSocket segment": async (server) => {
    const client = await server.join();
    const send = (packets) =>
      client.wire.write(Buffer.concat(packets.map((packet) => frame(OPCODE.text, packet))));
    return { client, send };
  },
  "one POST": async (server) => {
    const client = await server.polling();
    await client.join();
    return { client, send: (packets) => client.post(packets.join(RS)) };
  },
};

for (const [title, open] of Object.entries(CHUNKS)) {
  test(`an event in front of a DISCONNECT is dropped, in ${title}`, async (t) => {
    const server = await startServer(t);
    const { client, send } = await open(server);
    const seen = [];
    client.socket().onAny((name) => seen.push(name));
    await send(['42["log",1]', "41"]);
    assert.equal(await client.disconnected(), "client namespace disconnect");
    assert.deepEqual(client.record().log, []);
    assert.deepEqual(seen, ["log"]);
  });

  test(`an ack behind an event is taken before the event's listener, in ${title}`, async (t) => {
    const server = await startServer(t);
    const { client, send } = await open(server);
    const order = [];
    const { promise, resolve } = deferred();
    client.socket().on("first", () => resolve(order.push("event")));
    client.socket().emit("question", (answer) => order.push(answer));
    if ("text" in client) assert.equal(await client.text(), '420["question"]');
    else assert.equal(await client.get(), '420["question"]');
    await send(['42["first"]', '430["ack"]']);
    await promise;
    assert.deepEqual(order, ["ack", "event"]);
  });
}

function deferred() {
  const result = {};
  result.promise = new Promise((resolve) => (result.resolve = resolve));
  return result;
}

test("in a middleware emit() writes before CONNECT, and disconnect() does nothing", async (t) => {
  const server = await startServer(t);
  server.io.use((socket, next) => {
    socket.emit("early", 1);
    assert.equal(socket.disconnect(true), socket);
    next();
  });
  const client = await server.websocket();
  client.send("40");
  assert.equal(await client.text(), '42["early",1]');
  client.ids["/"] = JSON.parse((await client.text()).slice(2)).sid;
  await client.echo();
});

test("after leaving a namespace events and answers are still written", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  const socket = client.socket();
  const asked = event(socket, "ask");
  client.send('427["ask"]');
  const [answer] = await asked;
  assert.equal(socket.disconnect(), socket);
  assert.equal(await client.text(), "41");
  assert.equal(socket.emit("late", 1), true);
  answer("late");
  answer("twice");
  assert.equal(await client.text(), '42["late",1]');
  assert.equal(await client.text(), '437["late"]');
  assert.equal(socket.connected, false);
});

test("a client that has left its last namespace may stay", async (t) => {
  const server = await startServer(t, { connectTimeout: 30 });
  const client = await server.join();
  client.send("41");
  await client.disconnected();
  // The time is up for one that came later and joined nothing.
  const idle = await server.websocket();
  assert.equal(await idle.closeHandshake(), undefined);
  assert.equal(client.conn.readyState, "open");
  await client.join();
  await client.echo();
});

test("what a lost connection ends, ends in the order of joining, before its close", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  server.io.of("/third").on("connection", (socket) => server.sockets.set(socket.id, { socket }));
  await client.join("/third");
  await client.join("/admin");
  const order = [];
  for (const nsp of ["/", "/third", "/admin"]) {
    client.socket(nsp).on("disconnecting", () => order.push(`${nsp} disconnecting`));
    client.socket(nsp).on("disconnect", () => order.push(`${nsp} disconnect`));
  }
  client.conn.on("close", () => order.push("close"));
  client.wire.end();
  await client.closed();
  assert.deepEqual(order, [
    ...["/ disconnecting", "/ disconnect", "/third disconnecting", "/third disconnect"],
    ...["/admin disconnecting", "/admin disconnect", "close"],
  ]);
  await server.undisturbed();
});

test("all that a socket sends passes through its packet()", async (t) => {
  const server = await startServer(t);
  const types = [];
  const nsp = server.io.of("/watched").use((socket, next) => {
    const { packet } = socket;
    socket.packet = function (given, options) {
      types.push([given.type, given.nsp]);
      return packet.call(this, given, options);
    };
    next(socket.handshake.auth.out ? new Error("out") : undefined);
  });
  nsp.on("connection", (socket) => {
    socket.on("ask", (answer) => answer());
    socket.emit("hello");
    socket.once("bye", () => socket.disconnect());
  });
  const client = await server.websocket();
  client.send('40/watched,{"out":1}');
  assert.equal(await client.text(), '44/watched,{"message":"out"}');
  client.send("40/watched,");
  await client.text();
  assert.equal(await client.text(), '42/watched,["hello"]');
  client.send('42/watched,1["ask"]');
  assert.equal(await client.text(), "43/watched,1[]");
  client.send('42/watched,["bye"]');
  assert.equal(await client.text(), "41/watched,");
  // CONNECT_ERROR, CONNECT, EVENT, ACK, DISCONNECT: the caller leaves the namespace to packet().
  assert.deepEqual(
    types,
    [4, 0, 2, 3, 1].map((type) => [type, undefined]),
  );
});

test("over polling a volatile event without a GET is dropped", async (t) => {
  const server = await startServer(t);
  const client = await server.polling();
  await client.join();
  client.socket().volatile.emit("dropped");
  client.socket().volatile.emit("dropped", Buffer.from("with its attachment"));
  server.io.volatile.emit("dropped");
  client.socket().emit("kept");
  assert.equal(await client.get(), '42["kept"]');
  const poll = await client.hold();
  client.socket().volatile.emit("in time");
  assert.equal(await poll.text(), '42["in time"]');
});

test("a closing server waits for a WebSocket that does not answer its close frame", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  let stopped = false;
  const stop = event(server.httpServer, "close").then(() => (stopped = true));
  const closed = server.io.close();
  assert.equal(await client.closeCode(), undefined);
  assert.equal(await client.disconnected(), "server shutting down");
  // The connection is not cut, and a turn later there is still nothing to report.
  await new Promise(setImmediate);
  assert.equal(stopped, false);
  client.sendFrame(OPCODE.close, "");
  await client.wire.rest();
  await Promise.all([closed, stop]);
});
