"use strict";

// The order in which everything becomes known: one scenario, with a listener on all that can be
// listened to, run on this package and on the reference. The two logs are the same, word by word,
// whatever the transport, and whether or not somebody watches the packets of the connection.

const assert = require("node:assert/strict");
const http = require("node:http");
const { io: connectTo } = require("socket.io-client");
const connectOld = require("socket.io-client-v2");
const { test, TRANSPORTS } = require("../support/scenario");
const { atEnd, closeServerAtEnd } = require("../support/cleanup");
const { next, until } = require("../support/events");
const { target } = require("../support/target");

for (const { title, client, final } of Object.values(TRANSPORTS)) {
  for (const watched of [false, true]) {
    const how = watched ? ", packets watched" : "";
    test(`one log for both packages, ${title}${how}`, async (t) => {
      const ours = await record(t, target, { client, final, watched });
      const theirs = await record(t, require("socket.io"), { client, final, watched });
      assert.deepEqual(ours, theirs);
      assert.ok(ours.length > 40, `${ours.length} lines`);
    });
  }
}

for (const transport of ["websocket", "polling"]) {
  test(`one log for both packages, with an old client over ${transport}`, async (t) => {
    const ours = await recordOld(t, target, transport);
    const theirs = await recordOld(t, require("socket.io"), transport);
    assert.deepEqual(ours, theirs);
    assert.ok(ours.length > 12, `${ours.length} lines`);
  });
}

/** Runs the scenario and returns the log. */
async function record(t, { Server }, { client: options, final, watched }) {
  const { io, url, log } = await start(t, Server);
  watchNamespace(io.of("/"), log, "/");
  const admin = io.of("/admin").use((socket, go) => {
    log("/admin middleware", socket.handshake.auth);
    go(Object.assign(new Error("keep out"), { data: { code: 7 } }));
  });
  admin.on("connection", () => log("/admin connection"));
  io.of(/^\/child-\d$/).on("connection", (socket) => log("child connection", socket.nsp.name));
  io.use(async (socket, go) => {
    log("middleware 1", socket.connected, [...socket.rooms].length);
    await null;
    socket.join("early");
    go();
  });
  io.use((socket, go) => {
    log("middleware 2", [...socket.rooms]);
    process.nextTick(go);
  });
  let conn;
  const upgrade = [];
  io.engine.on("connection", (connection) => {
    conn = connection;
    log("engine connection", conn.readyState, io.engine.clientsCount, conn.transport.name);
    conn.on("close", (reason) => log("conn close", reason, io.engine.clientsCount));
    // Where an upgrade falls between the other lines is nobody's promise.
    conn.on("upgrading", (transport) => upgrade.push("upgrading", transport.name));
    conn.on("upgrade", (transport) => upgrade.push("upgrade", transport.name));
    if (watched) {
      conn.on("packet", ({ type }) => type !== "pong" && log("conn packet", type));
      conn.on("data", () => log("conn data"));
      conn.on("packetCreate", ({ type }) => type === "message" && log("conn packetCreate"));
    }
  });
  const joined = next(io, "connection");
  const client = open(t, connectTo, `${url}/`, { ...options, auth: { word: "secret" } });
  const connected = next(client, "connect");
  const heard = next(client, "hello");
  io.on("connect", (socket) => log("connect", socket.connected, [...socket.rooms].length));
  io.on("connection", (socket) => watchSocket(socket, log));
  const [socket] = await joined;
  await Promise.all([connected, heard]);
  await until(() => conn.transport.name === final);
  await until(() => client.io.engine.transport.name === final);

  await client.emitWithAck("question", 1, Buffer.from([1]));
  const dropped = next(socket, "error");
  client.emit("forbidden");
  await dropped;
  client.on("ask", (reply) => reply("fine"));
  log("answer", await socket.emitWithAck("ask"));
  log("broadcast", (await io.timeout(5_000).emitWithAck("ask")).length);

  const refused = client.io.socket("/admin", { auth: { a: 1 } });
  log("refused", (await next(refused, "connect_error"))[0].message);
  refused.disconnect();
  const unknown = client.io.socket("/nowhere");
  log("refused", (await next(unknown, "connect_error"))[0].message);
  unknown.disconnect();
  const child = client.io.socket("/child-1");
  await next(child, "connect");
  const childSocket = [...io.of("/child-1").sockets.values()][0];
  childSocket.on("disconnecting", (reason) => log("child disconnecting", reason));
  childSocket.on("disconnect", (reason) => log("child disconnect", reason, childSocket.connected));

  const thrown = next(child, "disconnect");
  log("left", childSocket.disconnect() === childSocket);
  await thrown;
  await next(child.connect(), "connect");
  const again = [...io.of("/child-1").sockets.values()][0];
  again.on("disconnect", (reason) => log("child disconnect", reason));
  const gone = next(conn, "close");
  socket.once("disconnect", () => process.nextTick(log, "tick after disconnect"));
  client.io.engine.close();
  await gone;
  await new Promise(setImmediate);
  log("left behind", socket.rooms.size, io.of("/").sockets.size, io.of("/").adapter.rooms.size);
  await io.close();
  return log.lines.concat(upgrade);
}

/** The same for a client of Socket.IO 2: shorter, since much of the rest needs none. */
async function recordOld(t, { Server }, transport) {
  const { io, url, log } = await start(t, Server, { allowEIO3: true });
  watchNamespace(io.of("/"), log, "/");
  io.use((socket, go) => go(log("middleware", socket.conn.protocol)));
  io.engine.on("connection", (conn) => {
    log("engine connection", conn.protocol);
    conn.on("close", (reason) => log("conn close", reason));
  });
  const joined = next(io, "connection");
  io.on("connection", (socket) => watchSocket(socket, log));
  const client = open(t, connectOld, `${url}/`, { transports: [transport] });
  const heard = next(client, "hello");
  const [socket] = await joined;
  await heard;
  await new Promise((resolve) => client.emit("question", 1, Buffer.from([1]), resolve));
  log(
    "answer",
    await new Promise((resolve) => {
      client.once("ask", (reply) => reply("fine"));
      socket.emit("ask", resolve);
    }),
  );
  const gone = next(socket, "disconnect");
  client.disconnect();
  await gone;
  await new Promise(setImmediate);
  log("left behind", socket.rooms.size, io.of("/").sockets.size, io.of("/").adapter.rooms.size);
  await io.close();
  return log.lines;
}

async function start(t, Server, options) {
  const httpServer = http.createServer();
  const io = new Server(httpServer, options);
  closeServerAtEnd(t, io);
  const listening = next(httpServer, "listening");
  httpServer.listen(0, "127.0.0.1");
  await listening;
  const lines = [];
  const log = Object.assign((...words) => void lines.push(words.map(told).join(" ")), { lines });
  io.on("new_namespace", (nsp) => log("new_namespace", nsp.name));
  io.engine.on("initial_headers", () => log("initial_headers"));
  return { io, url: `http://127.0.0.1:${httpServer.address().port}`, log };
}

function open(t, connect, url, options) {
  const client = connect(url, { forceNew: true, reconnection: false, ...options });
  atEnd(t, () => client.disconnect());
  return client;
}

function watchNamespace({ adapter }, log, name) {
  for (const event of ["create-room", "join-room", "leave-room", "delete-room"]) {
    adapter.on(event, (room) => log(name, event, room.length === 20 ? "own" : room));
  }
}

function watchSocket(socket, log) {
  log("connection", socket.connected, socket.nsp.sockets.size, socket.recovered);
  socket.use(([name], go) => {
    log("socket middleware", name);
    go(name === "forbidden" ? new Error("not that") : undefined);
  });
  socket.onAny((name, ...args) => log("any", name, args.length));
  socket.onAnyOutgoing((name) => log("any outgoing", name));
  socket.on("error", (error) => log("error", error.message));
  socket.on("forbidden", () => log("never"));
  socket.on("question", (number, bytes, reply) => {
    log("question", number, bytes);
    process.nextTick(log, "tick after question");
    Promise.resolve().then(() => log("microtask after question"));
    reply("answer");
    log("answered");
  });
  socket.on("disconnecting", (reason) => log("disconnecting", reason, socket.rooms.size));
  socket.on("disconnect", (reason) =>
    log("disconnect", reason, socket.rooms.size, socket.connected),
  );
  socket.join("late");
  socket.emit("hello", Buffer.from([1]));
  process.nextTick(log, "tick after connection");
}

function told(word) {
  return typeof word === "string" ? word : JSON.stringify(word);
}
