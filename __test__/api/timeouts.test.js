"use strict";

// Time limits for clients that start and do not go on: connectTimeout, upgradeTimeout.

const assert = require("node:assert/strict");
const { Socket: EngineClient } = require("engine.io-client");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { collect, deferred, next, settle, until } = require("../support/events");
const { openPolling, openWebSocket, request } = require("../support/request");

/** Where a client of the engine alone finds it. */
const ENGINE = { path: "/socket.io/" };

eachTransport("a client that joins no namespace is closed", async (t, transport) => {
  const app = await serve(t, { transport, options: { connectTimeout: 30 } });
  app.io.on("connection", () => assert.fail("no namespace was joined"));
  const opened = next(app.io.engine, "connection");
  const client = new EngineClient(app.url, { ...ENGINE, ...transport.client });
  atEnd(t, () => client.close());
  const left = next(client, "close");
  const [conn] = await opened;
  const closed = next(conn, "close");
  assert.equal((await left)[0], "transport close");
  assert.equal((await closed)[0], "forced close");
  assert.equal(app.io.engine.clientsCount, 0);
});

test("a client that is closed at any moment of its upgrade hears of it", async (t) => {
  const app = await serve(t);
  let delay = 0;
  app.io.engine.on("connection", (conn) => setTimeout(() => conn.close(), (delay += 0.5)));
  const clients = Array.from({ length: 80 }, () => new EngineClient(app.url, ENGINE));
  atEnd(t, () => clients.forEach((client) => client.close()));
  const left = await Promise.all(clients.map((client) => next(client, "close")));
  assert.deepEqual(new Set(left.map(([reason]) => reason)), new Set(["transport close"]));
  assert.equal(app.io.engine.clientsCount, 0);
});

test("a client whose connection is discarded in the middle of its upgrade hears of it", async (t) => {
  const app = await serve(t);
  const opened = next(app.io.engine, "connection");
  const client = new EngineClient(app.url, ENGINE);
  atEnd(t, () => client.close());
  const probe = deferred();
  client._probe = probe.resolve;
  const [conn] = await opened;
  await probe.promise;
  await until(() => conn.transport.writable, "a GET waits");
  client.once("upgrading", () => conn.close(true));
  const left = next(client, "close");
  delete client._probe;
  client._probe("websocket");
  assert.equal((await left)[0], "transport close");
  assert.equal(app.io.engine.clientsCount, 0);
});

eachTransport("a client that joined a namespace in time is not closed", async (t, transport) => {
  const options = { connectTimeout: 1_000, pingInterval: 400, pingTimeout: 10_000 };
  const app = await serve(t, { transport, options });
  const { client, socket } = await app.connect();
  // Three pings take longer than the time limit.
  await collect(client.io, "ping", 3);
  assert.equal(socket.connected, true);
});

eachTransport("a client refused by every namespace is closed", async (t, transport) => {
  const app = await serve(t, { transport, options: { connectTimeout: 1_000 } });
  app.io.use((socket, done) => done(new Error("refused")));
  const opened = next(app.io.engine, "connection");
  // A Socket.IO client would close the connection by itself.
  const client = new EngineClient(app.url, { ...ENGINE, ...transport.client });
  atEnd(t, () => client.close());
  const refused = next(client, "message");
  client.write("0");
  const [conn] = await opened;
  const closed = next(conn, "close");
  assert.equal((await refused)[0], '4{"message":"refused"}');
  assert.equal((await closed)[0], "forced close");
});

test("a probe that does not become an upgrade is closed, and polling goes on", async (t) => {
  const app = await serve(t, { options: { upgradeTimeout: 500 } });
  const opened = next(app.io.engine, "connection");
  const { open } = await openPolling(app.url);
  const [conn] = await opened;
  const path = `/socket.io/?EIO=4&sid=${open.sid}`;
  const { webSocket } = await openWebSocket(t, `${app.url}${path}&transport=websocket`);
  const answered = next(webSocket, "message");
  const closed = next(webSocket, "close");
  webSocket.send("2probe");
  assert.equal(String((await answered)[0]), "3probe");
  await closed;

  assert.equal(conn.transport.name, "polling");
  assert.equal(conn.readyState, "open");
  const polling = `${app.url}${path}&transport=polling`;
  const connection = next(app.io, "connection");
  assert.equal((await request(polling, { method: "POST", body: "40" })).text, "ok");
  const [socket] = await connection;
  assert.match((await request(polling)).text, new RegExp(`40\\{"sid":"${socket.id}"\\}`));
});

test("a WebSocket for a session that says nothing is closed, and polling goes on", async (t) => {
  const app = await serve(t, { options: { upgradeTimeout: 50 } });
  const opened = next(app.io.engine, "connection");
  const { open } = await openPolling(app.url);
  const [conn] = await opened;
  const url = `${app.url}/socket.io/?EIO=4&sid=${open.sid}&transport=websocket`;
  const { webSocket } = await openWebSocket(t, url);
  await next(webSocket, "close");
  assert.equal(conn.transport.name, "polling");
  assert.equal(conn.readyState, "open");
});

test("fake timers drive acknowledgements and the time for connecting", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  await settle(client, socket);
  const apis = ["setTimeout"];
  // Node 18 takes the list itself.
  t.mock.timers.enable(process.version.startsWith("v18.") ? apis : { apis });
  const results = [];
  socket.timeout(5_000).emit("unanswered", (error) => results.push(error.message));
  app.io.timeout(6_000).emit("unanswered", (error) => results.push(error.message));
  const idle = new Promise((resolve) => app.io.engine.once("connection", resolve));
  const { webSocket } = await openWebSocket(t, `${app.url}/socket.io/?EIO=4&transport=websocket`);
  const conn = await idle;
  assert.deepEqual(results, []);
  t.mock.timers.tick(5_000);
  assert.deepEqual(results, ["operation has timed out"]);
  t.mock.timers.tick(1_000);
  assert.equal(results.length, 2);
  const closed = new Promise((resolve) => conn.once("close", resolve));
  t.mock.timers.tick(45_000);
  assert.equal(await closed, "forced close");
  t.mock.timers.reset();
  webSocket.terminate();
});
