"use strict";

// socket.client: how packets are written to a connection, and the ways between the objects.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, next, settle, until } = require("../support/events");
const { openWebSocket } = require("../support/request");

eachTransport("a broadcast hands the same two objects to every recipient", async (t, transport) => {
  const app = await serve(t, { transport });
  const pairs = await app.connectAll(3);
  const calls = [];
  for (const { socket } of pairs) {
    const { writeToEngine } = socket.client;
    socket.client.writeToEngine = function (packets, options) {
      calls.push([packets, options]);
      return writeToEngine.call(this, packets, options);
    };
  }
  const heard = pairs.map(({ client }) => next(client, "event"));
  app.io.compress(false).emit("event", 1);
  assert.equal(calls.length, 3);
  const [[packets, options]] = calls;
  assert.ok(calls.every((call) => call[0] === packets && call[1] === options));
  assert.deepEqual(packets, ['2["event",1]']);
  const { preEncoded, compress } = options;
  assert.deepEqual([preEncoded, options.volatile, compress], [true, undefined, false]);
  for (const args of heard) {
    assert.deepEqual(await args, [1]);
  }
});

eachTransport("writeToEngine takes one packet or a list of them", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const heard = collect(client, "event", 3);
  socket.client.writeToEngine('2["event",1]', {});
  socket.client.writeToEngine(['51-["event",{"_placeholder":true,"num":0}]', Buffer.from([2])], {});
  socket.client.writeToEngine(['2["event",3]'], { compress: false });
  assert.deepEqual(await heard, [[1], [Buffer.from([2])], [3]]);
});

eachTransport(
  "writeToEngine drops what is volatile while nothing can be written",
  async (t, transport) => {
    const app = await serve(t, { transport });
    const { client, socket } = await app.connect();
    await settle(client, socket);
    const seen = [];
    client.on("event", (value) => seen.push(value));
    await until(() => socket.conn.transport.writable, "something can be written");
    socket.client.writeToEngine(['2["event",1]'], { volatile: true });
    assert.equal(socket.conn.transport.writable, false);
    socket.client.writeToEngine(['2["event",2]'], { volatile: true });
    socket.client.writeToEngine(['2["event",3]'], {});
    await settle(client, socket);
    assert.deepEqual(seen, [1, 3]);
  },
);

eachTransport("_packet takes packets, and what was encoded before", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const heard = collect(client, "event", 2);
  socket.client._packet({ type: 2, nsp: "/", data: ["event", 1] });
  socket.client._packet(['2["event",2]'], { preEncoded: true });
  assert.deepEqual(await heard, [[1], [2]]);
});

eachTransport("_packet ignores packets once the connection is not open", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect();
  const closed = next(socket.conn, "close");
  const written = [];
  socket.client.writeToEngine = (packets) => written.push(packets);
  socket.conn.close(true);
  await closed;
  socket.client._packet({ type: 2, nsp: "/", data: ["event"] });
  socket.client._packet(['2["event"]'], { preEncoded: true });
  assert.equal(socket.emit("event"), true);
  assert.deepEqual(written, []);
});

eachTransport("socket.packet is given packets by hand", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/other");
  const { client, socket } = await app.connect("/other");
  const heard = collect(client, "event", 2);
  socket.packet({ type: 2, data: ["event", 1] });
  socket.packet({ type: 2, data: ["event", Buffer.from([2])] }, { compress: false });
  assert.deepEqual(await heard, [[1], [Buffer.from([2])]]);
});

eachTransport("a wrapped socket.packet may change what is sent", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const { packet: send } = socket;
  socket.packet = function (packet, options) {
    if (packet.data?.[0] === "event") {
      packet.data = ["event", `sealed ${packet.data[1]}`];
    }
    return send.call(this, packet, options);
  };
  const heard = next(client, "event");
  socket.emit("event", "text");
  assert.deepEqual(await heard, ["sealed text"]);
});

test("_onclose by hand ends a socket for any reason, once", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  const reasons = [];
  socket.on("disconnecting", (...args) => reasons.push(["disconnecting", ...args]));
  socket.on("disconnect", (...args) => reasons.push(["disconnect", ...args]));
  socket._onclose("my reason", "more");
  socket._onclose("again");
  assert.deepEqual(reasons, [
    ["disconnecting", "my reason", "more"],
    ["disconnect", "my reason", "more"],
  ]);
  assert.equal(socket.connected, false);
  assert.equal(app.io.sockets.sockets.size, 0);
});

test("client.close() ends the sockets of a connection, then the connection", async (t) => {
  const app = await serve(t);
  app.io.of("/other");
  const main = await app.connect("/", { transports: ["websocket"] });
  const other = await app.share(main.client, "/other");
  const reasons = [];
  for (const { socket } of [main, other]) {
    socket.on("disconnect", (reason) => reasons.push([socket.nsp.name, reason]));
  }
  await settle(main.client, main.socket);
  await until(() => main.socket.conn.writeBuffer.length === 0, "all is written");
  const closed = next(main.socket.conn, "close");
  main.socket.client.close();
  assert.equal((await closed)[0], "forced close");
  assert.deepEqual(
    reasons.map(([name]) => name),
    ["/", "/other"],
  );
  assert.ok(reasons.every(([, reason]) => /^forced (server )?close$/.test(reason)));
});

eachTransport("there is a way from each object to the others", async (t, transport) => {
  const app = await serve(t, { transport });
  const { io } = app;
  const nsp = io.of("/other");
  const { client, socket } = await app.connect("/other");
  assert.equal(socket.nsp, nsp);
  assert.equal(socket.server, io);
  assert.equal(nsp.server, io);
  assert.equal(socket.adapter, nsp.adapter);
  assert.equal(nsp.adapter.nsp, nsp);
  assert.equal(socket.client.server, io);
  assert.equal(socket.client.nsps.get("/other"), socket);
  assert.equal(socket.client.sockets.get(socket.id), socket);
  assert.equal(socket.conn.server, io.engine);
  assert.equal(io.sockets, io.of("/"));
  assert.equal(io._nsps.get("/other"), nsp);
  socket.join("room");
  assert.equal(socket.rooms, nsp.adapter.sids.get(socket.id));
  const heard = next(client, "event");
  socket.nsp.to("room").emit("event");
  await heard;
});

eachTransport("a client knows its sockets by id and by namespace", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const connection = next(app.io.of("/other"), "connection");
  const other = client.io.socket("/other");
  const [second] = await connection;
  const { sockets, nsps } = socket.client;
  await until(() => sockets.size === 2, "both are known");
  assert.deepEqual(
    [...sockets],
    [
      [socket.id, socket],
      [second.id, second],
    ],
  );
  assert.deepEqual(
    [...nsps],
    [
      ["/", socket],
      ["/other", second],
    ],
  );
  client.disconnect();
  await until(() => sockets.size === 1, "one has left");
  assert.deepEqual([[...sockets.keys()], [...nsps.keys()]], [[second.id], ["/other"]]);
  assert.equal(socket.client.sockets, sockets);
  other.disconnect();
  await until(() => nsps.size === 0, "the other has left");
});

eachTransport("a client with one socket shows it when it is asked", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  assert.deepEqual([...socket.client.nsps], [["/", socket]]);
  assert.equal(socket.client.sockets.get(socket.id), socket);
  const { client: leaving, socket: left } = await app.connect();
  const gone = next(left, "disconnect");
  leaving.disconnect();
  await gone;
  assert.deepEqual([left.client.sockets.size, left.client.nsps.size], [0, 0]);
  await settle(client, socket);
});

test("the handlers of a client are bound to it", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  const { onclose, ondata, ondecoded, onerror } = socket.client;
  for (const [name, handler] of Object.entries({ onclose, ondata, ondecoded, onerror })) {
    assert.equal(typeof handler, "function");
    assert.ok(Object.hasOwn(socket.client, name));
    assert.equal(socket.client[name], handler);
  }
  const heard = next(socket, "event");
  ondata('2["event",1]');
  assert.deepEqual(await heard, [1]);
  const left = next(socket, "disconnect");
  onclose("my reason");
  assert.deepEqual(await left, ["my reason", undefined]);
});

eachTransport("a client's listeners can be taken off its connection", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = [];
  socket.onAny((...args) => seen.push(args));
  const { conn } = socket;
  assert.equal(conn.listenerCount("data"), 1);
  conn.removeListener("data", socket.client.ondata);
  const held = [];
  const isHeld = new Promise((resolve) => {
    conn.on("data", (data) => {
      held.push(data);
      resolve();
    });
  });
  client.emit("held", 1);
  await isHeld;
  await new Promise(setImmediate);
  assert.deepEqual([held, seen], [['2["held",1]'], []]);
  for (const data of held) {
    socket.client.ondata(data);
  }
  await until(() => seen.length > 0);
  assert.deepEqual(seen, [["held", 1]]);
  conn.on("data", socket.client.ondata);
  const again = next(socket, "again");
  client.emit("again", 2);
  assert.deepEqual(await again, [2]);
  conn.emit("data", '2["own",3]');
  await until(() => seen.length > 2);
  assert.deepEqual(seen[2], ["own", 3]);
  conn.removeListener("close", socket.client.onclose);
  let isTold = false;
  socket.on("disconnect", () => (isTold = true));
  const gone = next(conn, "close");
  client.io.engine.close();
  await gone;
  assert.equal(isTold, false);
});

test("a packet without data is written without any", async (t) => {
  const app = await serve(t);
  const connection = next(app.io, "connection");
  const url = `${app.url}/socket.io/?EIO=4&transport=websocket`;
  const { webSocket, messages } = await openWebSocket(t, url);
  webSocket.send("40");
  const [socket] = await connection;
  socket.packet({ type: 2 });
  socket.packet({ type: 3, id: 7 });
  await until(() => messages.length === 4, "both have arrived");
  assert.deepEqual(messages.slice(2), ["42", "437"]);
});
