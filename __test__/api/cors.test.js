"use strict";

// Cross-origin headers on everything that the server answers.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { next } = require("../support/events");
const { openPolling, openWebSocket, request } = require("../support/request");

const ORIGIN = "http://app.example";
const headers = { origin: ORIGIN };

test("without cors there are no headers and a preflight is refused", async (t) => {
  const app = await serve(t);
  const { response } = await openPolling(app.url, { headers });
  assert.equal(response.headers["access-control-allow-origin"], undefined);
  const url = `${app.url}/socket.io/?EIO=4&transport=polling`;
  const preflight = await request(url, { method: "OPTIONS", headers });
  assert.equal(preflight.status, 400);
  assert.deepEqual(JSON.parse(preflight.text), { code: 2, message: "Bad handshake method" });
});

test("the allowed origin is named on a handshake", async (t) => {
  const app = await serve(t, { options: { cors: { origin: ORIGIN } } });
  const { response } = await openPolling(app.url, { headers });
  assert.equal(response.status, 200);
  assert.equal(response.headers["access-control-allow-origin"], ORIGIN);
  assert.equal(response.headers.vary, "Origin");
  assert.equal(response.headers["access-control-allow-credentials"], undefined);
});

test("any origin may be allowed", async (t) => {
  const app = await serve(t, { options: { cors: { origin: "*" } } });
  const { response } = await openPolling(app.url, { headers });
  assert.equal(response.headers["access-control-allow-origin"], "*");
});

test("a list of origins names the one that asks", async (t) => {
  const cors = { origin: ["http://other.example", ORIGIN], credentials: true };
  const app = await serve(t, { options: { cors } });
  const allowed = await openPolling(app.url, { headers });
  assert.equal(allowed.response.headers["access-control-allow-origin"], ORIGIN);
  assert.equal(allowed.response.headers["access-control-allow-credentials"], "true");
  const stranger = { origin: "http://stranger.example" };
  const refused = await openPolling(app.url, { headers: stranger });
  assert.equal(refused.response.headers["access-control-allow-origin"], undefined);
});

test("a function may decide for each request", async (t) => {
  const cors = (req, done) => done(null, { origin: req.headers.origin === ORIGIN });
  const app = await serve(t, { options: { cors } });
  const { response } = await openPolling(app.url, { headers });
  assert.equal(response.headers["access-control-allow-origin"], ORIGIN);
});

test("a preflight is answered with what is allowed", async (t) => {
  const cors = {
    origin: ORIGIN,
    methods: ["GET", "POST"],
    allowedHeaders: ["x-token"],
    credentials: true,
    maxAge: 600,
  };
  const app = await serve(t, { options: { cors } });
  const preflight = await request(`${app.url}/socket.io/?EIO=4&transport=polling`, {
    method: "OPTIONS",
    headers: { ...headers, "access-control-request-method": "POST" },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.text, "");
  assert.equal(preflight.headers["content-length"], "0");
  assert.equal(preflight.headers["access-control-allow-origin"], ORIGIN);
  assert.equal(preflight.headers["access-control-allow-methods"], "GET,POST");
  assert.equal(preflight.headers["access-control-allow-headers"], "x-token");
  assert.equal(preflight.headers["access-control-allow-credentials"], "true");
  assert.equal(preflight.headers["access-control-max-age"], "600");
});

test("polls, posts and refusals carry the headers too", async (t) => {
  const app = await serve(t, { options: { cors: { origin: ORIGIN } } });
  const { open } = await openPolling(app.url, { headers });
  const url = `${app.url}/socket.io/?EIO=4&transport=polling`;
  const session = `${url}&sid=${open.sid}`;
  const connection = next(app.io, "connection");
  const answers = [
    await request(session, { method: "POST", headers, body: "40" }),
    await connection.then(() => request(session, { headers })),
    await request(`${url}&sid=unknown`, { headers }),
    await request(`${app.url}/socket.io/?EIO=4&transport=unknown`, { headers }),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 400, 400],
  );
  for (const answer of answers) {
    assert.equal(answer.headers["access-control-allow-origin"], ORIGIN);
  }
});

test("the answer to a WebSocket handshake carries the headers", async (t) => {
  const app = await serve(t, { options: { cors: { origin: ORIGIN } } });
  const url = `${app.url}/socket.io/?EIO=4&transport=websocket`;
  const answer = await openWebSocket(t, url, { headers });
  assert.equal(answer.accepted, true);
  assert.equal(answer.headers["access-control-allow-origin"], ORIGIN);
  assert.equal(answer.headers.vary, "Origin");
});

test("the client files carry the headers", async (t) => {
  const app = await serve(t, { options: { cors: { origin: ORIGIN } } });
  const file = await request(`${app.url}/socket.io/socket.io.js`, { headers });
  assert.equal(file.status, 200);
  assert.equal(file.headers["access-control-allow-origin"], ORIGIN);
});

eachTransport("clients connect when cors is configured", async (t, transport) => {
  const app = await serve(t, { transport, options: { cors: { origin: ORIGIN } } });
  const { socket } = await app.connect("/", { extraHeaders: headers });
  assert.equal(socket.handshake.xdomain, true);
  assert.equal(socket.handshake.headers.origin, ORIGIN);
});
