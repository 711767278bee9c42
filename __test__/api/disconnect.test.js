"use strict";

// Every way to end, and the reason that each side is told.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { startFixture } = require("../support/fixture");
const { next, settle, until } = require("../support/events");

/** A poll is pending, so that the end of the session can be told at once. */
const pollPending = (socket) => until(() => socket.conn.transport.writable, "a poll is pending");

/** Starts listening for the end on both sides: `await ends()` gives `[server, client]`. */
function ends({ client, socket }) {
  const both = Promise.all([next(socket, "disconnect"), next(client, "disconnect")]);
  both.catch(() => {});
  return async () => (await both).map(([reason]) => reason);
}

eachTransport("the client disconnects", async (t, transport) => {
  const app = await serve(t, { transport });
  const pair = await app.connect();
  const reasons = ends(pair);
  pair.client.disconnect();
  assert.deepEqual(await reasons(), ["client namespace disconnect", "io client disconnect"]);
});

eachTransport("the server disconnects the socket", async (t, transport) => {
  const app = await serve(t, { transport });
  const pair = await app.connect();
  const reasons = ends(pair);
  assert.ok(pair.socket.disconnect() === pair.socket);
  assert.deepEqual(await reasons(), ["server namespace disconnect", "io server disconnect"]);
});

eachTransport("the server disconnects and closes the connection", async (t, transport) => {
  const app = await serve(t, { transport });
  const pair = await app.connect();
  const reasons = ends(pair);
  const closed = next(pair.socket.conn, "close");
  pair.socket.disconnect(true);
  assert.deepEqual(await reasons(), ["server namespace disconnect", "io server disconnect"]);
  assert.match((await closed)[0], /^(forced close|transport close)$/);
});

eachTransport("the server closes the connection under the socket", async (t, transport) => {
  const app = await serve(t, { transport });
  const pair = await app.connect();
  const reasons = ends(pair);
  await pollPending(pair.socket);
  const closed = next(pair.socket.conn, "close");
  pair.socket.conn.close();
  assert.deepEqual(await reasons(), ["forced close", "transport close"]);
  assert.equal((await closed)[0], "forced close");
});

eachTransport("the whole server closes", async (t, transport) => {
  const app = await serve(t, { transport });
  const pair = await app.connect();
  const reasons = ends(pair);
  await pollPending(pair.socket);
  const closed = next(pair.socket.conn, "close");
  app.io.close();
  assert.deepEqual(await reasons(), ["server shutting down", "transport close"]);
  assert.equal((await closed)[0], "forced close");
});

eachTransport("the client closes its connection without a word", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const left = next(socket, "disconnect");
  const closed = next(socket.conn, "close");
  client.io.engine.close();
  assert.equal((await left)[0], "transport close");
  assert.equal((await closed)[0], "transport close");
});

for (const lost of ["websocket", "upgraded"]) {
  eachTransport(
    "the network connection is lost",
    async (t, transport) => {
      const app = await serve(t, { transport });
      const pair = await app.connect();
      const reasons = ends(pair);
      pair.client.io.engine.transport.ws.terminate();
      assert.deepEqual(await reasons(), ["transport close", "transport close"]);
    },
    [lost],
  );

  eachTransport(
    "the server terminates the WebSocket",
    async (t, transport) => {
      const app = await serve(t, { transport });
      const pair = await app.connect();
      const reasons = ends(pair);
      pair.socket.conn.transport.socket.terminate();
      assert.deepEqual(await reasons(), ["transport close", "transport close"]);
    },
    [lost],
  );
}

eachTransport("a client that does not answer pings times out", async (t, transport) => {
  // The upgrade is over before the first ping: the reference stops pinging when it is not.
  const app = await serve(t, { transport, options: { pingInterval: 700, pingTimeout: 500 } });
  const { client, socket } = await app.connect();
  assert.equal(typeof client.io.engine._sendPacket, "function");
  const left = next(socket, "disconnect");
  const closed = next(socket.conn, "close");
  client.io.engine._sendPacket = () => {};
  assert.equal((await left)[0], "ping timeout");
  assert.equal((await closed)[0], "ping timeout");
});

eachTransport("a malformed Socket.IO packet is an error, then the end", async (t, transport) => {
  const app = await serve(t, { transport });
  const pair = await app.connect();
  const { client, socket } = pair;
  const order = [];
  socket.on("error", (error) => order.push(error.constructor.name, error.message));
  socket.on("disconnect", (reason) => order.push(reason));
  const reasons = ends(pair);
  await pollPending(socket);
  client.io.engine.write('2{"not":"an array"}');
  assert.deepEqual(await reasons(), ["forced close", "transport close"]);
  assert.deepEqual(order, ["Error", "invalid payload", "forced close"]);
});

for (const [title, packet] of [
  ["a second connect packet", "0"],
  ["an event for a namespace that was not joined", '2/other,["event"]'],
  ["a connect error", '4{"message":"refused"}'],
]) {
  eachTransport(`${title} from the client is the end`, async (t, transport) => {
    const app = await serve(t, { transport });
    app.io.of("/other");
    const pair = await app.connect();
    const reasons = ends(pair);
    await pollPending(pair.socket);
    pair.client.io.engine.write(packet);
    const [server, client] = await reasons();
    assert.match(server, /^forced (server )?close$/);
    assert.equal(client, "transport close");
  });
}

test("an undecodable Engine.IO packet is a parse error", async (t) => {
  const app = await serve(t);
  const pair = await app.connect("/", { transports: ["websocket"] });
  const reasons = ends(pair);
  pair.client.io.engine.transport.ws.send("x");
  assert.deepEqual(await reasons(), ["parse error", "transport close"]);
});

test("a ping from the client is a transport error", async (t) => {
  const app = await serve(t);
  const pair = await app.connect("/", { transports: ["websocket"] });
  const reasons = ends(pair);
  pair.client.io.engine.transport.ws.send("2");
  assert.deepEqual(await reasons(), ["transport error", "transport close"]);
});

eachTransport("disconnecting comes first and still sees the rooms", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  socket.join(["a", "b"]);
  const { id } = socket;
  const { sockets, adapter } = app.io.sockets;
  const order = [];
  const note = (event, reason) => {
    order.push([event, reason, [...socket.rooms], socket.connected, sockets.has(id)]);
  };
  adapter.on("leave-room", (room) => order.push(`leave ${room}`));
  socket.on("disconnecting", (reason) => note("disconnecting", reason));
  socket.on("disconnect", (reason) => note("disconnect", reason));
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
  const reason = "client namespace disconnect";
  assert.deepEqual(order, [
    ["disconnecting", reason, [id, "a", "b"], true, true],
    ...[`leave ${id}`, "leave a", "leave b"],
    ["disconnect", reason, [], false, false],
  ]);
  assert.equal(socket.disconnected, true);
});

eachTransport("the others can be told inside disconnecting", async (t, transport) => {
  const app = await serve(t, { transport });
  const [leaver, stayer] = await app.connectAll(2);
  app.io.socketsJoin("room");
  leaver.socket.on("disconnecting", () => {
    for (const room of leaver.socket.rooms) {
      socketTo(room).emit("left", leaver.socket.id);
    }
  });
  const socketTo = (room) => leaver.socket.to(room);
  const left = next(stayer.client, "left");
  leaver.client.disconnect();
  assert.deepEqual(await left, [leaver.socket.id]);
});

eachTransport("leaving one namespace keeps the others", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/other");
  const main = await app.connect();
  const other = await app.share(main.client, "/other");
  const left = next(other.socket, "disconnect");
  other.client.disconnect();
  assert.equal((await left)[0], "client namespace disconnect");
  const removed = next(other.client, "connect");
  await settle(main.client, main.socket);
  assert.equal(main.socket.connected, true);
  other.client.connect();
  await removed;
});

eachTransport("the server can end one namespace and keep the others", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/other");
  const main = await app.connect();
  const other = await app.share(main.client, "/other");
  const reasons = ends(other);
  other.socket.disconnect();
  assert.deepEqual(await reasons(), ["server namespace disconnect", "io server disconnect"]);
  await settle(main.client, main.socket);
});

eachTransport("disconnect(true) ends all namespaces of the client", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/other");
  const main = await app.connect();
  const other = await app.share(main.client, "/other");
  const reasons = [ends(main), ends(other)];
  main.socket.disconnect(true);
  for (const both of reasons) {
    assert.equal((await both())[0], "server namespace disconnect");
  }
});

eachTransport("what was emitted before disconnect(true) still arrives", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const received = [];
  client.on("last", (value) => received.push(value));
  const left = next(client, "disconnect");
  for (let i = 0; i < 10; i++) {
    socket.emit("last", i);
  }
  socket.disconnect(true);
  await left;
  assert.deepEqual(received, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

eachTransport("a socket is disconnected in the connection listener", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.on("connection", (socket) => socket.disconnect());
  const client = app.open();
  const left = next(client, "disconnect");
  assert.equal((await left)[0], "io server disconnect");
});

test("disconnect is told once and does nothing afterwards", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  let told = 0;
  socket.on("disconnect", () => told++);
  const left = next(client, "disconnect");
  socket.disconnect();
  socket.disconnect();
  socket.disconnect(true);
  await left;
  assert.ok(socket.disconnect() === socket);
  assert.equal(told, 1);
});

test("a socket that has left remains readable", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", { auth: { token: "t" } });
  const { id } = socket;
  socket.data.name = "kept";
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
  assert.equal(socket.id, id);
  assert.equal(socket.data.name, "kept");
  assert.deepEqual(socket.handshake.auth, { token: "t" });
  assert.equal(socket.nsp.name, "/");
  socket.join("room");
  assert.equal(app.io.sockets.adapter.rooms.has("room"), false);
});

eachTransport("a client can come back and is a new socket", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
  const back = next(app.io, "connection");
  client.connect();
  const [again] = await back;
  assert.notEqual(again.id, socket.id);
  assert.equal(again.connected, true);
});

eachTransport("a client reconnects by itself after a loss", async (t, transport) => {
  const app = await serve(t, { transport });
  const reconnecting = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5 };
  const { client, socket } = await app.connect("/", reconnecting);
  const back = next(app.io, "connection");
  socket.conn.close();
  const [again] = await back;
  await until(() => client.connected, "the client is connected again");
  assert.equal(client.id, again.id);
});

test("nothing keeps a socket that has gone, nor its connection", async (t) => {
  const fixture = startFixture(t, "forgotten-sockets");
  await fixture.report();
  const { alive, counts } = await fixture.report();
  // The last ones may still be held by the frames that ended them.
  assert.ok(alive <= 4, `${alive} objects are still there`);
  assert.deepEqual(counts, [0, 0, 0, 0]);
});
