"use strict";

// Engine.IO requests that are refused: status, body and "connection_error", over HTTP and on a
// WebSocket upgrade. Faults of the WebSocket handshake itself are in websocket-handshake.test.js.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { isReference, startHostile, startServer } = require("./support");

const REFUSED = {
  0: "Transport unknown",
  1: "Session ID unknown",
  2: "Bad handshake method",
  3: "Bad request",
  4: "Forbidden",
  5: "Unsupported protocol version",
};

function assertRefused(response, code, { status = 400, message = REFUSED[code] } = {}) {
  assert.equal(response.status, status);
  assert.equal(response.headers["content-type"], "application/json");
  assert.equal(response.text, JSON.stringify({ code, message }));
}

/** An upgrade is refused in plain HTTP, and the connection ends. */
async function assertUpgradeRefused({ wire, response }, message) {
  assert.equal(response.statusLine, "HTTP/1.1 400 Bad Request");
  assert.equal(response.headers.connection, "close");
  assert.equal(response.headers["content-type"], "text/html");
  assert.equal(response.headers["content-length"], String(message.length));
  assert.equal(response.text, message);
  assert.equal((await wire.rest()).length, 0);
}

const POLLING_REFUSALS = [
  { title: "no transport", query: {}, code: 0, context: { transport: undefined } },
  ...["nothing", "webtransport", "constructor", "__proto__", "Polling", ""].map((transport) => ({
    title: `transport "${transport}"`,
    query: { transport },
    code: 0,
    context: { transport },
  })),
  ...["unknown", "__proto__", "constructor", "toString"].map((sid) => ({
    title: `sid "${sid}"`,
    query: { transport: "polling", sid },
    code: 1,
    context: { sid },
  })),
  {
    title: "a WebSocket handshake without an upgrade",
    query: { transport: "websocket" },
    code: 3,
    context: { name: "TRANSPORT_HANDSHAKE_ERROR" },
  },
  ...[undefined, "", "3", "5", "04", "4.0", "four"].map((EIO) => ({
    title: `EIO ${EIO}`,
    query: { transport: "polling", EIO },
    code: 5,
    context: { protocol: 3 },
  })),
  ...["POST", "PUT", "DELETE", "OPTIONS", "PATCH"].map((method) => ({
    title: `${method} without sid`,
    method,
    query: { transport: "polling" },
    code: 2,
    context: { method },
  })),
  {
    title: "an unknown sid before a bad method",
    method: "DELETE",
    query: { transport: "polling", sid: "unknown" },
    code: 1,
    context: { sid: "unknown" },
  },
];

for (const { title, method, query, code, context } of POLLING_REFUSALS) {
  test(`refused over HTTP with code ${code}: ${title}`, async (t) => {
    const server = await startHostile(t);
    assertRefused(await server.request({ method, query }), code);
    assert.deepEqual(server.refusal(), [code, REFUSED[code], context]);
    await server.undisturbed();
  });
}

const UPGRADE_REFUSALS = [
  { title: "no transport", query: { transport: undefined }, code: 0 },
  { title: "an unknown transport", query: { transport: "nothing" }, code: 0 },
  { title: "webtransport", query: { transport: "webtransport" }, code: 0 },
  { title: "an unknown sid", query: { sid: "unknown" }, code: 1 },
  { title: "sid __proto__", query: { sid: "__proto__" }, code: 1 },
  { title: "POST", query: {}, method: "POST", code: 2 },
];

for (const { title, query, method, code } of UPGRADE_REFUSALS) {
  test(`an upgrade is refused with code ${code}: ${title}`, async (t) => {
    const server = await startHostile(t);
    await assertUpgradeRefused(await server.upgrade({ query, method }), REFUSED[code]);
    const [actual, message] = server.refusal();
    assert.deepEqual([actual, message], [code, REFUSED[code]]);
    await server.undisturbed();
  });
}

for (const EIO of [undefined, "3", "5"]) {
  test(`an upgrade with EIO ${EIO} is refused, before or after the 101`, async (t) => {
    const server = await startHostile(t);
    const { wire, response } = await server.upgrade({ query: { EIO } });
    // The reference has upgraded by then.
    assert.equal(response.status, isReference ? 101 : 400);
    const after = (await wire.rest()).toString("latin1");
    const text = response.status === 101 ? after : response.text;
    assert.ok(text.endsWith(REFUSED[5]), text);
    assert.deepEqual(server.refusal(), [5, REFUSED[5], { protocol: 3 }]);
    await server.undisturbed();
  });
}

test("an upgrade request for the polling transport is upgraded and closed", async (t) => {
  const server = await startHostile(t);
  const client = await server.websocketOf({ query: { transport: "polling" } });
  assert.equal(await client.closeHandshake(), undefined);
  await server.undisturbed();
});

test("a transport that is not enabled is unknown", async (t) => {
  const server = await startServer(t, { transports: ["websocket"] });
  assertRefused(await server.request({ query: { transport: "polling" } }), 0);
  assert.deepEqual(server.refusal(), [0, REFUSED[0], { transport: "polling" }]);
});

test("without the websocket transport an upgrade request is an ordinary request", async (t) => {
  const server = await startServer(t, { transports: ["polling"] });
  const { response } = await server.upgrade();
  assertRefused(response, 0);
});

test("a plain request may not name another transport than the session's", async (t) => {
  const server = await startHostile(t);
  const polling = await server.polling();
  await polling.join();
  assertRefused(await polling.request({ query: { transport: "websocket" } }), 3);
  const context = { name: "TRANSPORT_MISMATCH" };
  assert.deepEqual(server.refusal(), [
    3,
    REFUSED[3],
    { ...context, transport: "websocket", previousTransport: "polling" },
  ]);
  server.refusals.length = 0;
  const { sid } = server.bystander;
  assertRefused(await server.request({ query: { transport: "polling", sid } }), 3);
  assert.deepEqual(server.refusal(), [
    3,
    REFUSED[3],
    { ...context, transport: "polling", previousTransport: "websocket" },
  ]);
  await polling.echo();
  await server.undisturbed({ clients: 2 });
});

test("a session keeps the protocol revision it was opened with", async (t) => {
  const server = await startHostile(t);
  const polling = await server.polling();
  await polling.join();
  const context = { name: "PROTOCOL_MISMATCH", protocol: 3, previousProtocol: 4 };
  assertRefused(await polling.request({ query: { EIO: 3 } }), 3);
  assert.deepEqual(server.refusal(), [3, REFUSED[3], context]);
  server.refusals.length = 0;
  const query = { sid: polling.sid, EIO: undefined };
  await assertUpgradeRefused(await server.upgrade({ query }), REFUSED[3]);
  assert.deepEqual(server.refusal(), [3, REFUSED[3], context]);
  await polling.echo();
  await server.undisturbed({ clients: 2 });
});

// Node's own parser stops these before the engine unless it is told to be lenient.
const LENIENT = { insecureHTTPParser: true };

for (const character of ["\x01", "\x08", "\x0b", "\x1f", "\x7f"]) {
  const name = `0x${character.charCodeAt(0).toString(16)}`;
  const origin = `http://a${character}b`;

  test(`an Origin header with ${name} is a bad request`, async (t) => {
    const server = await startHostile(t, {}, LENIENT);
    const options = { query: { transport: "polling" }, headers: { Origin: origin } };
    assertRefused(await server.request(options), 3);
    assert.deepEqual(server.refusal(), [3, REFUSED[3], { name: "INVALID_ORIGIN", origin }]);
    await assertUpgradeRefused(await server.upgrade({ headers: { Origin: origin } }), REFUSED[3]);
    await server.undisturbed();
  });
}

test("an Origin header may have a tab and bytes from 128 on", async (t) => {
  const server = await startServer(t, {}, LENIENT);
  const headers = { Origin: "http://a\tb\xe9\xff" };
  const response = await server.request({ query: { transport: "polling" }, headers });
  assert.equal(response.status, 200);
  await server.websocket({ headers });
});

test("a header that HTTP forbids is refused without harm", async (t) => {
  const server = await startHostile(t);
  const headers = { Origin: "http://a\x01b" };
  const response = await server.request({ query: { transport: "polling" }, headers });
  assert.equal(response.status, 400);
  assert.deepEqual(server.refusals, []);
  await server.undisturbed();
});

for (const [reason, message] of [
  ["no such user", "no such user"],
  [null, "Forbidden"],
]) {
  test(`allowRequest refuses with the text "${message}"`, async (t) => {
    let allowed = true;
    const allowRequest = (req, done) => done(reason, allowed);
    const server = await startHostile(t, { allowRequest });
    allowed = false;
    const response = await server.request({ query: { transport: "polling" } });
    assertRefused(response, 4, { status: 403, message });
    assert.deepEqual(server.refusal(), [4, REFUSED[4], { message: reason }]);
    await assertUpgradeRefused(await server.upgrade(), message);
    await server.undisturbed();
  });
}

for (const [title, middleware] of [
  ["calls next with an error", (req, res, next) => next(new Error("no"))],
  [
    "throws",
    () => {
      throw new Error("no");
    },
  ],
  ["rejects", () => Promise.reject(new Error("no"))],
]) {
  test(`a request is refused when an engine middleware ${title}`, async (t) => {
    const server = await startHostile(t);
    server.io.engine.use(middleware);
    const context = { name: "MIDDLEWARE_FAILURE" };
    assertRefused(await server.request({ query: { transport: "polling" } }), 3);
    assert.deepEqual(server.refusal(), [3, REFUSED[3], context]);
    server.refusals.length = 0;
    await assertUpgradeRefused(await server.upgrade(), REFUSED[3]);
    assert.deepEqual(server.refusal(), [3, REFUSED[3], context]);
    await server.undisturbed();
  });
}

test("the sid of a closed session is unknown", async (t) => {
  const server = await startHostile(t);
  const client = await server.polling();
  await client.post("1");
  await client.closed();
  await client.gone();
  await assertUpgradeRefused(await server.upgrade({ query: { sid: client.sid } }), REFUSED[1]);
  await server.undisturbed();
});

/** Requests with several faults: the first check that fails gives the answer. */
const ORDER = [
  ["the transport before the Origin", { transport: "nothing" }, { origin: "http://a\x01b" }, 0],
  ["the Origin before the sid", { transport: "polling", sid: "unknown" }, { origin: "\x01" }, 3],
  ["the sid before the protocol", { transport: "polling", sid: "unknown", EIO: 3 }, {}, 1],
  ["the method before allowRequest", { transport: "polling" }, { method: "POST" }, 2],
  ["a missing upgrade before allowRequest", { transport: "websocket" }, {}, 3],
  ["the protocol after allowRequest", { transport: "polling", EIO: 3 }, {}, 4],
];

for (const [title, query, { origin, method }, code] of ORDER) {
  test(`of several faults the first check tells: ${title}`, async (t) => {
    const allowRequest = (req, done) => done(null, false);
    const server = await startServer(t, { allowRequest }, LENIENT);
    const headers = origin === undefined ? {} : { Origin: origin };
    const response = await server.request({ query, method, headers });
    assertRefused(response, code, { status: code === 4 ? 403 : 400 });
    assert.equal(server.refusals[0].code, code);
  });
}

test("another transport is found before another revision of the protocol", async (t) => {
  const server = await startServer(t);
  const { sid } = await server.polling();
  const query = { transport: "websocket", EIO: 3, sid };
  assertRefused(await server.request({ query }), 3);
  assert.equal(server.refusals[0].context.name, "TRANSPORT_MISMATCH");
});
