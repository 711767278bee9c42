"use strict";

// Every way a session ends without a fault, over both transports: who is told what, in which
// order, and what is still delivered. Ends by fault are with the layer that finds the fault.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { RS, event, startHostile, startServer } = require("./support");
const { OPCODE, closePayload } = require("./wire");

async function pollingClient(t, options) {
  const server = await startServer(t, options);
  const client = await server.polling();
  await client.join();
  return { server, client };
}

const FORCED = { conn: "forced close", socket: "forced close", errors: [] };

test("conn.close() answers a held GET with a close packet", async (t) => {
  const { client } = await pollingClient(t);
  const poll = await client.hold();
  client.conn.close();
  assert.equal(await poll.text(), "1");
  assert.deepEqual(await client.ending(), FORCED);
  assert.equal(client.conn.readyState, "closed");
  await client.gone();
});

test("conn.close() without a GET waits for the next one", async (t) => {
  const { client } = await pollingClient(t);
  client.conn.close();
  assert.equal(client.conn.readyState, "closing");
  assert.equal(client.socket().connected, true);
  assert.equal(await client.get(), `6${RS}1`);
  assert.deepEqual(await client.ending(), FORCED);
  await client.gone();
});

test("what was emitted before conn.close() is delivered before the close packet", async (t) => {
  const { client } = await pollingClient(t);
  client.socket().emit("bye", 1);
  client.socket().emit("bye", 2);
  client.conn.close();
  const first = await client.get();
  const events = ['42["bye",1]', '42["bye",2]'];
  // In one answer, or in two: the reference closes only once the buffer has drained.
  if (first === events.join(RS)) assert.equal(await client.get(), `6${RS}1`);
  else assert.equal(first, [...events, "1"].join(RS));
  assert.deepEqual(await client.ending(), FORCED);
});

// The GET that waits is used up by what is written first, though nobody may have been told yet.
const LATER = {
  "in the same turn": (close) => close(),
  "after a microtask": (close) => queueMicrotask(close),
  "in the next tick": (close) => process.nextTick(close),
  "in the next turn": (close) => setImmediate(close),
};

for (const [when, later] of Object.entries(LATER)) {
  for (const [title, emit] of [
    ["two events", (client) => client.socket().emit("bye", 1)],
    ["two broadcasts", (client, io) => io.emit("bye", 1)],
  ]) {
    test(`a close ${when} after ${title} does not overtake what waits for a GET`, async (t) => {
      const { client, server } = await pollingClient(t);
      const poll = await client.hold();
      const closing = new Promise((resolve) => {
        emit(client, server.io);
        client.socket().emit("bye", 2);
        later(() => resolve(client.conn.close()));
      });
      let told = await poll.text();
      await closing;
      while (!told.endsWith("1") || told.endsWith(",1")) {
        told += RS + (await client.get());
      }
      const packets = told.split(RS).filter((packet) => packet !== "6");
      assert.deepEqual(packets, ['42["bye",1]', '42["bye",2]', "1"]);
      assert.deepEqual(await client.ending(), FORCED);
    });
  }
}

test("io.close() does not take back what was emitted to a GET that waits", async (t) => {
  const { client, server } = await pollingClient(t);
  const poll = await client.hold();
  server.io.emit("bye", 1);
  server.io.close();
  assert.equal(await poll.text(), '42["bye",1]');
  assert.equal((await client.ending()).socket, "server shutting down");
});

test("conn.close() without a GET closes after the transport's close timeout", async (t) => {
  const { client } = await pollingClient(t);
  client.conn.transport.closeTimeout = 20;
  client.conn.close();
  assert.deepEqual(await client.ending(), FORCED);
  await client.gone();
});

test("a close packet ends the session and releases a held GET", async (t) => {
  const { client } = await pollingClient(t);
  const poll = await client.hold();
  await client.post("1");
  assert.equal(await poll.text(), "6");
  const reason = "transport close";
  assert.deepEqual(await client.ending(), { conn: reason, socket: reason, errors: [] });
  await client.gone();
});

test("a close packet without a held GET ends the session", async (t) => {
  const { client } = await pollingClient(t);
  await client.post("1");
  const { reason, description } = await client.closed();
  assert.deepEqual([reason, description], ["transport close", undefined]);
  await client.gone();
});

test("a close packet ends a session that waits to close", async (t) => {
  const { client } = await pollingClient(t);
  client.conn.close();
  await client.post(['42["log",1]', "1"].join(RS));
  const reason = "transport close";
  assert.deepEqual(await client.ending(), { conn: reason, socket: reason, errors: [] });
  assert.deepEqual(client.record().log, []);
  await client.gone();
});

test("a session whose GET waits ends with its connection, whoever ends that", async (t) => {
  const { server, client } = await pollingClient(t);
  await client.hold();
  server.httpServer.closeAllConnections();
  const { reason } = await client.closed();
  assert.equal(reason, "transport error");
  await client.gone();
});

test("packets before a close packet are engine messages, those after it are not", async (t) => {
  const { client } = await pollingClient(t);
  const messages = [];
  client.conn.on("message", (message) => messages.push(message));
  await client.post(['42["log",1]', "1", '42["log",2]'].join(RS));
  await client.closed();
  assert.deepEqual(messages, ['2["log",1]']);
});

test("socket.disconnect(true) sends DISCONNECT and closes the session", async (t) => {
  const { client } = await pollingClient(t);
  const poll = await client.hold();
  client.socket().disconnect(true);
  let received = (await poll.text()).split(RS);
  if (!received.includes("1")) received = received.concat((await client.get()).split(RS));
  assert.deepEqual(
    received.filter((packet) => packet !== "6"),
    ["41", "1"],
  );
  assert.deepEqual(await client.ending(), {
    conn: "forced close",
    socket: "server namespace disconnect",
    errors: [],
  });
});

test("io.close() tells a held GET and drops a session without one", async (t) => {
  const { server, client } = await pollingClient(t);
  const idle = await server.polling();
  await idle.join();
  const poll = await client.hold();
  const closed = server.io.close();
  for (const each of [client, idle]) {
    assert.deepEqual(await each.ending(), {
      conn: "forced close",
      socket: "server shutting down",
      errors: [],
    });
  }
  assert.equal(await poll.text(), "1");
  await closed;
  assert.equal(server.io.engine.clientsCount, 0);
});

test("a polling session that joins no namespace is closed", async (t) => {
  const server = await startServer(t, { connectTimeout: 30 });
  const client = await server.polling();
  const poll = await client.hold();
  // With a noop in front if the time was up before this GET came.
  assert.ok(["1", `6${RS}1`].includes(await poll.text()));
  assert.equal((await client.closed()).reason, "forced close");
});

test("a WebSocket session that joins no namespace is closed", async (t) => {
  const server = await startServer(t, { connectTimeout: 30 });
  const client = await server.websocket();
  assert.equal(await client.closeHandshake(), undefined);
  assert.equal((await client.closed()).reason, "forced close");
  assert.equal(server.io.engine.clientsCount, 0);
});

test("conn.close() sends a close frame without a code", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  client.conn.close();
  assert.deepEqual(await client.ending(), FORCED);
  assert.equal(await client.closeHandshake(), undefined);
});

test("what was emitted before conn.close() leaves before the close frame", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  for (let i = 0; i < 5; i++) client.socket().emit("bye", i);
  client.conn.close();
  for (let i = 0; i < 5; i++) assert.equal(await client.text(), `42["bye",${i}]`);
  assert.equal(await client.closeHandshake(), undefined);
  assert.deepEqual(await client.ending(), FORCED);
});

test("socket.disconnect(true) sends DISCONNECT to every namespace, then closes", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  await client.join("/admin");
  client.socket("/admin").disconnect(true);
  const packets = [await client.text(), await client.text()];
  assert.deepEqual(packets.sort(), ["41", "41/admin,"]);
  assert.equal(await client.closeHandshake(), undefined);
  for (const nsp of ["/", "/admin"]) {
    assert.equal(await client.disconnected(nsp), "server namespace disconnect");
  }
  assert.equal((await client.closed()).reason, "forced close");
});

test("io.close() closes every WebSocket session", async (t) => {
  const server = await startServer(t);
  const clients = [await server.join(), await server.join(), await server.join()];
  const closed = server.io.close();
  for (const client of clients) {
    assert.equal(await client.closeHandshake(), undefined);
    assert.deepEqual(await client.ending(), {
      conn: "forced close",
      socket: "server shutting down",
      errors: [],
    });
  }
  await closed;
  assert.equal(server.io.engine.clientsCount, 0);
  assert.equal(server.httpServer.listening, false);
});

const LEAVINGS = {
  "a FIN": (client) => client.wire.end(),
  "a reset": (client) => client.wire.reset(),
  "half a frame and a FIN": (client) => {
    client.wire.write(Buffer.from([0x81, 0xff, 0, 0]));
    client.wire.end();
  },
  "a started fragment and a FIN": (client) => {
    client.sendFrame(OPCODE.text, "42[", { fin: false });
    client.wire.end();
  },
};

for (const [title, leave] of Object.entries(LEAVINGS)) {
  test(`a client that goes with ${title} has closed the transport`, async (t) => {
    const server = await startHostile(t);
    const client = await server.join();
    leave(client);
    const { reason, description } = await client.closed();
    // A reset may reach the server as an error of the socket.
    const expected = title === "a reset" ? /^transport (close|error)$/ : /^transport close$/;
    assert.match(reason, expected);
    if (reason === "transport close") assert.equal(description, undefined);
    assert.equal(await client.disconnected(), reason);
    await server.undisturbed();
  });
}

for (const [title, payload] of [
  ["no code", ""],
  ["1000", closePayload(1000)],
  ["1001 and a reason", closePayload(1001, "tab closed, €")],
  ["3000", closePayload(3000)],
  ["4999", closePayload(4999, "x".repeat(123))],
]) {
  test(`a close frame with ${title} is answered and ends the session`, async (t) => {
    const server = await startServer(t);
    const client = await server.join();
    client.sendFrame(OPCODE.close, payload);
    assert.equal(
      (await client.closePayload()).toString("hex"),
      Buffer.from(payload).toString("hex"),
    );
    assert.equal((await client.wire.rest()).length, 0);
    const { reason, description } = await client.closed();
    assert.deepEqual([reason, description], ["transport close", undefined]);
    assert.equal(await client.disconnected(), "transport close");
  });
}

test("frames behind a close frame are ignored", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  client.sendFrame(OPCODE.close, closePayload(1000));
  client.send('42["log",1]');
  await client.closed();
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
});

test("the disconnect event finds the session closed and gone from the counts", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  const socket = client.socket();
  const seen = event(socket, "disconnect").then(() => ({
    state: client.conn.readyState,
    connected: socket.connected,
    rooms: socket.rooms.size,
    sockets: server.io.of("/").sockets.size,
  }));
  client.wire.end();
  assert.deepEqual(await seen, { state: "closed", connected: false, rooms: 0, sockets: 0 });
});
