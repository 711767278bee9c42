"use strict";

// Other users of the same http server: Express applications and WebSocket libraries.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const express = require("express");
const express4 = require("express4");
const { WebSocket, WebSocketServer } = require("ws");
const { test, eachTransport, TRANSPORTS } = require("../support/scenario");
const { serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { next, until } = require("../support/events");
const { openPolling, request } = require("../support/request");

const BUILDS = { "Express 5": express, "Express 4": express4 };

/** An application with a route, a JSON body, static files and an error. */
function application(t, build) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "static-"));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  fs.writeFileSync(path.join(folder, "page.html"), "<h1>page</h1>");
  const app = build();
  app.use(express.json());
  app.get("/hello/:name", (req, res) => res.send(`hello ${req.params.name}`));
  app.post("/sum", (req, res) => res.json({ sum: req.body.a + req.body.b }));
  app.use("/static", build.static(folder));
  app.get("/fail", () => {
    throw new Error("route failed");
  });
  app.use((error, req, res, done) => {
    res.status(500).send(error.message);
    void done;
  });
  return app;
}

async function assertApplicationAnswers(url) {
  assert.equal((await request(`${url}/hello/you`)).text, "hello you");
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ a: 2, b: 3 });
  const sum = await request(`${url}/sum`, { method: "POST", headers, body });
  assert.deepEqual(JSON.parse(sum.text), { sum: 5 });
  const page = await request(`${url}/static/page.html`);
  assert.equal(page.text, "<h1>page</h1>");
  assert.match(page.headers["content-type"], /^text\/html/);
  assert.ok(page.headers.etag);
  assert.equal((await request(`${url}/missing`)).status, 404);
  const failed = await request(`${url}/fail`);
  assert.deepEqual([failed.status, failed.text], [500, "route failed"]);
}

for (const [title, build] of Object.entries(BUILDS)) {
  eachTransport(`an ${title} application is served next to clients`, async (t, transport) => {
    const httpServer = http.createServer(application(t, build));
    const app = await serve(t, { transport, httpServer });
    await assertApplicationAnswers(app.url);
    const { client, socket } = await app.connect();
    socket.on("question", (answer) => answer("answered"));
    assert.equal(await client.emitWithAck("question"), "answered");
    await assertApplicationAnswers(app.url);
    assert.equal(await client.emitWithAck("question"), "answered");
  });

  test(`an ${title} route can emit to clients`, async (t) => {
    const routes = build();
    const app = await serve(t, { httpServer: http.createServer(routes) });
    routes.get("/notify", (req, res) => {
      app.io.emit("notified", req.query.text);
      res.end();
    });
    const { client } = await app.connect();
    const notified = next(client, "notified");
    await request(`${app.url}/notify?text=now`);
    assert.deepEqual(await notified, ["now"]);
  });
}

test("a keep-alive connection goes on serving the application", async (t) => {
  const httpServer = http.createServer((req, res) => res.end(req.url));
  const app = await serve(t, { httpServer });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const first = await request(`${app.url}/1`, { agent });
  await app.connect();
  const second = await request(`${app.url}/2`, { agent });
  const open = await request(`${app.url}/socket.io/?EIO=4&transport=polling`, { agent });
  const third = await request(`${app.url}/3`, { agent });
  assert.deepEqual([first.text, second.text, third.text], ["/1", "/2", "/3"]);
  assert.equal(open.status, 200);
  assert.notEqual(open.headers.connection, "close");
  for (const answer of [second, open, third]) {
    assert.equal(answer.socket, first.socket);
  }
});

test("requests of the application are not delayed by a pending poll", async (t) => {
  const httpServer = http.createServer((req, res) => res.end("application"));
  const app = await serve(t, { httpServer });
  await app.connect("/", { transports: ["polling"] });
  const all = await Promise.all([1, 2, 3, 4].map(() => request(`${app.url}/`)));
  assert.deepEqual(
    all.map(({ text }) => text),
    Array(4).fill("application"),
  );
});

test("a request listener added later sees every request", async (t) => {
  const app = await serve(t);
  const seen = [];
  app.httpServer.on("request", (req) => seen.push(req.url.split("?")[0]));
  await request(`${app.url}/socket.io/?EIO=4&transport=polling`);
  assert.deepEqual(seen, ["/socket.io/"]);
});

eachTransport("the ws package on another path is left alone", async (t, transport) => {
  const httpServer = http.createServer();
  const app = await serve(t, { transport, httpServer });
  const neighbour = new WebSocketServer({ noServer: true });
  neighbour.on("connection", (peer) => {
    peer.on("message", (data, binary) => peer.send(data, { binary }));
  });
  httpServer.on("upgrade", (req, socket, head) => {
    if (req.url === "/ws") {
      neighbour.handleUpgrade(req, socket, head, (peer) => neighbour.emit("connection", peer, req));
    }
  });

  const echo = new WebSocket(`${app.url.replace("http", "ws")}/ws`);
  atEnd(t, () => echo.terminate());
  await next(echo, "open");
  const { client, socket } = await app.connect();
  for (const text of ["one", "two"]) {
    const echoed = next(echo, "message");
    echo.send(text);
    assert.equal(String((await echoed)[0]), text);
    const heard = next(client, "hello");
    socket.emit("hello", text);
    assert.deepEqual(await heard, [text]);
  }
});

test("the ws neighbour outlives the time after which unknown upgrades are ended", async (t) => {
  const httpServer = http.createServer();
  const app = await serve(t, { httpServer, options: { destroyUpgradeTimeout: 20 } });
  const neighbour = new WebSocketServer({ noServer: true });
  httpServer.on("upgrade", (req, socket, head) => {
    if (req.url === "/ws") {
      neighbour.handleUpgrade(req, socket, head, (peer) => {
        peer.on("message", () => peer.send("x"));
      });
    }
  });
  const url = app.url.replace("http", "ws");
  const known = new WebSocket(`${url}/ws`);
  await next(known, "open");
  const unknown = new WebSocket(`${url}/nobody`);
  atEnd(t, () => known.terminate());
  // Proof that the time has passed: the upgrade that nobody serves has been ended.
  await next(unknown, "error");
  const answered = next(known, "message");
  known.send("still there?");
  assert.equal(String((await answered)[0]), "x");
});

test("destroyUpgrade: false leaves unknown upgrades open", async (t) => {
  const httpServer = http.createServer();
  const options = { destroyUpgrade: false, destroyUpgradeTimeout: 1, pingInterval: 50 };
  const app = await serve(t, { httpServer, options });
  const upgraded = next(httpServer, "upgrade");
  const unknown = new WebSocket(`${app.url.replace("http", "ws")}/nobody`);
  unknown.on("error", () => {});
  atEnd(t, () => unknown.terminate());
  const [, socket] = await upgraded;
  atEnd(t, () => socket.destroy());
  // A heartbeat later the time has passed; answering works if nobody has ended the socket.
  const { socket: other } = await app.connect("/", { transports: ["websocket"] });
  await next(other.conn, "heartbeat");
  const refused = next(unknown, "unexpected-response");
  socket.end("HTTP/1.1 418 Late\r\nConnection: close\r\n\r\n");
  assert.equal((await refused)[1].statusCode, 418);
});

test("a client that resets an upgrade which is not the engine's harms nobody", async (t) => {
  const httpServer = http.createServer();
  const app = await serve(t, { httpServer });
  const upgraded = next(httpServer, "upgrade");
  const unknown = net.connect(app.port, "127.0.0.1");
  unknown.on("error", () => {});
  unknown.write(
    "GET /nobody HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  const [, socket] = await upgraded;
  const closed = next(socket, "close");
  socket.resume();
  unknown.resetAndDestroy();
  await closed;
  const { socket: other } = await app.connect();
  assert.ok(other.connected);
});

test("upgrades can be routed by the application", async (t) => {
  const httpServer = http.createServer();
  const app = await serve(t, { httpServer });
  const routed = [];
  httpServer.removeAllListeners("upgrade");
  httpServer.on("upgrade", (req, socket, head) => {
    routed.push(req.url.split("?")[0]);
    app.io.engine.handleUpgrade(req, socket, head);
  });
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  const heard = next(client, "hello");
  socket.emit("hello");
  await heard;
  assert.deepEqual(routed, ["/socket.io/"]);
});

for (const place of ["the http server", "the engine"]) {
  test(`no POST looks aborted to who looks at requests at ${place}`, async (t) => {
    const httpServer = http.createServer();
    const app = await serve(t, { transport: TRANSPORTS.polling, httpServer });
    const ends = [];
    const look = (req, res, next) => {
      if (req.method === "POST") {
        req.on("close", () => ends.push(res.writableEnded));
      }
      next?.();
    };
    if (place === "the engine") {
      app.io.engine.use(look);
    } else {
      httpServer.prependListener("request", look);
    }
    const { client, socket } = await app.connect();
    socket.on("add", (a, b, answer) => answer(a + b));
    assert.equal(await client.emitWithAck("add", 1, 2), 3);
    assert.equal(await client.emitWithAck("add", 3, 4), 7);
    await until(() => ends.length === 3, "all POSTs have closed");
    assert.deepEqual(ends, [true, true, true]);
  });
}

test("a POST whose connection goes as soon as it is whole is taken", async (t) => {
  const httpServer = http.createServer();
  const app = await serve(t, { httpServer });
  httpServer.prependListener("request", (req) => {
    if (req.method === "POST") {
      req.on("end", () => req.socket.destroy());
    }
  });
  const { open } = await openPolling(app.url);
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const joined = next(app.io, "connection");
  await assert.rejects(request(url, { method: "POST", body: "40" }), { code: "ECONNRESET" });
  const [socket] = await joined;
  assert.equal((await request(url)).text, `40{"sid":"${socket.id}"}`);
  assert.equal(socket.connected, true);
});

test("a POST that takes longer than requestTimeout is answered, and ends its connection", async (t) => {
  const httpServer = http.createServer({ connectionsCheckingInterval: 20 });
  Object.assign(httpServer, { requestTimeout: 100, headersTimeout: 100 });
  const app = await serve(t, { httpServer });
  const opened = next(app.io.engine, "connection");
  const { open } = await openPolling(app.url);
  const [conn] = await opened;
  const ended = next(conn, "close");
  const post = net.connect(app.port, "127.0.0.1");
  atEnd(t, () => post.destroy());
  const chunks = [];
  post.on("data", (chunk) => chunks.push(chunk));
  const closed = next(post, "close");
  const head = `POST /socket.io/?EIO=4&transport=polling&sid=${open.sid} HTTP/1.1`;
  post.write(`${head}\r\nHost: a\r\nContent-Length: 10\r\n\r\n4`);
  const [reason, error] = await ended;
  assert.equal(reason, "transport error");
  assert.equal(error.message, "data request connection closed prematurely");
  await closed;
  assert.match(String(Buffer.concat(chunks)), /^HTTP\/1\.1 408 Request Timeout\r\n/);
});

test("the shorter of requestTimeout and headersTimeout is for the head alone", async (t) => {
  const httpServer = http.createServer({ connectionsCheckingInterval: 20 });
  Object.assign(httpServer, { requestTimeout: 100, headersTimeout: 60_000 });
  const app = await serve(t, { httpServer });
  const joined = next(app.io, "connection");
  const { open } = await openPolling(app.url);
  const [late, half] = ["a body that is late", "half a head"].map(() => {
    const connection = net.connect(app.port, "127.0.0.1");
    atEnd(t, () => connection.destroy());
    return connection;
  });
  const head = `POST /socket.io/?EIO=4&transport=polling&sid=${open.sid} HTTP/1.1`;
  late.write(`${head}\r\nHost: a\r\nContent-Length: 2\r\n\r\n4`);
  half.write(`${head}\r\nHo`);
  const [refusal] = await next(half, "data");
  assert.match(String(refusal), /^HTTP\/1\.1 408 Request Timeout\r\n/);
  late.write("0");
  const [answer] = await next(late, "data");
  assert.match(String(answer), /^HTTP\/1\.1 200 OK\r\n/);
  await joined;
});

test("the http server's timeout ends a poll that waits", async (t) => {
  const httpServer = http.createServer();
  httpServer.setTimeout(500);
  const app = await serve(t, { transport: TRANSPORTS.polling, httpServer });
  const { client, socket } = await app.connect();
  const ends = [next(client, "disconnect"), next(socket, "disconnect")];
  for (const [reason] of await Promise.all(ends)) {
    assert.equal(reason, "transport error");
  }
});

test("requests can be routed by the application", async (t) => {
  const routes = express();
  const app = await serve(t, { httpServer: http.createServer(), options: { path: "/unused" } });
  app.httpServer.removeAllListeners("request");
  app.httpServer.on("request", routes);
  routes.use("/own", (req, res) => app.io.engine.handleRequest(req, res));
  const { client } = await app.connect("/", { transports: ["polling"], path: "/own/" });
  assert.equal(client.connected, true);
});
