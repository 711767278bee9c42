"use strict";

// Middleware for the HTTP requests of the engine: io.engine.use().

const assert = require("node:assert/strict");
const http = require("node:http");
const { isReference, target } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { deferred, next, until } = require("../support/events");
const { openPolling, openWebSocket, request } = require("../support/request");

const webSocketUrl = (app) => `${app.url}/socket.io/?EIO=4&transport=websocket`;

eachTransport("what a middleware sets is there on socket.request", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.engine.use((req, res, done) => {
    if (req._query.sid === undefined) {
      req.user = { name: "ann" };
    }
    setImmediate(done);
  });
  const { client, socket } = await app.connect();
  assert.deepEqual(socket.request.user, { name: "ann" });
  socket.on("question", (answer) => answer(socket.request.user.name));
  assert.equal(await client.emitWithAck("question"), "ann");
});

eachTransport("middlewares run in order for every request", async (t, transport) => {
  const app = await serve(t, { transport });
  const calls = [];
  app.io.engine.use((req, res, done) => {
    calls.push("first");
    done();
  });
  app.io.engine.use(async (req, res, done) => {
    await null;
    calls.push("second");
    done();
  });
  const { client, socket } = await app.connect();
  socket.on("question", (answer) => answer());
  await client.emitWithAck("question");
  const kinds = calls.slice(0, 2);
  assert.deepEqual(kinds, ["first", "second"]);
  const requests = calls.filter((call) => call === "first").length;
  if (transport.client.transports[0] === "polling") {
    assert.ok(requests > 1, "polls and posts pass through it too");
  } else {
    assert.equal(requests, 1);
  }
});

test("the upgrade to WebSocket passes through the middleware", async (t) => {
  const app = await serve(t);
  const upgrade = deferred();
  app.io.engine.use((req, res, done) => {
    if (req._query.transport === "websocket") {
      upgrade.resolve(req._query.sid);
    }
    done();
  });
  const { client } = await app.connect();
  assert.equal(await upgrade.promise, client.io.engine.id);
});

test("headers set by a middleware are sent", async (t) => {
  const app = await serve(t);
  app.io.engine.use((req, res, done) => {
    res.setHeader("x-own", "middleware");
    res.setHeader("set-cookie", "a=1");
    done();
  });
  const { response } = await openPolling(app.url);
  assert.equal(response.headers["x-own"], "middleware");
  assert.deepEqual(response.headers["set-cookie"], ["a=1"]);
  const { accepted, headers } = await openWebSocket(t, webSocketUrl(app));
  assert.equal(accepted, true);
  assert.equal(headers["x-own"], "middleware");
  assert.deepEqual(headers["set-cookie"], ["a=1"]);
});

for (const [title, fail] of Object.entries({
  "an error given to next": (req, res, done) => done(new Error("refused")),
  "an exception": () => {
    throw new Error("refused");
  },
  "a rejection": async () => {
    throw new Error("refused");
  },
})) {
  test(`${title} in a middleware refuses the request`, async (t) => {
    const app = await serve(t);
    app.io.engine.use(fail);
    const refused = next(app.io.engine, "connection_error");
    const { response } = await openPolling(app.url);
    assert.equal(response.status, 400);
    assert.deepEqual(JSON.parse(response.text), { code: 3, message: "Bad request" });
    const [{ code, context }] = await refused;
    assert.deepEqual([code, context.name], [3, "MIDDLEWARE_FAILURE"]);
    const answer = await openWebSocket(t, webSocketUrl(app));
    assert.deepEqual([answer.accepted, answer.status], [false, 400]);
    assert.equal(app.io.engine.clientsCount, 0);
  });
}

test("a middleware may answer by itself", async (t) => {
  const app = await serve(t);
  app.io.engine.use((req, res) => {
    res.writeHead(429, { "content-type": "text/plain" });
    res.end("slow down");
  });
  const answer = await request(`${app.url}/socket.io/?EIO=4&transport=polling`);
  assert.deepEqual([answer.status, answer.text], [429, "slow down"]);
  assert.equal(app.io.engine.clientsCount, 0);
});

test("calling next twice does not serve a request twice", async (t) => {
  const app = await serve(t);
  app.io.engine.use((req, res, done) => {
    done();
    done();
  });
  let opened = 0;
  app.io.engine.on("connection", () => opened++);
  const { response } = await openPolling(app.url);
  assert.equal(response.status, 200);
  await openPolling(app.url);
  assert.equal(opened, 2);
});

test("the client files do not pass through the middleware", async (t) => {
  const app = await serve(t);
  app.io.engine.use(() => assert.fail("not an engine request"));
  assert.equal((await request(`${app.url}/socket.io/socket.io.js`)).status, 200);
});

test("the response of a WebSocket is closed with the connection", async (t) => {
  const app = await serve(t);
  const responses = deferred();
  app.io.engine.use((req, res, done) => {
    responses.resolve(res);
    done();
  });
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  const res = await responses.promise;
  const closed = next(res, "close");
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
  await closed;
});

test("the response of an upgrade can be asked, changed and ended", async (t) => {
  const app = await serve(t);
  const seen = deferred();
  const finished = deferred();
  app.io.engine.use((req, res, done) => {
    assert.equal(req.res, undefined);
    res.setHeader("x-own", "1");
    const before = res.getHeader("x-own");
    res.removeHeader("x-own");
    seen.resolve([before, res.getHeader("x-own")]);
    if (req.headers["x-end"] === undefined) {
      return done();
    }
    res.on("finish", finished.resolve);
    res.write("");
    res.end();
  });
  const upgraded = await openWebSocket(t, webSocketUrl(app));
  assert.equal(upgraded.headers["x-own"], undefined);
  assert.deepEqual(await seen.promise, ["1", undefined]);
  await assert.rejects(openWebSocket(t, webSocketUrl(app), { headers: { "x-end": "1" } }));
  await finished.promise;
  assert.equal(app.io.engine.clientsCount, 1);
});

test("writeHead is called once, right before the answer to an upgrade", async (t) => {
  const app = await serve(t);
  let heads = 0;
  app.io.engine.use((req, res, done) => {
    const { writeHead } = res;
    res.writeHead = function (...args) {
      heads++;
      this.setHeader("x-late", "1");
      return writeHead.apply(this, args);
    };
    done();
  });
  const { headers } = await openWebSocket(t, webSocketUrl(app));
  assert.deepEqual([heads, headers["x-late"]], [1, "1"]);
});

test("a header that would break the answer to an upgrade refuses it, and nothing else", async (t) => {
  const app = await serve(t);
  app.io.engine.on("headers", (headers, req) => {
    if (req._query.lang) {
      headers["content-language"] = req._query.lang;
    }
  });
  if (isReference) {
    // There the line break goes out as it is, and what is behind it is a header of its own.
    return;
  }
  const failed = next(app.io.engine, "connection_error");
  const upgrade = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13" };
  const { status } = await request(`${webSocketUrl(app)}&lang=en%0d%0aX-Y:1`, {
    headers: { ...upgrade, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==" },
  });
  assert.equal(status, 500);
  assert.equal((await failed)[0].context.name, "INVALID_HEADER");
  await until(() => app.httpServer._connections === 0, "its connection is closed");
});

eachTransport("the list of middlewares may be changed by hand", async (t, transport) => {
  const app = await serve(t, { transport });
  const seen = new Set();
  app.io.engine.middlewares.push((req, res, done) => {
    seen.add(req._query.transport);
    done();
  });
  await new Promise(setImmediate);
  await app.connect();
  assert.ok(seen.size > 0);
  app.io.engine.middlewares = [];
  seen.clear();
  await new Promise(setImmediate);
  await app.connect();
  assert.equal(seen.size, 0);
});

test("who has replaced emit() of http servers sees all requests", async (t) => {
  const { emit } = http.Server.prototype;
  const events = [];
  http.Server.prototype.emit = function (event) {
    events.push(event);
    return emit.apply(this, arguments);
  };
  atEnd(t, () => delete http.Server.prototype.emit);
  const io = new target.Server(0);
  atEnd(t, () => io.close());
  if (!io.httpServer.listening) {
    await next(io.httpServer, "listening");
  }
  const url = `http://127.0.0.1:${io.httpServer.address().port}`;
  await openPolling(url);
  await openWebSocket(t, `${url}/socket.io/?EIO=4&transport=websocket`);
  assert.deepEqual([events.includes("request"), events.includes("upgrade")], [true, true]);
});
