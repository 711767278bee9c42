"use strict";

// Engines that an application feeds by itself, and the steps of a handshake that it
// replaces.

const assert = require("node:assert/strict");
const http = require("node:http");
const { io: connectTo } = require("socket.io-client");
const engineIo = require("engine.io");
const { WebSocketServer } = require("ws");
const { engine, target } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { listen, serve } = require("../support/app");
const { atEnd, closeServerAtEnd } = require("../support/cleanup");
const { deferred, next, until } = require("../support/events");
const { openPolling, openWebSocket, request } = require("../support/request");

const webSocketUrl = (app) => `${app.url}/socket.io/?EIO=4&transport=websocket`;

test("verify may be replaced", async (t) => {
  const app = await serve(t);
  const { engine: server } = app.io;
  const original = server.verify;
  const seen = [];
  server.verify = function (req, upgrade, done) {
    seen.push(upgrade);
    if (req.headers["x-shard"] === "other") {
      return done(3, { name: "OTHER_SHARD" });
    }
    return original.call(this, req, upgrade, done);
  };
  const refused = next(server, "connection_error");
  const { response } = await openPolling(app.url, { headers: { "x-shard": "other" } });
  assert.deepEqual(JSON.parse(response.text), { code: 3, message: "Bad request" });
  assert.deepEqual((await refused)[0].context, { name: "OTHER_SHARD" });
  assert.equal((await openPolling(app.url)).response.status, 200);
  assert.equal((await openWebSocket(t, webSocketUrl(app))).accepted, true);
  assert.deepEqual(seen, [false, false, true]);
});

test("prepare leaves a query alone that is there already", async (t) => {
  const app = await serve(t);
  const req = { url: "/socket.io/?EIO=4&a=1&a=2&b=%20x" };
  app.io.engine.prepare(req);
  assert.deepEqual({ ...req._query }, { EIO: "4", a: "2", b: " x" });
  const preset = { url: "/?a=1", _query: { b: "2" } };
  app.io.engine.prepare(preset);
  assert.deepEqual(preset._query, { b: "2" });
});

eachTransport("an application may route requests to the engine itself", async (t, transport) => {
  const httpServer = http.createServer();
  const io = new target.Server({ path: "/nowhere" });
  const own = new engine.Server({ transports: ["polling", "websocket"] });
  io.bind(own);
  httpServer.on("request", (req, res) => {
    if (req.url.startsWith("/own/path/")) {
      own.handleRequest(req, res);
    } else {
      res.end("application");
    }
  });
  httpServer.on("upgrade", (req, socket, head) => own.handleUpgrade(req, socket, head));
  await listen(httpServer);
  atEnd(t, () => {
    own.close();
    httpServer.close();
    httpServer.closeAllConnections();
  });
  const app = { io, transport, url: `http://127.0.0.1:${httpServer.address().port}` };
  io.on("connection", (socket) => socket.on("question", (answer) => answer(42)));
  const client = connectTo(app.url, { forceNew: true, path: "/own/path", ...transport.client });
  atEnd(t, () => client.disconnect());
  await next(client, "connect");
  assert.equal(await client.emitWithAck("question"), 42);
  assert.equal((await request(app.url)).text, "application");
});

test("handleRequest and handleUpgrade may be wrapped", async (t) => {
  const app = await serve(t);
  const { engine: server } = app.io;
  const calls = [];
  for (const name of ["handleRequest", "handleUpgrade", "handshake", "_applyMiddlewares"]) {
    const original = server[name];
    server[name] = function (...args) {
      calls.push(name);
      return original.apply(this, args);
    };
  }
  await openPolling(app.url);
  await openWebSocket(t, webSocketUrl(app));
  const expected = ["_applyMiddlewares", "handshake"];
  assert.deepEqual(calls, ["handleRequest", ...expected, "handleUpgrade", ...expected]);
});

test("handshake resolves to the transport", async (t) => {
  const app = await serve(t);
  const { engine: server } = app.io;
  const transports = [];
  const original = server.handshake;
  server.handshake = async function (...args) {
    const transport = await original.apply(this, args);
    transports.push(transport);
    return transport;
  };
  const [conn] = await Promise.all([next(server, "connection"), openPolling(app.url)]);
  await until(() => transports.length === 1);
  assert.equal(transports[0], conn[0].transport);
});

test("createTransport may be replaced", async (t) => {
  const app = await serve(t);
  const { engine: server } = app.io;
  const original = server.createTransport;
  const names = [];
  server.createTransport = function (name, req) {
    names.push(name);
    const transport = original.call(this, name, req);
    transport.on("headers", (headers) => (headers["x-own"] = "yes"));
    return transport;
  };
  const { client, socket } = await app.connect("/", { transports: ["polling", "websocket"] });
  await until(() => socket.conn.transport.name === "websocket");
  socket.on("question", (answer) => answer("yes"));
  assert.equal(await client.emitWithAck("question"), "yes");
  assert.deepEqual(names, ["polling", "websocket"]);
  assert.equal((await openPolling(app.url)).response.headers["x-own"], "yes");
});

test("a createTransport that throws refuses the handshake", async (t) => {
  const app = await serve(t);
  app.io.engine.createTransport = () => {
    throw new Error("no transport");
  };
  const refused = next(app.io.engine, "connection_error");
  assert.equal((await openPolling(app.url)).response.status, 400);
  const [{ context }] = await refused;
  assert.equal(context.name, "TRANSPORT_HANDSHAKE_ERROR");
  assert.equal(context.error.message, "no transport");
});

test("a WebSocket that the application has accepted can be given to the engine", async (t) => {
  const httpServer = http.createServer();
  const io = new target.Server();
  const own = new engine.Server();
  io.bind(own);
  const accepting = new WebSocketServer({ noServer: true });
  httpServer.on("upgrade", (req, socket, head) => {
    accepting.handleUpgrade(req, socket, head, (websocket) => {
      own.prepare(req);
      own.onWebSocket(req, socket, websocket);
    });
  });
  await listen(httpServer);
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  atEnd(t, () => {
    own.close();
    httpServer.close();
    httpServer.closeAllConnections();
  });
  io.on("connection", (socket) => {
    socket.join("room");
    io.to("room").emit("hello", Buffer.from([1]));
    socket.on("question", (answer) => answer(socket.conn.transport.name));
  });
  const client = connectTo(url, { forceNew: true, transports: ["websocket"] });
  atEnd(t, () => client.disconnect());
  assert.deepEqual(await next(client, "hello"), [Buffer.from([1])]);
  assert.equal(await client.emitWithAck("question"), "websocket");
  assert.deepEqual([own.clientsCount, Object.keys(own.clients).length], [1, 1]);
  client.disconnect();
  await until(() => own.clientsCount === 0);
});

test("engine.ws is a WebSocket server with the limits of the options", async (t) => {
  const app = await serve(t, { options: { maxHttpBufferSize: 4321 } });
  const { ws } = app.io.engine;
  assert.equal(typeof ws.handleUpgrade, "function");
  assert.equal(ws.options.maxPayload, 4321);
  assert.equal(ws.options.noServer, true);
  assert.equal(app.io.engine.ws, ws);
  assert.equal((await serve(t, { options: { transports: ["polling"] } })).io.engine.ws, undefined);
});

test("engine.ws may be replaced by another WebSocket server", async (t) => {
  const app = await serve(t);
  const accepted = [];
  class Counting extends WebSocketServer {
    handleUpgrade(req, socket, head, done) {
      super.handleUpgrade(req, socket, head, (websocket) => {
        accepted.push(websocket);
        done(websocket);
      });
    }
  }
  app.io.engine.ws = new Counting({ noServer: true });
  for (const transports of [["websocket"], ["polling", "websocket"]]) {
    const { client, socket } = await app.connect("/", { transports });
    await until(() => socket.conn.transport.name === "websocket");
    assert.equal(socket.conn.transport.socket, accepted.at(-1));
    socket.on("question", (answer) => answer(1));
    assert.equal(await client.emitWithAck("question"), 1);
  }
  assert.equal(accepted.length, 2);
});

test("engine.attach serves a path of its own beside the application", async (t) => {
  const httpServer = http.createServer((req, res) => res.end("application"));
  const own = engine.attach(httpServer, { path: "/engine" });
  await listen(httpServer);
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  atEnd(t, () => {
    httpServer.close();
    httpServer.closeAllConnections();
  });
  const connection = next(own, "connection");
  const { open } = await openPolling(url, { path: "/engine/" });
  const [conn] = await connection;
  assert.equal(conn.id, open.sid);
  assert.equal((await request(`${url}/engine`)).text, "application");
  const received = next(conn, "message");
  const session = `${url}/engine/?EIO=4&transport=polling&sid=${open.sid}`;
  await request(session, { method: "POST", body: "4hello" });
  assert.deepEqual(await received, ["hello"]);
  conn.send("one").write(Buffer.from([1, 2]));
  assert.equal((await request(session)).text, "4one\x1ebAQI=");
  conn.close(true);
});

test("engine.listen makes an http server that answers 501 to requests of others", async (t) => {
  const listening = deferred();
  const own = engine.listen(0, { path: "/engine" }, listening.resolve);
  await listening.promise;
  atEnd(t, () => {
    own.httpServer.close();
    own.httpServer.closeAllConnections();
  });
  const url = `http://localhost:${own.httpServer.address().port}`;
  assert.equal((await request(`${url}/else`)).status, 501);
  const [[conn], { open }] = await Promise.all([
    next(own, "connection"),
    openPolling(url, { path: "/engine/" }),
  ]);
  assert.equal(conn.id, open.sid);
  conn.close(true);
});

test("io.bind takes an engine of the engine.io package", async (t) => {
  const httpServer = http.createServer();
  const io = new target.Server();
  const own = new engineIo.Server();
  own.attach(httpServer, { path: "/socket.io" });
  assert.equal(io.bind(own), io);
  assert.equal(io.engine, own);
  io.httpServer = httpServer;
  closeServerAtEnd(t, io);
  await listen(httpServer);
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  io.on("connection", (socket) => socket.join("room"));
  for (const transports of [["polling"], ["websocket"]]) {
    const client = connectTo(url, { forceNew: true, transports });
    atEnd(t, () => client.disconnect());
    await next(client, "connect");
    const received = next(client, "event");
    io.to("room").emit("event", transports[0]);
    assert.deepEqual(await received, transports);
  }
});
