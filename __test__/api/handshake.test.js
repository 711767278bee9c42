"use strict";

// The first request of a session: what the server sees of it, who may refuse it,
// which headers and ids it gives.

const assert = require("node:assert/strict");
const net = require("node:net");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, deferred, next } = require("../support/events");
const { openPolling, openWebSocket, request } = require("../support/request");

eachTransport("socket.handshake shows the first request", async (t, transport) => {
  const app = await serve(t, { transport });
  const before = Date.now();
  const { socket } = await app.connect("/", {
    query: { token: "a b", empty: "", unicode: "é" },
    extraHeaders: { "x-test": "header" },
  });
  const { handshake } = socket;
  assert.equal(handshake.headers["x-test"], "header");
  assert.equal(handshake.headers.host, `127.0.0.1:${app.port}`);
  assert.equal(handshake.query.token, "a b");
  assert.equal(handshake.query.empty, "");
  assert.equal(handshake.query.unicode, "é");
  assert.equal(handshake.query.EIO, "4");
  assert.equal(handshake.query.transport, transport.client.transports[0]);
  assert.match(handshake.url, /^\/socket\.io\/\?.*EIO=4/);
  assert.match(handshake.address, /127\.0\.0\.1$/);
  assert.equal(handshake.secure, false);
  assert.equal(handshake.xdomain, false);
  assert.equal(typeof handshake.issued, "number");
  assert.ok(handshake.issued >= before && handshake.issued <= Date.now());
  assert.equal(handshake.time, new Date(handshake.issued).toString());
});

eachTransport("socket.request is the first request", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect("/", { extraHeaders: { cookie: "session=42" } });
  const { request: req } = socket;
  assert.ok(req === socket.client.request);
  assert.ok(req === socket.conn.request);
  assert.equal(req.headers.cookie, "session=42");
  assert.equal(req.method, "GET");
  assert.equal(req._query.EIO, "4");
  assert.equal(req.headers, socket.handshake.headers);
  assert.match(req.connection.remoteAddress, /127\.0\.0\.1$/);
  assert.equal(typeof req.connection.remotePort, "number");
});

eachTransport("allowRequest may refuse a client", async (t, transport) => {
  const allowRequest = (req, done) => done(null, false);
  const app = await serve(t, { transport, options: { allowRequest } });
  app.io.engine.on("connection", () => assert.fail("refused"));
  const refused = next(app.io.engine, "connection_error");
  const [error] = await next(app.open(), "connect_error");
  assert.match(error.message, /^(xhr poll error|websocket error)$/);
  const [{ code, message }] = await refused;
  assert.deepEqual([code, message], [4, "Forbidden"]);
  assert.equal(app.io.engine.clientsCount, 0);
});

eachTransport("allowRequest sees the request and may answer later", async (t, transport) => {
  const seen = [];
  const allowRequest = (req, done) => {
    seen.push([req._query.token, req.headers["x-test"]]);
    setImmediate(done, null, req._query.token === "good");
  };
  const app = await serve(t, { transport, options: { allowRequest } });
  const { client } = await app.connect("/", {
    query: { token: "good" },
    extraHeaders: { "x-test": "header" },
  });
  assert.equal(client.connected, true);
  // Asked for the handshake only: not for polls, posts or the upgrade.
  assert.deepEqual(seen, [["good", "header"]]);
  await next(app.open("/", { query: { token: "bad" } }), "connect_error");
});

test("the reason that allowRequest gives is sent", async (t) => {
  const allowRequest = (req, done) => done("not today", false);
  const app = await serve(t, { options: { allowRequest } });
  const refused = collect(app.io.engine, "connection_error", 2);
  const { response } = await openPolling(app.url);
  assert.equal(response.status, 403);
  assert.deepEqual(JSON.parse(response.text), { code: 4, message: "not today" });
  const url = `${app.url}/socket.io/?EIO=4&transport=websocket`;
  const answer = await openWebSocket(t, url);
  assert.deepEqual([answer.accepted, answer.status, answer.body], [false, 400, "not today"]);
  for (const [{ code, message, context }] of await refused) {
    assert.deepEqual([code, message, context], [4, "Forbidden", { message: "not today" }]);
  }
});

const REFUSALS = [
  {
    title: "an unknown transport",
    query: "?EIO=4&transport=carrier-pigeon",
    expected: [0, "Transport unknown", { transport: "carrier-pigeon" }],
  },
  {
    title: "an unknown session",
    query: "?EIO=4&transport=polling&sid=unknown",
    expected: [1, "Session ID unknown", { sid: "unknown" }],
  },
  {
    title: "a session named like a property of objects",
    query: "?EIO=4&transport=polling&sid=__proto__",
    expected: [1, "Session ID unknown", { sid: "__proto__" }],
  },
  {
    title: "a handshake that is not a GET",
    method: "POST",
    query: "?EIO=4&transport=polling",
    expected: [2, "Bad handshake method", { method: "POST" }],
  },
  {
    title: "a plain request for a WebSocket",
    query: "?EIO=4&transport=websocket",
    expected: [3, "Bad request", { name: "TRANSPORT_HANDSHAKE_ERROR" }],
  },
  {
    title: "an older protocol",
    query: "?EIO=3&transport=polling",
    expected: [5, "Unsupported protocol version", { protocol: 3 }],
  },
];

for (const { title, method, query, expected } of REFUSALS) {
  test(`${title} is refused and told to the application`, async (t) => {
    const app = await serve(t);
    const refused = next(app.io.engine, "connection_error");
    const response = await request(`${app.url}/socket.io/${query}`, { method });
    const [code, message] = expected;
    assert.equal(response.status, 400);
    assert.equal(response.headers["content-type"], "application/json");
    assert.deepEqual(JSON.parse(response.text), { code, message });
    const [refusal] = await refused;
    assert.deepEqual([refusal.code, refusal.message, refusal.context], expected);
    assert.ok(refusal.req.url.endsWith(query));
  });
}

test("a WebSocket for an unknown session is refused", async (t) => {
  const app = await serve(t);
  const refused = next(app.io.engine, "connection_error");
  const url = `${app.url}/socket.io/?EIO=4&transport=websocket&sid=unknown`;
  const answer = await openWebSocket(t, url);
  assert.deepEqual([answer.accepted, answer.status], [false, 400]);
  assert.equal((await refused)[0].code, 1);
});

test("transports that are not enabled are refused", async (t) => {
  const app = await serve(t, { options: { transports: ["websocket"] } });
  const { response } = await openPolling(app.url);
  assert.deepEqual(JSON.parse(response.text), { code: 0, message: "Transport unknown" });
  const { client } = await app.connect("/", { transports: ["websocket"] });
  assert.equal(client.connected, true);
});

test("without the WebSocket transport clients poll", async (t) => {
  const app = await serve(t, { options: { transports: ["polling"] } });
  const { open } = await openPolling(app.url);
  assert.deepEqual(open.upgrades, []);
  const { client } = await app.connect();
  assert.equal(client.io.engine.transport.name, "polling");
});

test("the open packet says what the server offers", async (t) => {
  const app = await serve(t);
  const { open, response } = await openPolling(app.url);
  assert.deepEqual(Object.keys(open), [
    ...["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"],
  ]);
  assert.deepEqual(open.upgrades, ["websocket"]);
  assert.match(open.sid, /^[\w-]{20}$/);
  assert.equal(response.headers["content-type"], "text/plain; charset=UTF-8");
  assert.equal(response.headers["cache-control"], "no-store");
});

test("allowUpgrades: false offers no upgrade", async (t) => {
  const app = await serve(t, { options: { allowUpgrades: false } });
  assert.deepEqual((await openPolling(app.url)).open.upgrades, []);
});

test("no cookie is set unless asked for", async (t) => {
  const app = await serve(t);
  assert.equal((await openPolling(app.url)).response.headers["set-cookie"], undefined);
});

test("cookie: true sets a cookie with the id of the session", async (t) => {
  const app = await serve(t, { options: { cookie: true } });
  const { open, response } = await openPolling(app.url);
  assert.deepEqual(response.headers["set-cookie"], [
    `io=${open.sid}; Path=/; HttpOnly; SameSite=Lax`,
  ]);
});

test("the cookie can be configured", async (t) => {
  const cookie = { name: "sid", path: "/chat", httpOnly: false, sameSite: "strict", maxAge: 60 };
  const app = await serve(t, { options: { cookie } });
  const { open, response } = await openPolling(app.url);
  assert.deepEqual(response.headers["set-cookie"], [
    `sid=${open.sid}; Max-Age=60; Path=/chat; SameSite=Strict`,
  ]);
});

test("initial_headers adds headers to the handshake only", async (t) => {
  const app = await serve(t);
  const asked = [];
  app.io.engine.on("initial_headers", (headers, req) => {
    asked.push(req._query.transport);
    headers["x-initial"] = "yes";
    headers["set-cookie"] = "own=1";
  });
  const { open, response } = await openPolling(app.url);
  assert.equal(response.headers["x-initial"], "yes");
  assert.deepEqual(response.headers["set-cookie"], ["own=1"]);
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const post = await request(url, { method: "POST", body: "40" });
  assert.equal(post.headers["x-initial"], undefined);
  const direct = `${app.url}/socket.io/?EIO=4&transport=websocket`;
  assert.equal((await openWebSocket(t, direct)).headers["x-initial"], "yes");
  assert.deepEqual(asked, ["polling", "websocket"]);
});

test("headers adds headers to every answer", async (t) => {
  const app = await serve(t);
  app.io.engine.on("headers", (headers, req) => {
    headers["x-every"] = req.method;
  });
  const { open, response } = await openPolling(app.url);
  assert.equal(response.headers["x-every"], "GET");
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const connection = next(app.io, "connection");
  const post = await request(url, { method: "POST", body: "40" });
  assert.equal(post.headers["x-every"], "POST");
  await connection;
  assert.equal((await request(url)).headers["x-every"], "GET");
  const direct = `${app.url}/socket.io/?EIO=4&transport=websocket`;
  assert.equal((await openWebSocket(t, direct)).headers["x-every"], "GET");
});

eachTransport("generateId names the sessions", async (t, transport) => {
  const app = await serve(t, { transport });
  let count = 0;
  app.io.engine.generateId = (req) => `custom-${req._query.tag}-${++count}`;
  const { client, socket } = await app.connect("/", { query: { tag: "x" } });
  assert.equal(client.io.engine.id, "custom-x-1");
  assert.equal(socket.conn.id, "custom-x-1");
  assert.deepEqual(Object.keys(app.io.engine.clients), ["custom-x-1"]);
  assert.notEqual(socket.id, "custom-x-1");
});

eachTransport("generateId may be asynchronous", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.engine.generateId = async () => "looked-up";
  const { socket } = await app.connect();
  assert.equal(socket.conn.id, "looked-up");
});

test("a client that resets its connection while generateId works is forgotten", async (t) => {
  const app = await serve(t);
  const asking = deferred();
  app.io.engine.generateId = async (req) => {
    asking.resolve();
    // Node's socket is broken by then, and has not said that it is closed.
    await new Promise((resolve) => req.socket.once("error", () => setImmediate(resolve)));
    return "too-late";
  };
  const socket = net.connect(app.port, "127.0.0.1");
  const headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
  headers.push("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Host: localhost", "", "");
  socket.write(["GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", ...headers].join("\r\n"));
  await asking.promise;
  socket.resetAndDestroy();
  app.io.engine.generateId = () => "in-time";
  const { socket: other } = await app.connect();
  assert.equal(other.conn.id, "in-time");
  assert.equal(app.io.engine.clientsCount, 1);
});

test("an error of generateId refuses the client", async (t) => {
  const app = await serve(t);
  const failure = new Error("no id");
  app.io.engine.generateId = () => {
    throw failure;
  };
  const refused = next(app.io.engine, "connection_error");
  const { response } = await openPolling(app.url);
  assert.equal(response.status, 400);
  assert.deepEqual(JSON.parse(response.text), { code: 3, message: "Bad request" });
  const [{ code, context }] = await refused;
  assert.equal(code, 3);
  assert.equal(context.name, "ID_GENERATION_ERROR");
  assert.ok(context.error === failure);
});

test("ids of sessions and sockets are 20 characters and never the same", async (t) => {
  const app = await serve(t);
  const ids = new Set();
  for (const { client, socket } of await app.connectAll(5)) {
    assert.match(socket.id, /^[\w-]{20}$/);
    assert.match(socket.conn.id, /^[\w-]{20}$/);
    assert.equal(client.id, socket.id);
    ids.add(socket.id).add(socket.conn.id);
  }
  assert.equal(ids.size, 10);
});

test("initialPacket is sent with the handshake", async (t) => {
  const app = await serve(t, { options: { initialPacket: "hello" } });
  const response = await request(`${app.url}/socket.io/?EIO=4&transport=polling`);
  const [open, message] = response.text.split("\x1e");
  assert.match(open, /^0\{/);
  assert.equal(message, "4hello");
});

test("a custom path keeps its query", async (t) => {
  const app = await serve(t, { options: { path: "/a/b" } });
  const seen = deferred();
  app.io.use((socket, done) => {
    seen.resolve(socket.handshake.url);
    done();
  });
  await app.connect("/", { query: { x: "1" } });
  assert.match(await seen.promise, /^\/a\/b\/\?x=1&EIO=4&transport=/);
});
