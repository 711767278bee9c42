"use strict";

// Engine.IO handshakes over both transports: the open packet, and the parameters read on the way.
// Refusals are in engine-refusals.test.js.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { until } = require("../support/events");
const { acceptor } = require("../support/target");
const { startServer } = require("./support");

const OPEN_KEYS = ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"];

test("the open packet over polling has the documented keys, order and defaults", async (t) => {
  const server = await startServer(t);
  const { handshake } = await server.polling();
  assert.deepEqual(Object.keys(handshake), OPEN_KEYS);
  const { sid, ...rest } = handshake;
  assert.match(sid, /^[\w-]{20}$/);
  assert.deepEqual(rest, {
    upgrades: ["websocket"],
    pingInterval: 25000,
    pingTimeout: 20000,
    maxPayload: 1e6,
  });
});

test("the open packet over WebSocket offers no upgrade", async (t) => {
  const server = await startServer(t);
  const { handshake } = await server.websocket();
  assert.deepEqual(Object.keys(handshake), OPEN_KEYS);
  assert.match(handshake.sid, /^[\w-]{20}$/);
  assert.deepEqual(handshake.upgrades, []);
});

test("the open packet carries the configured limits", async (t) => {
  const options = { pingInterval: 1234, pingTimeout: 567, maxHttpBufferSize: 89 };
  const server = await startServer(t, options);
  for (const client of [await server.polling(), await server.websocket()]) {
    const { pingInterval, pingTimeout, maxPayload } = client.handshake;
    assert.deepEqual([pingInterval, pingTimeout, maxPayload], [1234, 567, 89]);
  }
});

for (const options of [{ allowUpgrades: false }, { transports: ["polling"] }]) {
  test(`no upgrade is offered with ${JSON.stringify(options)}`, async (t) => {
    const server = await startServer(t, options);
    const { handshake } = await server.polling();
    assert.deepEqual(handshake.upgrades, []);
  });
}

test("session ids differ, and a socket id tells nothing of the session id", async (t) => {
  const server = await startServer(t);
  const clients = [await server.join(), await server.join(), await server.polling()];
  const ids = new Set(clients.flatMap((client) => [client.sid, ...Object.values(client.ids)]));
  assert.equal(ids.size, 5);
});

test("the session count follows handshakes and ends", async (t) => {
  const server = await startServer(t);
  const polling = await server.polling();
  const websocket = await server.websocket();
  // A listener that is native hears of clients before JavaScript does.
  await until(() => server.io.engine.clientsCount === 2, "both are counted");
  await polling.post("1");
  await polling.closed();
  assert.equal(server.io.engine.clientsCount, 1);
  websocket.wire.end();
  await websocket.closed();
  assert.equal(server.io.engine.clientsCount, 0);
});

test("an empty sid is a handshake", async (t) => {
  const server = await startServer(t);
  const client = await server.polling({ sid: "" });
  await client.join();
});

test("query values are percent-decoded and the last duplicate wins", async (t) => {
  const server = await startServer(t);
  const path = "/socket.io/?EIO=3&transport=nothing&EIO=4&transport=poll%69ng&word=a+b%2Bc";
  const response = await server.request({ path });
  assert.equal(response.status, 200);
  assert.equal(response.text[0], "0");
  const { conn } = server.sessions.get(JSON.parse(response.text.slice(1)).sid);
  assert.equal(conn.request._query.word, "a b+c");
});

const random = acceptor !== "node" && "the core makes ids that are random throughout";
test("ids end in a counter, one for sessions and one for sockets", { skip: random }, async (t) => {
  const server = await startServer(t);
  const clients = [await server.join(), await server.join()];
  const count = (id) => Buffer.from(id, "base64url").readUIntBE(12, 3);
  const [first, second] = clients.map((client) => [count(client.sid), count(client.ids["/"])]);
  assert.deepEqual([second[0] - first[0], second[1] - first[1]], [1, 1]);
});

test("a request below the path is the engine's, any other is the application's", async (t) => {
  const server = await startServer(t);
  const query = "?EIO=4&transport=polling";
  const below = await server.request({ path: `/socket.io/deeper${query}` });
  assert.deepEqual([below.status, below.text[0]], [200, "0"]);
  for (const path of [`/socket.io${query}`, `/socket.iox/${query}`, "/"]) {
    const other = await server.request({ path });
    assert.deepEqual([path, other.status, other.text], [path, 404, "application"]);
  }
});

test("a custom path and no trailing slash are honoured", async (t) => {
  const server = await startServer(t, { path: "/here/", addTrailingSlash: false });
  const here = await server.request({ path: "/here?EIO=4&transport=polling" });
  assert.deepEqual([here.status, here.text[0]], [200, "0"]);
  const usual = await server.request({ query: { transport: "polling" } });
  assert.equal(usual.text, "application");
});

for (const transport of ["polling", "websocket"]) {
  test(`allowRequest lets a ${transport} handshake through`, async (t) => {
    const server = await startServer(t, {
      allowRequest: (req, done) => done(null, req.headers["x-token"] === "good"),
    });
    const headers = { "X-Token": "good" };
    if (transport === "websocket") {
      const client = await server.websocket({ headers });
      assert.ok(client.sid);
    } else {
      const response = await server.request({ query: { transport }, headers });
      assert.equal(response.status, 200);
    }
  });
}

test("a polling session belongs to its sid, not to a TCP connection", async (t) => {
  const server = await startServer(t);
  const client = await server.polling();
  await client.join();
  for (let i = 0; i < 3; i++) await client.echo();
});
