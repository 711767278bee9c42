"use strict";

// What is not plain WebSocket and polling over Node's http server: other WebSocket
// servers, uWebSockets.js, WebTransport.

const assert = require("node:assert/strict");
const { createRequire } = require("node:module");
const path = require("node:path");
const { io: connectTo } = require("socket.io-client");
const { WebSocketServer } = require("ws");
const { isReference, target } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { next, settle, until } = require("../support/events");
const { openPolling, request } = require("../support/request");
const { startFakeApp } = require("../support/fake-uws");
const { FakeSession } = require("../support/fake-webtransport");

/** A WebSocket server that is more than the one of the ws package. */
class CountingServer extends WebSocketServer {
  handleUpgrade(req, socket, head, done) {
    CountingServer.count++;
    super.handleUpgrade(req, socket, head, done);
  }

  static count = 0;
}

eachTransport("a foreign wsEngine takes the WebSockets", async (t, transport) => {
  const before = CountingServer.count;
  const app = await serve(t, { transport, options: { wsEngine: CountingServer } });
  const one = await app.connect();
  const two = await app.connect();
  assert.equal(CountingServer.count - before, transport.final === "polling" ? 0 : 2);
  assert.ok(app.io.engine.ws instanceof CountingServer);
  one.socket.join("room");
  one.socket.on("question", (answer) => answer(Buffer.from([1, 2])));
  assert.deepEqual(await one.client.emitWithAck("question"), Buffer.from([1, 2]));
  const received = [next(one.client, "event"), next(two.client, "all")];
  app.io.to("room").emit("event", 1);
  app.io.emit("all", 2);
  assert.deepEqual(await Promise.all(received), [[1], [2]]);
  const left = next(one.socket, "disconnect");
  one.client.disconnect();
  await left;
  assert.deepEqual([...app.io.sockets.adapter.sids.keys()], [two.socket.id]);
});

test("a foreign wsEngine is warned of once", async (t) => {
  if (isReference) {
    return t.skip("the reference has no native transports");
  }
  const { spawnSync } = require("node:child_process");
  const script = `
    const { Server } = require(${JSON.stringify(path.resolve(__dirname, "../.."))});
    const { WebSocketServer } = require("ws");
    class Own extends WebSocketServer {}
    for (let i = 0; i < 2; i++) new Server(require("http").createServer(), { wsEngine: Own });
    new Server(require("http").createServer(), { wsEngine: WebSocketServer });
  `;
  const { stderr, status } = spawnSync(process.execPath, ["-e", script], {
    cwd: __dirname,
    encoding: "utf8",
  });
  assert.equal(status, 0);
  assert.equal(stderr.split("FERRIO_WS_ENGINE").length, 2, stderr);
  return undefined;
});

test("limits that do not hold for a connection are warned of once", async (t) => {
  if (isReference) {
    return t.skip("the reference has no such limits");
  }
  const warnings = [];
  const onWarning = ({ code, message }) => {
    if (code === "FERRIO_OPTION_WITHOUT_EFFECT") {
      warnings.push(message.split('"')[1]);
    }
  };
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  const options = {
    rateLimit: { events: 5 },
    maxBackpressure: 1e6,
    transports: ["polling", "websocket", "webtransport"],
  };
  const app = await serve(t, { options });
  await app.connect("/", { transports: ["websocket"] });
  assert.deepEqual(warnings, [], "such a connection is the core's");
  await app.connect("/", { transports: ["polling"] });
  await app.connect("/", { transports: ["polling"] });
  assert.deepEqual(warnings, ["rateLimit", "maxBackpressure"]);
  return undefined;
});

const COPIES = {
  "ws.Server": () => require("ws").Server,
  "ws.WebSocketServer": () => WebSocketServer,
  "another copy of ws": () => {
    // Evaluated anew: other classes with the same code.
    const file = path.join(path.dirname(require.resolve("ws")), "lib", "websocket-server.js");
    const kept = require.cache[file];
    delete require.cache[file];
    const copy = createRequire(__filename)(file);
    require.cache[file] = kept;
    assert.notEqual(copy, WebSocketServer);
    return copy;
  },
};

for (const [title, load] of Object.entries(COPIES)) {
  test(`wsEngine: ${title} is served like the default`, async (t) => {
    const wsEngine = load();
    const app = await serve(t, { options: { wsEngine } });
    assert.ok(app.io.engine.ws instanceof wsEngine);
    const { client, socket } = await app.connect("/", { transports: ["websocket"] });
    await settle(client, socket);
    if (!isReference) {
      assert.ok(socket.conn instanceof require("../../lib/engine").Socket);
    }
  });
}

/** The reference patches the adapter of all servers. */
function keepAdapter(t) {
  const { Adapter } = require("socket.io-adapter");
  const { addAll, del, broadcast } = Adapter.prototype;
  atEnd(t, () => Object.assign(Adapter.prototype, { addAll, del, broadcast }));
}

test("attachApp serves clients of uWebSockets.js", async (t) => {
  const { app, url } = await startFakeApp(t);
  const io = new target.Server();
  keepAdapter(t);
  assert.equal(io.attachApp(app), undefined);
  atEnd(t, () => io.engine.close());
  io.on("connection", (socket) => {
    socket.join("room");
    socket.on("question", (answer) => answer(socket.handshake.address));
  });
  const clients = [1, 2].map(() => {
    const client = connectTo(url, { forceNew: true, transports: ["polling"] });
    atEnd(t, () => client.disconnect());
    return client;
  });
  await Promise.all(clients.map((client) => next(client, "connect")));
  assert.equal(io.engine.clientsCount, 2);
  assert.equal(await clients[0].emitWithAck("question"), "10.1.2.3");
  const received = clients.map((client) => next(client, "event"));
  io.to("room").emit("event", Buffer.from([1]));
  for (const args of received) {
    assert.deepEqual(await args, [Buffer.from([1])]);
  }
  const byOther = next(clients[1], "other");
  io.sockets.sockets.get(clients[0].id).broadcast.emit("other", 1);
  assert.deepEqual(await byOther, [1]);
});

test("attachApp serves the client files", async (t) => {
  const { app, url } = await startFakeApp(t);
  const io = new target.Server();
  keepAdapter(t);
  io.attachApp(app, { path: "/socket.io" });
  const file = await request(`${url}/socket.io/socket.io.js`);
  assert.equal(file.status, 200);
  assert.equal(file.headers["content-type"], "application/javascript; charset=utf-8");
  assert.match(file.text, /Socket\.IO/);
  const headers = { "if-none-match": file.headers.etag };
  assert.equal((await request(`${url}/socket.io/socket.io.js`, { headers })).status, 304);
  assert.equal((await request(`${url}/socket.io/other.js`)).status, 404);
});

/** Opens a WebTransport session; resolves once the server has it. */
async function openSession(app) {
  const session = new FakeSession();
  const connection = next(app.io.engine, "connection");
  await Promise.all([app.io.engine.onWebTransportSession(session), session.send({ type: "open" })]);
  const [conn] = await connection;
  const { type, data } = await session.receive();
  assert.equal(type, "open");
  assert.equal(JSON.parse(data).sid, conn.id);
  return { conn, session };
}

const WEBTRANSPORT = { transports: ["polling", "websocket", "webtransport"] };

test("a WebTransport session is a client like any other", async (t) => {
  const app = await serve(t, { options: WEBTRANSPORT });
  const { conn, session } = await openSession(app);
  assert.equal(app.io.engine.clients[conn.id], conn);
  assert.equal(app.io.engine.clientsCount, 1);
  assert.equal(conn.transport.name, "webtransport");
  assert.equal(conn.server, app.io.engine);
  assert.equal(conn.remoteAddress, undefined);
  const connection = next(app.io, "connection");
  await session.send({ type: "message", data: "0" });
  const [socket] = await connection;
  assert.deepEqual(await session.receive(), { type: "message", data: `0{"sid":"${socket.id}"}` });
  assert.deepEqual(socket.handshake.headers, {});
  assert.equal(socket.handshake.secure, true);
  const { client } = await app.connect("/", { transports: ["websocket"] });
  const other = next(client, "event");
  app.io.emit("event", 1);
  assert.deepEqual(await session.receive(), { type: "message", data: '2["event",1]' });
  assert.deepEqual(await other, [1]);
  const received = next(socket, "up");
  await session.send({ type: "message", data: '2["up",2]' });
  assert.deepEqual(await received, [2]);
  const left = next(socket, "disconnect");
  conn.close();
  assert.equal((await left)[0], "forced close");
  assert.equal(session.wasClosed, true);
  await until(() => app.io.engine.clientsCount === 1);
});

test("with WebTransport the other transports work and may upgrade", async (t) => {
  const app = await serve(t, { options: WEBTRANSPORT });
  const { open } = await openPolling(app.url);
  assert.deepEqual(open.upgrades, ["websocket", "webtransport"]);
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    const { client, socket } = await app.connect("/", { transports });
    await until(() => socket.conn.transport.name === transports.at(-1));
    await settle(client, socket);
  }
});

test("a polling client may upgrade to WebTransport", async (t) => {
  const app = await serve(t, { options: WEBTRANSPORT });
  const { client, socket } = await app.connect("/", { transports: ["polling"], upgrade: false });
  const session = new FakeSession();
  const data = JSON.stringify({ sid: socket.conn.id });
  await Promise.all([
    app.io.engine.onWebTransportSession(session),
    session.send({ type: "open", data }),
  ]);
  await session.send({ type: "ping", data: "probe" });
  assert.deepEqual(await session.receive(), { type: "pong", data: "probe" });
  const upgraded = next(socket.conn, "upgrade");
  await session.send({ type: "upgrade" });
  assert.equal((await upgraded)[0].name, "webtransport");
  socket.emit("event", 1);
  assert.deepEqual(await session.receive(), { type: "message", data: '2["event",1]' });
  client.disconnect();
});

test("WebTransport sessions are refused when there is a middleware", async (t) => {
  const app = await serve(t, { options: WEBTRANSPORT });
  app.io.engine.use((req, res, done) => done());
  const session = new FakeSession();
  await app.io.engine.onWebTransportSession(session);
  assert.equal(session.wasClosed, true);
  assert.equal(app.io.engine.clientsCount, 0);
});

test("a WebTransport session for an unknown client is closed", async (t) => {
  const app = await serve(t, { options: WEBTRANSPORT });
  const session = new FakeSession();
  await Promise.all([
    app.io.engine.onWebTransportSession(session),
    session.send({ type: "open", data: '{"sid":"unknown"}' }),
  ]);
  await session.closed;
  assert.equal(app.io.engine.clientsCount, 0);
});

test("wsEngine is made with the limits of the engine, and without tracking", async (t) => {
  const made = [];
  class Noting extends WebSocketServer {
    constructor(options) {
      made.push({ ...options });
      super(options);
    }
  }
  const options = {
    wsEngine: Noting,
    maxHttpBufferSize: 4321,
    perMessageDeflate: { threshold: 7 },
  };
  await serve(t, { options });
  assert.deepEqual(made[0], {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: { threshold: 7 },
    maxPayload: 4321,
  });
});

test("attachApp hands the options of uWebSockets.js on", async (t) => {
  const { app } = await startFakeApp(t);
  keepAdapter(t);
  let given;
  app.ws = (path, behavior) => {
    given = [path, behavior];
    return app;
  };
  const io = new target.Server();
  io.attachApp(app, { compression: 1, idleTimeout: 60, maxBackpressure: 777 });
  const [path, { compression, idleTimeout, maxBackpressure }] = given;
  assert.equal(path, "/socket.io/");
  assert.deepEqual([compression, idleTimeout, maxBackpressure], [1, 60, 777]);
});

test("attachApp leaves the adapters of the process alone", async (t) => {
  if (isReference) {
    return t.skip("the reference patches them");
  }
  const { Adapter } = require("socket.io-adapter");
  const before = Object.getOwnPropertyDescriptors(Adapter.prototype);
  const { app } = await startFakeApp(t);
  new target.Server().attachApp(app);
  assert.deepEqual(Object.getOwnPropertyDescriptors(Adapter.prototype), before);
  return undefined;
});
