"use strict";

// The ways to put a server on a port or on an http server.

const assert = require("node:assert/strict");
const http = require("node:http");
const { target } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { App, closeAtEnd, connectThrough, listen, serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { next } = require("../support/events");
const { openPolling, request } = require("../support/request");

const { Server } = target;

/** Wraps a server made by the test itself, and closes it at the end. */
function own(t, io, transport, options) {
  const app = new App(io, transport, options);
  closeAtEnd(t, io, app);
  return app;
}

/** Proves that the app serves: an event goes there and its answer comes back. */
async function assertServes(app, namespace = "/") {
  const { client, socket } = await app.connect(namespace);
  socket.on("question", (value, answer) => answer(value + 1));
  assert.equal(await client.emitWithAck("question", 1), 2);
}

eachTransport("new Server(httpServer) serves clients", async (t, transport) => {
  const httpServer = http.createServer();
  const app = own(t, new Server(httpServer), transport);
  await listen(httpServer);
  await assertServes(app);
});

eachTransport("new Server(httpServer, options) applies the options", async (t, transport) => {
  const httpServer = http.createServer();
  const options = { path: "/custom" };
  const app = own(t, new Server(httpServer, options), transport, options);
  await listen(httpServer);
  await assertServes(app);
  assert.equal(app.io.path(), "/custom");
});

eachTransport("new Server(port) listens by itself", async (t, transport) => {
  const app = own(t, new Server(0), transport);
  await next(app.httpServer, "listening");
  await assertServes(app);
});

test("new Server(port, options) listens and applies the options", async (t) => {
  const options = { path: "/custom/" };
  const app = own(t, new Server(0, options), undefined, options);
  await next(app.httpServer, "listening");
  await assertServes(app);
});

test("a numeric string is a port", async (t) => {
  const app = own(t, new Server("0"));
  await next(app.httpServer, "listening");
  await assertServes(app);
});

test("the http server made for a port answers 404 to everything else", async (t) => {
  const app = own(t, new Server(0));
  await next(app.httpServer, "listening");
  assert.equal((await request(`${app.url}/elsewhere`)).status, 404);
});

test("a port in use is reported by the http server", async (t) => {
  const first = await serve(t);
  const second = new Server();
  const taken = http.createServer();
  second.attach(taken);
  const failed = next(taken, "error");
  taken.listen(first.port, "127.0.0.1");
  const [error] = await failed;
  assert.equal(error.code, "EADDRINUSE");
  second.engine.close();
});

for (const method of ["attach", "listen"]) {
  eachTransport(`new Server(options).${method}(httpServer) serves`, async (t, transport) => {
    const httpServer = http.createServer();
    const options = { path: "/custom" };
    const io = new Server(options);
    const app = own(t, io, transport, options);
    assert.equal(io[method](httpServer), io);
    await listen(httpServer);
    await assertServes(app);
  });

  test(`new Server().${method}(port) listens by itself`, async (t) => {
    const io = new Server();
    const app = own(t, io);
    io[method](0);
    await next(io.httpServer, "listening");
    await assertServes(app);
  });

  test(`new Server().${method}("port") takes a numeric string`, async (t) => {
    const io = new Server();
    const app = own(t, io);
    io[method]("0");
    await next(io.httpServer, "listening");
    await assertServes(app);
  });
}

test("attach(httpServer, options) applies the options", async (t) => {
  const httpServer = http.createServer();
  const io = new Server({ serveClient: false });
  const options = { path: "/late", pingInterval: 1234 };
  const app = own(t, io, undefined, options);
  io.attach(httpServer, { ...options });
  await listen(httpServer);
  await assertServes(app);
  assert.equal(io.engine.opts.pingInterval, 1234);
});

test("the options of the constructor win over those of attach", async (t) => {
  const httpServer = http.createServer();
  const io = new Server({ pingInterval: 1111 });
  const app = own(t, io);
  io.attach(httpServer, { pingInterval: 2222, pingTimeout: 3333 });
  await listen(httpServer);
  assert.equal(io.engine.opts.pingInterval, 1111);
  assert.equal(io.engine.opts.pingTimeout, 3333);
  await assertServes(app);
});

test("the package itself can be called with an http server", async (t) => {
  const httpServer = http.createServer();
  const io = target(httpServer);
  const app = own(t, io);
  assert.ok(io instanceof Server);
  await listen(httpServer);
  await assertServes(app);
});

test("the package itself can be called with an http server and options", async (t) => {
  const httpServer = http.createServer();
  const options = { path: "/called" };
  const app = own(t, target(httpServer, options), undefined, options);
  await listen(httpServer);
  await assertServes(app);
});

test("the package itself can be called with a port", async (t) => {
  const app = own(t, target(0));
  await next(app.httpServer, "listening");
  await assertServes(app);
});

test("the package itself can be called with options, and with nothing", async () => {
  assert.equal(target({ path: "/called" }).path(), "/called");
  assert.equal(target().path(), "/socket.io");
});

test("attach(requestHandler) throws and says what to pass instead", () => {
  const message =
    "You are trying to attach socket.io to an express request handler function. " +
    "Please pass a http.Server instance.";
  assert.throws(() => new Server(() => {}), { message });
  assert.throws(() => new Server().attach(function app() {}), { message });
});

test("attach works on an http server that listens already", async (t) => {
  const httpServer = http.createServer();
  await listen(httpServer);
  const app = own(t, new Server(httpServer));
  await assertServes(app);
});

eachTransport("attach works in the middle of a request", async (t, transport) => {
  let io;
  const httpServer = http.createServer((req, res) => {
    io ??= new Server(res.socket.server, { addTrailingSlash: false });
    res.end("attached");
  });
  await listen(httpServer);
  const url = `http://127.0.0.1:${httpServer.address().port}/api/socket`;
  assert.equal((await request(url)).text, "attached");
  const app = own(t, io, transport);
  await assertServes(app);
  assert.equal((await request(url)).text, "attached");
});

test("the path may be given with a trailing slash", async (t) => {
  const app = await serve(t, { options: { path: "/slash/" } });
  assert.equal(app.io.path(), "/slash");
  await assertServes(app);
});

test("anything below the path is served", async (t) => {
  const app = await serve(t);
  const answer = await request(`${app.url}/socket.io/anything?EIO=4&transport=polling`);
  assert.equal(answer.status, 200);
  assert.match(answer.text, /^0\{"sid":/);
});

test("the path without a trailing slash goes to the application", async (t) => {
  const httpServer = http.createServer((req, res) => res.end("application"));
  const app = await serve(t, { httpServer });
  const url = `${app.url}/socket.io?EIO=4&transport=polling`;
  assert.equal((await request(url)).text, "application");
});

test("addTrailingSlash: false serves the path without a slash", async (t) => {
  const app = await serve(t, { options: { addTrailingSlash: false } });
  const answer = await request(`${app.url}/socket.io?EIO=4&transport=polling`);
  assert.match(answer.text, /^0\{"sid":/);
});

eachTransport("several servers share an http server by path", async (t, transport) => {
  const httpServer = http.createServer();
  const apps = ["/first", "/second"].map((path) => {
    return own(t, new Server(httpServer, { path }), transport, { path });
  });
  await listen(httpServer);
  for (const app of apps) {
    app.io.on("connection", (socket) => socket.emit("path", app.path));
  }
  for (const app of apps) {
    const client = app.open();
    const [path] = await next(client, "path");
    assert.equal(path, app.path);
  }
});

eachTransport("several servers with a port each do not mix", async (t, transport) => {
  const [one, two] = [await serve(t, { transport }), await serve(t, { transport })];
  const first = await one.connect();
  const second = await two.connect();
  first.client.on("hello", () => assert.fail("sent by the other server"));
  const heard = next(second.client, "hello");
  two.io.emit("hello");
  await heard;
  assert.equal(one.io.sockets.sockets.size, 1);
  assert.equal(one.io.sockets.sockets.has(second.client.id), false);
  // The answer proves that everything sent before it has arrived.
  first.socket.on("question", (answer) => answer());
  await first.client.emitWithAck("question");
});

eachTransport("one server attached to two http servers serves both", async (t, transport) => {
  const [first, second] = [http.createServer(), http.createServer()];
  const io = new Server(first);
  const app = own(t, io, transport);
  await listen(first);
  const { client } = await app.connect();
  const { engine } = io;
  atEnd(t, () => {
    // io.close() is about the http server attached last.
    engine.close();
    first.close();
    first.closeAllConnections();
  });

  io.attach(second);
  await listen(second);
  assert.notEqual(io.engine, engine);
  assert.equal(io.httpServer, second);
  const { client: other } = await app.connect();
  const heard = Promise.all([next(client, "hello"), next(other, "hello")]);
  io.emit("hello");
  await heard;
});

test("unknown options are ignored", async (t) => {
  const app = await serve(t, { options: { forceJSONP: false, "log level": 1, origins: "*" } });
  await assertServes(app);
});

test("the settings of a server can be read and set by its methods", () => {
  const io = new Server();
  assert.equal(io.path("/elsewhere/"), io);
  assert.equal(io.path(), "/elsewhere");
  assert.equal(io.serveClient(), true);
  assert.equal(io.serveClient(false), io);
  assert.equal(io.serveClient(), false);
  assert.equal(io.connectTimeout(), 45000);
  assert.equal(io.connectTimeout(1000), io);
  assert.equal(io.connectTimeout(), 1000);
  assert.equal(typeof io.adapter(), "function");
});

test("attaching takes the place of the listeners that are there", async (t) => {
  const calls = [];
  const httpServer = http.createServer(function () {
    calls.push(["first", this === httpServer]);
  });
  httpServer.on("request", function (req, res) {
    calls.push(["second", this === httpServer]);
    res.end();
  });
  const app = await serve(t, { httpServer, options: { serveClient: false } });
  assert.equal(httpServer.listenerCount("request"), 1);
  assert.equal(httpServer.listenerCount("upgrade"), 1);
  assert.equal((await request(`${app.url}/page`)).status, 200);
  assert.deepEqual(calls, [
    ["first", true],
    ["second", true],
  ]);
  assert.equal((await openPolling(app.url)).response.status, 200);
  assert.equal(calls.length, 2);
});

test("without the WebSocket transport upgrades are not listened for", async (t) => {
  const { httpServer } = await serve(t, { options: { transports: ["polling"] } });
  assert.equal(httpServer.listenerCount("upgrade"), 0);
});

eachTransport("connections may be handed to the http server", async (t, transport) => {
  const app = await serve(t, { transport });
  const seen = [];
  app.httpServer.prependListener("request", (req) => seen.push(req.method));
  const { client, socket } = await connectThrough(t, app, (stream) => stream);
  socket.on("question", (answer) => answer("answer"));
  assert.equal(await client.emitWithAck("question"), "answer");
  if (transport.client.transports[0] === "polling") {
    assert.deepEqual(seen.slice(0, 1), ["GET"]);
  }
});
