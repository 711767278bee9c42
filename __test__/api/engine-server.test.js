"use strict";

// io.engine: its members, its events, and the parts of it that applications replace.

const assert = require("node:assert/strict");
const http = require("node:http");
const { EventEmitter } = require("node:events");
const engineIo = require("engine.io");
const { engine } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { deferred, next, until } = require("../support/events");
const { openPolling, openWebSocket, request } = require("../support/request");

const webSocketUrl = (app, query = "") => `${app.url}/socket.io/?EIO=4&transport=websocket${query}`;

test("the engine has the exports of engine.io", () => {
  assert.deepEqual(Object.keys(engine).sort(), Object.keys(engineIo).sort());
  for (const [name, value] of Object.entries(engineIo)) {
    assert.equal(typeof engine[name], typeof value, name);
  }
  assert.equal(engine.protocol, 4);
  assert.deepEqual(Object.keys(engine.transports), Object.keys(engineIo.transports));
  assert.deepEqual(engine.transports.polling.upgradesTo, ["websocket", "webtransport"]);
  assert.deepEqual(engine.parser.decodePacket("4a"), { type: "message", data: "a" });
  assert.deepEqual(engine.Server.errors, engineIo.Server.errors);
  assert.deepEqual(engine.Server.errorMessages, engineIo.Server.errorMessages);
});

test("io.engine and io.eio are one instance of the engine's server", async (t) => {
  const { io } = await serve(t);
  assert.equal(io.engine, io.eio);
  assert.ok(io.engine instanceof engine.Server);
  assert.ok(io.engine instanceof EventEmitter);
});

const MEMBERS = {
  server: [
    ...["attach", "close", "cleanup", "createTransport", "generateId", "handleRequest"],
    ...["handleUpgrade", "handshake", "init", "onWebSocket", "onWebTransportSession", "prepare"],
    ...["upgrades", "use", "verify", "_applyMiddlewares", "_computePath"],
  ],
  conn: [
    ...["clearTransport", "close", "closeTransport", "flush", "getAvailableUpgrades", "onClose"],
    ...["onDrain", "onError", "onOpen", "onPacket", "resetPingTimeout", "schedulePing", "send"],
    ...["sendPacket", "setTransport", "write", "_maybeUpgrade"],
  ],
  transport: ["close", "discard", "onClose", "onData", "onError", "onPacket", "onRequest", "send"],
  polling: ["doClose", "doWrite", "headers", "onDataRequest", "onPollRequest", "write"],
};

eachTransport("engine, connection and transport have their members", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect();
  const { conn } = socket;
  const objects = { server: app.io.engine, conn, transport: conn.transport };
  if (conn.transport.name === "polling") {
    objects.polling = conn.transport;
  }
  for (const [name, object] of Object.entries(objects)) {
    for (const member of MEMBERS[name]) {
      assert.equal(typeof object[member], "function", `${name}.${member}`);
    }
    assert.ok(object instanceof EventEmitter);
  }
  assert.equal(conn.server, app.io.engine);
  assert.equal(conn.readyState, "open");
  assert.equal(conn._readyState, "open");
  assert.equal(conn.protocol, 4);
  assert.equal(conn.upgrading, false);
  const { transports } = transport.client;
  assert.equal(conn.upgraded, transports.length === 2);
  assert.equal(conn.remoteAddress, "127.0.0.1");
  assert.ok(conn.request instanceof http.IncomingMessage);
  assert.ok(Array.isArray(conn.writeBuffer) && Array.isArray(conn.packetsFn));
  assert.ok(Array.isArray(conn.sentCallbackFn) && Array.isArray(conn.cleanupFn));
  assert.equal(conn.hasRefreshedPingTimeout, false);
  assert.equal(conn.transport.protocol, 4);
  assert.equal(conn.transport.readyState, "open");
  assert.equal(conn.transport.discarded, false);
  assert.equal(conn.transport.supportsBinary, true);
  assert.deepEqual(conn.transport.parser.decodePacket("2"), { type: "ping" });
  assert.deepEqual(app.io.engine.middlewares, []);
});

eachTransport("clients and clientsCount follow the connections", async (t, transport) => {
  const app = await serve(t, { transport });
  const { engine: server } = app.io;
  assert.deepEqual([server.clientsCount, Object.keys(server.clients)], [0, []]);
  const [one, two] = await app.connectAll(2);
  assert.equal(server.clientsCount, 2);
  assert.equal(server.clients[one.socket.conn.id], one.socket.conn);
  const ids = [one, two].map(({ socket }) => socket.conn.id);
  assert.deepEqual(Object.keys(server.clients).sort(), ids.sort());
  const left = next(one.socket, "disconnect");
  server.clients[one.socket.conn.id].close();
  assert.equal((await left)[0], "forced close");
  await until(() => server.clientsCount === 1);
  assert.deepEqual(Object.keys(server.clients), [two.socket.conn.id]);
});

test("a client that is deleted from clients is unknown", async (t) => {
  const app = await serve(t);
  const { open } = await openPolling(app.url);
  await until(() => app.io.engine.clientsCount === 1);
  const conn = app.io.engine.clients[open.sid];
  delete app.io.engine.clients[open.sid];
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  assert.equal(JSON.parse((await request(url)).text).code, 1);
  conn.close(true);
});

test("clients that are not in an object that takes the place of clients are unknown", async (t) => {
  const app = await serve(t);
  const [known, unknown] = [await openPolling(app.url), await openPolling(app.url)];
  await until(() => app.io.engine.clientsCount === 2);
  const { clients } = app.io.engine;
  const urlOf = ({ open }) => `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  app.io.engine.clients = { [known.open.sid]: clients[known.open.sid] };
  const body = "40";
  assert.equal((await request(urlOf(known), { method: "POST", body })).text, "ok");
  assert.equal(JSON.parse((await request(urlOf(unknown))).text).code, 1);
  clients[unknown.open.sid].close(true);
});

test("options are read when they are used", async (t) => {
  const app = await serve(t);
  const { opts } = app.io.engine;
  assert.deepEqual(opts.transports, ["polling", "websocket"]);
  opts.pingInterval = 1234;
  opts.pingTimeout = 2345;
  opts.maxHttpBufferSize = 10;
  const { open } = await openPolling(app.url);
  assert.deepEqual(
    [open.pingInterval, open.pingTimeout, open.maxPayload, open.upgrades],
    [1234, 2345, 10, ["websocket"]],
  );
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  assert.equal((await request(url, { method: "POST", body: "40".padEnd(11) })).status, 413);
  opts.allowUpgrades = false;
  assert.deepEqual((await openPolling(app.url)).open.upgrades, []);
  opts.allowUpgrades = true;
  opts.transports = ["polling"];
  assert.deepEqual((await openPolling(app.url)).open.upgrades, []);
  opts.allowRequest = (req, done) => done("not today", false);
  const { response } = await openPolling(app.url);
  assert.deepEqual(JSON.parse(response.text), { code: 4, message: "not today" });
});

const GENERATORS = {
  "a function": (ids) => () => ids.shift(),
  "an async function": (ids) => async (req) => {
    await null;
    assert.ok(req._query.EIO);
    return ids.shift();
  },
};

for (const [title, make] of Object.entries(GENERATORS)) {
  eachTransport(`generateId may be replaced by ${title}`, async (t, transport) => {
    const app = await serve(t, { transport });
    const ids = ["first", "an id, of any length: é/?&=#%20 and more than 20 characters"];
    app.io.engine.generateId = make([...ids]);
    for (const id of ids) {
      const { client, socket } = await app.connect();
      assert.equal(socket.conn.id, id);
      assert.equal(client.io.engine.id, id);
      assert.equal(app.io.engine.clients[id], socket.conn);
    }
  });
}

for (const [title, fail] of Object.entries({
  throws: () => {
    throw new Error("no ids");
  },
  rejects: () => Promise.reject(new Error("no ids")),
})) {
  test(`a generateId that ${title} refuses the handshake`, async (t) => {
    const app = await serve(t);
    app.io.engine.generateId = fail;
    for (const open of [() => openPolling(app.url), () => openWebSocket(t, webSocketUrl(app))]) {
      const refused = next(app.io.engine, "connection_error");
      await open().catch(() => {});
      const [{ code, context, req }] = await refused;
      assert.deepEqual([code, context.name], [3, "ID_GENERATION_ERROR"]);
      assert.equal(context.error.message, "no ids");
      assert.equal(req._query.EIO, "4");
    }
    assert.equal(app.io.engine.clientsCount, 0);
  });
}

test("close closes all connections, drops what they wait for and returns the engine", async (t) => {
  const app = await serve(t);
  const polling = await app.connect("/", { transports: ["polling"] });
  const webSocket = await app.connect("/", { transports: ["websocket"] });
  const reasons = [polling, webSocket].map(({ socket }) => next(socket, "disconnect"));
  assert.equal(app.io.engine.close(), app.io.engine);
  for (const reason of reasons) {
    assert.equal((await reason)[0], "forced close");
  }
  assert.equal(app.io.engine.clientsCount, 0);
  const again = await openWebSocket(t, webSocketUrl(app));
  assert.deepEqual([again.accepted, again.status], [false, 503]);
});

test("init makes a closed engine take WebSockets again", async (t) => {
  const app = await serve(t);
  app.io.engine.close();
  app.io.engine.init();
  assert.equal((await openWebSocket(t, webSocketUrl(app))).accepted, true);
});

test("cleanup refuses new WebSockets only", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  app.io.engine.cleanup();
  assert.equal((await openWebSocket(t, webSocketUrl(app))).status, 503);
  socket.on("question", (answer) => answer(1));
  assert.equal(await client.emitWithAck("question"), 1);
});

eachTransport("the engine tells of each flush and drain", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect();
  const seen = [];
  const flushed = deferred();
  app.io.engine.on("flush", (conn, buffer) => {
    if (conn === socket.conn) {
      seen.push(["flush", buffer.map(({ type, data }) => [type, data])]);
    }
  });
  app.io.engine.on("drain", (conn) => {
    if (conn === socket.conn) {
      seen.push(["drain"]);
      flushed.resolve();
    }
  });
  socket.conn.send("hello");
  await flushed.promise;
  assert.deepEqual(seen.slice(0, 2), [["flush", [["message", "hello"]]], ["drain"]]);
});

for (const transport of ["websocket", "polling"]) {
  test(`the first flush of a connection over ${transport} is that of its open packet`, async (t) => {
    const app = await serve(t);
    const { engine: server } = app.io;
    const seen = [];
    server.on("flush", (conn, buffer) => {
      const [{ type, options, data }] = buffer;
      const isOpen = type === "open" && JSON.parse(data).sid === conn.id;
      seen.push(["flush", isOpen ? "open" : data, options.compress, server.clientsCount]);
    });
    server.on("drain", () => seen.push(["drain", server.clientsCount]));
    const opened = next(server, "connection").then(([conn]) => {
      seen.push(["connection", conn.transport.writable]);
    });
    server.once("connection", (conn) => {
      conn.send("first");
      seen.push(["waiting", conn.writeBuffer.length]);
    });
    const polled = transport === "polling" ? await openPolling(app.url) : undefined;
    if (polled === undefined) {
      await openWebSocket(t, webSocketUrl(app));
    }
    await opened;
    assert.deepEqual(seen.slice(0, 4), [
      ["flush", "open", true, 0],
      ["drain", 0],
      ["waiting", 1],
      ["connection", false],
    ]);
    if (polled !== undefined) {
      const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${polled.open.sid}`;
      assert.equal((await request(url)).text, "4first");
    }
    await until(() => seen.length === 6, "the first message to be flushed");
    assert.deepEqual(seen.slice(4), [
      ["flush", "first", true, 1],
      ["drain", 1],
    ]);
  });
}

test("the header events are told of every answer", async (t) => {
  const app = await serve(t);
  const { engine: server } = app.io;
  const calls = [];
  for (const event of ["initial_headers", "headers"]) {
    server.on(event, (headers, req) => {
      calls.push([event, req.method, req._query.transport]);
      headers[`x-${event.replace("_", "-")}`] = "1";
    });
  }
  const seen = ({ headers }) => [headers["x-initial-headers"], headers["x-headers"]];
  const { open, response } = await openPolling(app.url);
  assert.deepEqual(seen(response), ["1", "1"]);
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const posted = await request(url, { method: "POST", body: "40" });
  assert.deepEqual(seen(posted), [undefined, "1"]);
  const upgraded = await openWebSocket(t, webSocketUrl(app, `&sid=${open.sid}`));
  assert.deepEqual(seen(upgraded), [undefined, "1"]);
  const direct = await openWebSocket(t, webSocketUrl(app));
  assert.deepEqual(seen(direct), ["1", "1"]);
  assert.deepEqual(calls, [
    ["initial_headers", "GET", "polling"],
    ["headers", "GET", "polling"],
    ["headers", "POST", "polling"],
    ["headers", "GET", "websocket"],
    ["initial_headers", "GET", "websocket"],
    ["headers", "GET", "websocket"],
  ]);
});

test("paths and upgrades are computed as documented", async (t) => {
  const { engine: server } = (await serve(t)).io;
  assert.equal(server._computePath({}), "/engine.io/");
  assert.equal(server._computePath({ path: "/a/" }), "/a/");
  assert.equal(server._computePath({ path: "/a", addTrailingSlash: false }), "/a");
  assert.deepEqual(server.upgrades("polling"), ["websocket", "webtransport"]);
  assert.deepEqual(server.upgrades("websocket"), []);
});
