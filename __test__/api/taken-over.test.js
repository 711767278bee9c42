"use strict";

// What is left of Node's socket, and of the http server's view of it, when a WebSocket is served
// without Node.

const assert = require("node:assert/strict");
const cluster = require("node:cluster");
const net = require("node:net");
const path = require("node:path");
const { Duplex } = require("node:stream");
const { io: connectTo } = require("socket.io-client");
const { acceptor, isReference, name } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { connected, connectThrough, serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { next, settle, until } = require("../support/events");

const WEBSOCKET = { transports: ["websocket"] };

const connectionsOf = (httpServer) =>
  new Promise((resolve) => httpServer.getConnections((error, count) => resolve(count)));

test("the addresses of both ends can be read while a WebSocket is open", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", WEBSOCKET);
  await settle(client, socket);
  const { localPort } = client.io.engine.transport.ws._socket;
  for (const stream of [socket.request.socket, socket.request.connection]) {
    assert.deepEqual(
      [stream.remoteAddress, stream.remotePort, stream.remoteFamily],
      ["127.0.0.1", localPort, "IPv4"],
    );
    assert.deepEqual([stream.localAddress, stream.localPort], ["127.0.0.1", app.port]);
    assert.equal(stream.destroyed, false);
  }
});

test("a WebSocket's request tells what the client has sent", async (t) => {
  const app = await serve(t);
  const extraHeaders = { "X-Colon": "one: two", "X-Empty": "", "X-Latin": "\u00e9" };
  const { client, socket } = await app.connect("/", { ...WEBSOCKET, extraHeaders });
  const { request } = socket;
  assert.equal(request, socket.request);
  assert.equal(request, socket.conn.request);
  assert.equal(socket.handshake.headers, request.headers);
  assert.deepEqual([request.method, request.httpVersion], ["GET", "1.1"]);
  assert.equal(request.url, socket.handshake.url);
  assert.equal(request._query.transport, "websocket");
  assert.equal(request.headers.upgrade, "websocket");
  assert.deepEqual(
    ["x-colon", "x-empty", "x-latin"].map((name) => request.headers[name]),
    ["one: two", "", "\u00e9"],
  );
  assert.equal(request.rawHeaders[request.rawHeaders.indexOf("X-Colon") + 1], "one: two");
  await settle(client, socket);
});

test("a WebSocket's request has the stream that the application has seen", async (t) => {
  const app = await serve(t);
  const accepted = next(app.httpServer, "connection");
  const { client, socket } = await app.connect("/", WEBSOCKET);
  const [stream] = await accepted;
  assert.equal(socket.request.socket, stream);
  await settle(client, socket);
  const gone = next(client, "disconnect");
  stream.destroy();
  await gone;
});

test("a WebSocket's request is the one that the application has seen", async (t) => {
  const app = await serve(t);
  const upgraded = next(app.httpServer, "upgrade");
  const { client, socket } = await app.connect("/", WEBSOCKET);
  const [request, stream] = await upgraded;
  assert.equal(socket.request, request);
  assert.equal(socket.request.socket, stream);
  await settle(client, socket);
});

test("the stream of the request closes with the WebSocket, not before", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", WEBSOCKET);
  const stream = socket.request.socket;
  let closed = false;
  stream.on("close", () => (closed = true));
  await settle(client, socket);
  assert.equal(closed, false);
  client.disconnect();
  await until(() => closed, "the stream is closed");
});

test("WebSockets count as connections of the http server, which waits for them", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", WEBSOCKET);
  assert.equal(await connectionsOf(app.httpServer), 1);
  let stopped = false;
  const stop = new Promise((resolve) => {
    app.httpServer.close(() => resolve((stopped = true)));
  });
  await settle(client, socket);
  assert.equal(stopped, false);
  client.disconnect();
  await stop;
});

test("maxConnections counts WebSockets", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", WEBSOCKET);
  app.httpServer.maxConnections = 1;
  const dropped = next(app.httpServer, "drop");
  const stranger = net.connect(app.port, "127.0.0.1").on("error", () => {});
  atEnd(t, () => stranger.destroy());
  await dropped;
  app.httpServer.maxConnections = 0;
  await settle(client, socket);
});

test("what has been written through a WebSocket's stream is counted", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", WEBSOCKET);
  await settle(client, socket);
  assert.ok(socket.request.socket.bytesWritten > 0);
});

test("whoever destroys the sockets of the http server ends the WebSockets", async (t) => {
  const app = await serve(t);
  const streams = [];
  app.httpServer.on("connection", (stream) => streams.push(stream));
  const { client, socket } = await app.connect("/", WEBSOCKET);
  const ends = [next(socket, "disconnect"), next(client, "disconnect")];
  streams.forEach((stream) => stream.destroy());
  const [[reason]] = await Promise.all(ends);
  assert.equal(reason, "transport close");
});

test("timeouts of the http server do not end a WebSocket", async (t) => {
  const app = await serve(t);
  app.httpServer.timeout = 50;
  const { client, socket } = await app.connect("/", WEBSOCKET);
  const idle = net.connect(app.port, "127.0.0.1");
  await next(idle.resume(), "close");
  await settle(client, socket);
});

test("an error of the stream that comes late is no uncaught exception", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect("/", WEBSOCKET);
  const { socket: stream } = socket.request;
  assert.equal(stream.emit("error", new Error("late")), true);
});

const passes = isReference && "there the bytes pass through the stream";
test("bytes of a WebSocket do not pass through Node's stream", { skip: passes }, async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", WEBSOCKET);
  socket.request.socket.on("data", () => assert.fail("nothing passes here"));
  await settle(client, socket);
});

const apart = acceptor === "native" && "the native listener takes them before the http server";
test("who wraps emit of the http server sees upgrades", { skip: apart }, async (t) => {
  const app = await serve(t);
  const seen = [];
  const { emit } = app.httpServer;
  app.httpServer.emit = function (event, ...args) {
    seen.push(event);
    return emit.call(this, event, ...args);
  };
  await app.connect("/", WEBSOCKET);
  await app.connect("/", { transports: ["polling"] });
  assert.ok(seen.includes("upgrade") && seen.includes("request"), seen.join());
});

/** A stream without a descriptor, as proxies and tests make them. */
function wrapped(stream) {
  const duplex = new Duplex({
    read: () => {},
    write: (chunk, encoding, done) => stream.write(chunk, done),
    final: (done) => stream.end(done),
    destroy(error, done) {
      stream.destroy();
      done(error);
    },
  });
  stream.on("data", (chunk) => duplex.push(chunk));
  stream.on("end", () => duplex.push(null));
  stream.on("error", () => duplex.destroy());
  return duplex;
}

eachTransport("streams without a descriptor are served", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await connectThrough(t, app, wrapped);
  socket.on("echo", (bytes, answer) => answer(bytes));
  const bytes = Buffer.alloc(100_000, "bytes");
  assert.ok(bytes.equals(await client.emitWithAck("echo", bytes)));
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
});

test("a worker that is disconnected serves its clients to their end", async (t) => {
  cluster.setupPrimary({ exec: path.join(__dirname, "../support/fixtures/worker.js"), args: [] });
  const worker = cluster.fork({ FERRIO_TEST_TARGET: name });
  atEnd(t, () => worker.process.kill("SIGKILL"));
  const [port] = await next(worker, "message");
  const client = connectTo(`http://127.0.0.1:${port}`, { reconnection: false, ...WEBSOCKET });
  atEnd(t, () => client.disconnect());
  await connected(client);
  const exited = next(worker, "exit");
  worker.disconnect();
  // Until the worker has been told, and once more.
  while (!(await client.emitWithAck("told")));
  assert.equal(await client.emitWithAck("told"), true);
  client.disconnect();
  assert.deepEqual(await exited, [0, null]);
});
