"use strict";

// Mistakes of the application: reserved names, values that cannot be sent, listeners
// that throw. The latter run in a process of their own.

const assert = require("node:assert/strict");
const { io: connectTo } = require("socket.io-client");
const { test, eachTransport, TRANSPORTS } = require("../support/scenario");
const { connected, serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { next, settle } = require("../support/events");
const { startFixture } = require("../support/fixture");
const { isReference } = require("../support/target");

const RESERVED = [
  ...["connect", "connect_error", "disconnect", "disconnecting"],
  ...["newListener", "removeListener"],
];

test("emitting a reserved event throws", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  for (const event of RESERVED) {
    const expected = { message: `"${event}" is a reserved event name` };
    assert.throws(() => socket.emit(event), expected);
    assert.throws(() => app.io.emit(event), expected);
    assert.throws(() => app.io.of("/other").emit(event), expected);
    assert.throws(() => app.io.to("room").emit(event), expected);
    assert.throws(() => socket.broadcast.emit(event), expected);
  }
  await settle(client, socket);
});

test("emitting a reserved event to other servers throws", async (t) => {
  const app = await serve(t);
  for (const event of ["connect", "connection", "new_namespace"]) {
    assert.throws(() => app.io.serverSideEmit(event), {
      message: `"${event}" is a reserved event name`,
    });
  }
});

eachTransport("a value that cannot be written throws from emit", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const circular = {};
  circular.self = circular;
  assert.throws(() => socket.emit("event", 1n), TypeError);
  assert.throws(() => app.io.emit("event", 1n), TypeError);
  assert.throws(() => app.io.to("nobody").emit("event", 1n), TypeError);
  assert.throws(() => socket.emit("event", circular), RangeError);
  const broken = {
    toJSON() {
      throw new Error("cannot be written");
    },
  };
  assert.throws(() => socket.emit("event", broken), { message: "cannot be written" });
  await settle(client, socket);
});

test("a socket has a listener for errors from the start", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  assert.equal(socket.listenerCount("error"), 1);
});

test("a stateful regular expression cannot name namespaces", async (t) => {
  const app = await serve(t);
  const message = "stateful regular expressions are not supported";
  assert.throws(() => app.io.of(/^\/room-\d$/g), { message });
  assert.throws(() => app.io.of(/^\/room-\d$/y), { message });
});

test("without an adapter there is nobody to list", async (t) => {
  const app = await serve(t);
  const nsp = app.io.of("/other");
  const { adapter } = nsp;
  nsp.adapter = undefined;
  const message =
    "No adapter for this namespace, are you trying to get the list of clients of a dynamic namespace?";
  assert.throws(() => nsp.allSockets(), { message });
  assert.throws(() => nsp.to("room").allSockets(), { message });
  nsp.adapter = adapter;
});

/** Starts the fixture and connects a client to it. */
async function startThrowing(t, transport, ...args) {
  const fixture = startFixture(t, "throwing-listener", ...args);
  const { port } = await fixture.report();
  const client = connectTo(`http://127.0.0.1:${port}`, {
    forceNew: true,
    reconnection: false,
    ...transport.client,
  });
  atEnd(t, () => client.disconnect());
  await connected(client);
  return { fixture, client };
}

eachTransport("an exception of a listener is an uncaught exception", async (t, transport) => {
  const { fixture, client } = await startThrowing(t, transport, "survive");
  client.emit("throw", "thrown by a listener");
  const { message, origin, stack } = await fixture.report();
  assert.equal(message, "thrown by a listener");
  assert.equal(origin, "uncaughtException");
  assert.match(stack, /throwingListener/);
});

eachTransport("events after an exception are still delivered", async (t, transport) => {
  const { fixture, client } = await startThrowing(t, transport, "survive");
  const echoed = [];
  client.on("echoed", (value) => echoed.push(value));
  client.emit("echo", 1);
  client.emit("throw", "first");
  client.emit("echo", 2);
  client.emit("throw", "second");
  assert.equal(await client.emitWithAck("echo", 3), 3);
  assert.deepEqual(echoed, [1, 2, 3]);
  assert.equal((await fixture.report()).message, "first");
  assert.equal((await fixture.report()).message, "second");
});

eachTransport("an exception does not disturb other clients", async (t, transport) => {
  const { fixture, client } = await startThrowing(t, transport, "survive");
  const other = connectTo(client.io.uri, { forceNew: true, ...transport.client });
  atEnd(t, () => other.disconnect());
  await connected(other);
  const answers = [];
  for (let i = 0; i < 5; i++) {
    client.emit("throw", `exception ${i}`);
    answers.push(other.emitWithAck("echo", i));
  }
  assert.deepEqual(await Promise.all(answers), [0, 1, 2, 3, 4]);
  for (let i = 0; i < 5; i++) {
    assert.equal((await fixture.report()).message, `exception ${i}`);
  }
});

eachTransport("an exception of an ack callback is an uncaught exception", async (t, transport) => {
  const { fixture, client } = await startThrowing(t, transport, "survive");
  client.on("question", (answer) => answer());
  client.emit("throw in ack", "thrown by an ack");
  const { message, origin } = await fixture.report();
  assert.deepEqual([message, origin], ["thrown by an ack", "uncaughtException"]);
  assert.equal(await client.emitWithAck("echo", 1), 1);
});

eachTransport("an exception of a disconnect listener is uncaught", async (t, transport) => {
  const { fixture, client } = await startThrowing(t, transport, "survive");
  await client.emitWithAck("throw when leaving", "thrown when leaving");
  client.disconnect();
  const { message, origin } = await fixture.report();
  assert.deepEqual([message, origin], ["thrown when leaving", "uncaughtException"]);
  client.connect();
  await connected(client);
  assert.equal(await client.emitWithAck("echo", 1), 1);
});

eachTransport("an exception of a connection listener is uncaught", async (t, transport) => {
  const { fixture, client } = await startThrowing(t, transport, "survive");
  const other = connectTo(client.io.uri, {
    forceNew: true,
    auth: { throw: "thrown on connection" },
    ...transport.client,
  });
  atEnd(t, () => other.disconnect());
  // The client is connected all the same: it was told before the listener ran.
  await connected(other);
  const { message, origin } = await fixture.report();
  assert.deepEqual([message, origin], ["thrown on connection", "uncaughtException"]);
  assert.equal(await client.emitWithAck("echo", 1), 1);
});

test("a rejection of an async listener is an unhandled rejection", async (t) => {
  const { fixture, client } = await startThrowing(t, TRANSPORTS.websocket, "survive");
  client.emit("reject", "rejected by a listener");
  const { message, origin } = await fixture.report();
  assert.equal(message, "rejected by a listener");
  assert.equal(origin, "unhandledRejection");
});

test("an exception that nobody catches ends the process and shows its origin", async (t) => {
  const { fixture, client } = await startThrowing(t, TRANSPORTS.websocket);
  const left = next(client, "disconnect");
  client.emit("throw", "nobody catches this");
  assert.equal((await fixture.exited()).code, 1);
  assert.match(fixture.stderr, /nobody catches this/);
  assert.match(fixture.stderr, /throwingListener/);
  await left;
});

test("a listener for newListener makes the next registration throw", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  socket.on("newListener", () => {});
  assert.throws(() => socket.on("event", () => {}), {
    message: '"newListener" is a reserved event name',
  });
});

test("who removes all listeners removes the one for errors", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  socket.removeAllListeners();
  assert.equal(socket.listenerCount("error"), 0);
});

for (const transport of ["websocket", "polling"]) {
  test(`exceptions of all kinds of callbacks are heard as in the reference, ${transport}`, async (t) => {
    const told = async (name) => {
      const fixture = startFixture(t, "throwing-callbacks", transport, name);
      const reports = [];
      while (reports.at(-1)?.[0] !== "afterwards") reports.push(await fixture.report());
      return reports;
    };
    const ours = await told(isReference ? "socket.io" : "ferrio");
    assert.deepEqual(ours, await told("socket.io"));
    assert.ok(ours.length > 15, `${ours.length} kinds`);
  });
}
