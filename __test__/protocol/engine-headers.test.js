"use strict";

// Headers that options, events and middlewares add to Engine.IO responses and to the 101: CORS,
// the session cookie, "initial_headers" and "headers". Fixed ones are in engine-polling.test.js.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { startServer } = require("./support");

const ORIGIN = "http://app.example";
const CORS = { cors: { origin: ORIGIN, credentials: true } };
const POLLING = { transport: "polling" };

function assertCors(headers) {
  assert.equal(headers["access-control-allow-origin"], ORIGIN);
  assert.equal(headers["access-control-allow-credentials"], "true");
  assert.match(headers.vary, /\borigin\b/i);
}

test("a preflight is answered 204 before any check", async (t) => {
  const server = await startServer(t, CORS);
  const headers = { Origin: ORIGIN, "Access-Control-Request-Method": "POST" };
  for (const query of [POLLING, { transport: "nothing" }, { ...POLLING, sid: "unknown" }]) {
    const response = await server.request({ method: "OPTIONS", query, headers });
    assert.equal(response.status, 204);
    assert.equal(response.headers["content-length"], "0");
    assertCors(response.headers);
    assert.match(response.headers["access-control-allow-methods"], /\bPOST\b/);
  }
  assert.deepEqual(server.refusals, []);
});

test("CORS headers are on every response, refusals included", async (t) => {
  const server = await startServer(t, CORS);
  const headers = { Origin: ORIGIN };
  const open = await server.request({ query: POLLING, headers });
  assertCors(open.headers);
  const sid = JSON.parse(open.text.slice(1)).sid;
  const query = { ...POLLING, sid };
  const post = await server.request({ method: "POST", query, headers, body: "40" });
  assert.equal(post.text, "ok");
  assertCors(post.headers);
  assertCors((await server.request({ query, headers })).headers);
  const refused = await server.request({ query: { ...POLLING, sid: "unknown" }, headers });
  assert.equal(refused.status, 400);
  assertCors(refused.headers);
});

test("CORS headers are on the 101", async (t) => {
  const server = await startServer(t, CORS);
  const { response } = await server.websocket({ headers: { Origin: ORIGIN } });
  assertCors(response.headers);
});

test("there are no CORS headers without the option", async (t) => {
  const server = await startServer(t);
  const response = await server.request({ query: POLLING, headers: { Origin: ORIGIN } });
  assert.equal(response.headers["access-control-allow-origin"], undefined);
});

test("the session cookie is set by the handshake over polling only", async (t) => {
  const cookie = { name: "io", httpOnly: true, sameSite: "lax", maxAge: 60 };
  const server = await startServer(t, { cookie });
  const open = await server.request({ query: POLLING });
  const sid = JSON.parse(open.text.slice(1)).sid;
  const [pair, ...attributes] = open.headers["set-cookie"].split("; ");
  assert.equal(pair, `io=${sid}`);
  assert.deepEqual(attributes.sort(), ["HttpOnly", "Max-Age=60", "Path=/", "SameSite=Lax"]);
  const query = { ...POLLING, sid };
  const post = await server.request({ method: "POST", query, body: "40" });
  assert.equal(post.headers["set-cookie"], undefined);
  const websocket = await server.websocket();
  assert.equal(websocket.response.headers["set-cookie"], undefined);
});

test("header events see every response, the first one twice over", async (t) => {
  const server = await startServer(t);
  const seen = [];
  server.io.engine.on("initial_headers", (headers, req) => {
    headers["X-First"] = "1";
    seen.push(`initial ${req.method}`);
  });
  server.io.engine.on("headers", (headers, req) => {
    headers["X-Each"] = "2";
    seen.push(`each ${req.method}`);
  });
  const open = await server.request({ query: POLLING });
  const sid = JSON.parse(open.text.slice(1)).sid;
  assert.deepEqual([open.headers["x-first"], open.headers["x-each"]], ["1", "2"]);
  const query = { ...POLLING, sid };
  const post = await server.request({ method: "POST", query, body: "40" });
  assert.deepEqual([post.headers["x-first"], post.headers["x-each"]], [undefined, "2"]);
  const get = await server.request({ query });
  assert.deepEqual([get.headers["x-first"], get.headers["x-each"]], [undefined, "2"]);
  const { response } = await server.websocket();
  assert.deepEqual([response.headers["x-first"], response.headers["x-each"]], ["1", "2"]);
  assert.deepEqual(seen, [
    "initial GET",
    "each GET",
    "each POST",
    "each GET",
    "initial GET",
    "each GET",
  ]);
});

test("headers set by an engine middleware are on the response and on the 101", async (t) => {
  const server = await startServer(t);
  server.io.engine.use((req, res, next) => {
    res.setHeader("X-Powered-By", "tests");
    next();
  });
  const open = await server.request({ query: POLLING });
  assert.equal(open.headers["x-powered-by"], "tests");
  const { response } = await server.websocket();
  assert.equal(response.headers["x-powered-by"], "tests");
});
