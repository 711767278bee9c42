"use strict";

// Who accepts: connections of the engine never pass through Node's http server, be it that Rust accepts
// or that Node does and hands them over; all others do, with nothing lost. An option of ferrio's own.

const assert = require("node:assert/strict");
const cluster = require("node:cluster");
const { once } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { Worker } = require("node:worker_threads");
const nodeTest = require("node:test");
const express = require("express");
const { io: connectTo } = require("socket.io-client");
const { WebSocket, WebSocketServer } = require("ws");
const { isReference, target } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { App, closeAtEnd, connected, listen, serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { selfSigned } = require("../support/certificate");
const { next, settle, until } = require("../support/events");
const { startFixture } = require("../support/fixture");
const { openPolling, openWebSocket, request } = require("../support/request");

const NATIVE = { acceptor: "native" };
const ACCEPTORS = { auto: "where Node accepts", native: "where Rust accepts" };
const CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256";

if (isReference) {
  nodeTest.test("the reference has no native listener", { skip: true });
} else {
  Object.keys(ACCEPTORS).forEach(declareBoth);
  declare();
}

/** A server of the application with an engine beside it, once the core has a part in its connections. */
async function serveBeside(t, acceptor, { transport, options, listener } = {}) {
  const httpServer = http.createServer(listener ?? ((req, res) => res.end(`app ${req.url}`)));
  const app = await serve(t, { transport, httpServer, options: { acceptor, ...options } });
  await untilBrought(httpServer, acceptor);
  return app;
}

/** Resolves once the core gets connections of an http server. */
async function untilBrought(httpServer, acceptor) {
  const isBrought =
    acceptor === "native"
      ? () => httpServer._handle.constructor.name === "Listening"
      : () => Object.hasOwn(httpServer._handle, "close");
  await until(isBrought, ACCEPTORS[acceptor]);
}

/** A bare connection; `read()` resolves with all text that has come once it matches. */
async function connectRaw(t, port) {
  const socket = net.connect(port, "127.0.0.1");
  atEnd(t, () => socket.destroy());
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk) => (text += chunk));
  socket.on("error", () => {});
  const read = async (pattern) => {
    await until(() => pattern.test(text), `${pattern} has come`);
    const taken = text;
    text = "";
    return taken;
  };
  return { socket, read };
}

/**
 * Clients that connect while nothing else runs in this thread, until one is accepted. Resolves with how
 * many were, once all of their connections have ended.
 */
function meanwhile(t, workerData) {
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const file = path.join(__dirname, "../support/fixtures/meanwhile.js");
  const worker = new Worker(file, { workerData: { ...workerData, signal } });
  atEnd(t, () => worker.terminate());
  const ended = next(worker, "message");
  assert.equal(Atomics.wait(signal, 0, 0, 10_000), "ok");
  return ended.then(([accepted]) => accepted);
}

/** A port that nobody had a moment ago. */
async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What holds whoever accepts. */
function declareBoth(acceptor) {
  eachTransport(
    `clients and the application share a port, ${ACCEPTORS[acceptor]}`,
    async (t, transport) => {
      const app = await serveBeside(t, acceptor, { transport });
      const { client, socket } = await app.connect();
      socket.on("question", (value, answer) => answer(value + 1));
      assert.equal(await client.emitWithAck("question", 1), 2);
      assert.equal((await request(`${app.url}/page`)).text, "app /page");
      const gone = next(socket, "disconnect");
      client.disconnect();
      assert.equal((await gone)[0], "client namespace disconnect");
    },
  );

  test(`the request that opened a connection is a whole one, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    const headers = { Cookie: "a=b", "X-Latin": "caf\xe9", Origin: "http://elsewhere" };
    const { client, socket } = await app.connect("/", {
      transports: ["websocket"],
      extraHeaders: headers,
      query: { lang: "rust" },
    });
    const { request: req, handshake } = socket;
    assert.ok(req instanceof http.IncomingMessage);
    assert.equal(req.headers.cookie, "a=b");
    assert.equal(req.headers["x-latin"], "caf\xe9");
    assert.ok(req.rawHeaders.includes("X-Latin"));
    assert.equal(req.method, "GET");
    assert.equal(req._query.lang, "rust");
    assert.equal(req.connection, req.socket);
    assert.ok(req.socket instanceof net.Socket);
    assert.equal(req.socket.remoteAddress, "127.0.0.1");
    assert.equal(req.socket.remoteFamily, "IPv4");
    assert.equal(req.socket.localPort, app.port);
    assert.equal(req.socket.server, app.httpServer);
    assert.equal(req.websocket, socket.conn.transport.socket);
    assert.equal(handshake.address, "127.0.0.1");
    assert.equal(handshake.headers, req.headers);
    assert.equal(handshake.xdomain, true);
    assert.equal(handshake.secure, false);
    assert.equal(handshake.url, req.url);
    assert.equal(handshake.query, req._query);
    assert.ok(Math.abs(Date.now() - handshake.issued) < 60_000);
    assert.equal(new Date(handshake.time).getTime(), Math.floor(handshake.issued / 1000) * 1000);
    assert.ok(client.connected);
  });

  test(`destroying the socket of a request ends the connection, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    const { client, socket } = await app.connect("/", { transports: ["websocket"] });
    const gone = Promise.all([next(socket, "disconnect"), next(client, "disconnect")]);
    socket.request.socket.destroy();
    assert.equal((await gone)[0][0], "transport close");
  });

  test(`a connection that was polled can go on to the application, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    const { socket, read } = await connectRaw(t, app.port);
    socket.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    const answer = await read(/"maxPayload":1000000}/);
    assert.match(answer, /^HTTP\/1.1 200 OK\r\n/);
    assert.match(answer, /\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n/);
    assert.match(answer, /\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
    const later = "GET /two HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    socket.write(`GET /one HTTP/1.1\r\nHost: a\r\n\r\n${later}`);
    assert.match(await read(/two/), /app \/one[^]*app \/two/);
  });

  test(`a poll and a request for the application may come in one packet, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    const { socket, read } = await connectRaw(t, app.port);
    socket.write(
      "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n" +
        "GET /behind HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert.match(await read(/behind/), /"sid"[^]*app \/behind/);
  });

  test(`first bytes may come one by one, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    for (const [path, expected] of [
      ["/socket.io/?EIO=4&transport=polling", /"sid"/],
      ["/socket.io.html", /app \/socket.io.html/],
    ]) {
      const { socket, read } = await connectRaw(t, app.port);
      socket.setNoDelay();
      for (const character of `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`) {
        await new Promise((resolve) => socket.write(character, resolve));
        await new Promise(setImmediate);
      }
      await read(expected);
    }
  });

  test(`a client that ends within its first request holds nobody up, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    const { socket, read } = await connectRaw(t, app.port);
    socket.write("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgr");
    // The listener has seen the bytes once those of a later connection were answered.
    assert.equal((await request(`${app.url}/page`)).status, 200);
    socket.end();
    // What Node answers to half a request.
    await read(/^HTTP\/1.1 400 Bad Request/);
    await app.connect();
  });

  test(`uploads reach the application, with and without Expect, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor, {
      listener: express().post("/upload", (req, res) => {
        let length = 0;
        req.on("data", (chunk) => (length += chunk.length));
        req.on("end", () => res.send(`${length} bytes`));
      }),
    });
    const body = Buffer.alloc(3_000_000, "x");
    for (const headers of [{}, { Expect: "100-continue" }, { "Transfer-Encoding": "chunked" }]) {
      const { text } = await request(`${app.url}/upload`, { method: "POST", headers, body });
      assert.equal(text, "3000000 bytes");
    }
  });

  test(`another library's WebSockets are its own, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor, { options: { destroyUpgrade: false } });
    const others = new WebSocketServer({ noServer: true });
    app.httpServer.on("upgrade", (req, socket, head) => {
      if (req.url === "/other") {
        others.handleUpgrade(req, socket, head, (ws) => ws.send("hello"));
      }
    });
    const ws = new WebSocket(`ws://127.0.0.1:${app.port}/other`);
    atEnd(t, () => ws.terminate());
    assert.equal(String((await once(ws, "message"))[0]), "hello");
    // Somebody else looks at upgrade requests now, so Node shows them all.
    const { socket } = await app.connect("/", { transports: ["websocket"] });
    assert.ok(socket.connected);
  });

  test(`who decides about requests is asked, whenever that begins, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    assert.ok((await openWebSocket(t, `${app.url}/socket.io/?EIO=4&transport=websocket`)).accepted);
    app.io.engine.opts.allowRequest = (req, decide) => decide("not today", false);
    await until(() => app.io.engine.clientsCount === 1, "the first has been heard of");
    const refused = await openWebSocket(t, `${app.url}/socket.io/?EIO=4&transport=websocket`);
    assert.equal(refused.accepted, false);
    assert.equal((await openPolling(app.url)).response.status, 403);
  });

  test(`listeners for headers see and change those of every answer, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    app.io.engine.on("initial_headers", (headers, req) => {
      headers["X-First"] = req.url.length;
    });
    await new Promise(setImmediate);
    const { response } = await openPolling(app.url);
    assert.ok(Number(response.headers["x-first"]) > 10);
  });

  test(`large answers to polls are compressed, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    app.io.on("connection", (socket) => socket.emit("large", "x".repeat(5_000)));
    const { open } = await openPolling(app.url);
    const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
    assert.equal((await request(url, { method: "POST", body: "40" })).text, "ok");
    const headers = { "Accept-Encoding": "gzip, deflate, br" };
    let text = "";
    while (!text.includes("large")) {
      const response = await request(url, { headers });
      const packed = response.headers["content-encoding"] === "gzip";
      const body = packed ? require("node:zlib").gunzipSync(response.body) : response.body;
      assert.equal(packed, body.length >= 1024);
      text += body;
    }
  });

  test(`posts that cross end the connection, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    const { open } = await openPolling(app.url);
    await until(() => app.io.engine.clients[open.sid], "the connection has been heard of");
    const closed = next(app.io.engine.clients[open.sid], "close");
    const head =
      `POST /socket.io/?EIO=4&transport=polling&sid=${open.sid} HTTP/1.1\r\n` +
      "Host: a\r\nContent-Length: 2\r\n\r\n";
    const first = await connectRaw(t, app.port);
    first.socket.write(`${head}4`);
    const second = await connectRaw(t, app.port);
    second.socket.write(`${head}40`);
    // Which of the two is first does not matter: the other one is one too many.
    const [reason, error] = await closed;
    assert.equal(reason, "transport error");
    assert.equal(error.message, "data request overlap from client");
  });

  test(`a function that encodes cookies is asked for each, ${ACCEPTORS[acceptor]}`, async (t) => {
    const cookie = { name: "io", encode: (sid) => `${sid}.${sid.length}` };
    const app = await serveBeside(t, acceptor, { options: { cookie } });
    for (let n = 0; n < 2; n++) {
      const { open, response } = await openPolling(app.url);
      const [header] = response.headers["set-cookie"];
      assert.ok(header.startsWith(`io=${open.sid}.${open.sid.length};`), header);
    }
  });

  test(`a middleware counts on all http servers of an engine, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    const other = http.createServer();
    app.io.engine.attach(other, { path: "/socket.io/", acceptor });
    await listen(other);
    atEnd(t, () => other.close());
    await untilBrought(other, acceptor);
    app.io.engine.use((req, res, next) => next(new Error("refused")));
    for (const { port } of [app.httpServer.address(), other.address()]) {
      const { response } = await openPolling(`http://127.0.0.1:${port}`);
      assert.equal(response.status, 400);
    }
  });

  test(`the body of a post that crosses another is no request, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    const { open } = await openPolling(app.url);
    await until(() => app.io.engine.clients[open.sid], "the connection has been heard of");
    const closed = next(app.io.engine.clients[open.sid], "close");
    const body = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    const post = (length) =>
      `POST /socket.io/?EIO=4&transport=polling&sid=${open.sid} HTTP/1.1\r\n` +
      `Host: a\r\nContent-Length: ${length}\r\n\r\n`;
    const first = await connectRaw(t, app.port);
    first.socket.write(`${post(2)}4`);
    // Answered by the same thread, after it has read what came before.
    await openPolling(app.url);
    const second = await connectRaw(t, app.port);
    const half = body.length / 2;
    second.socket.write(post(body.length) + body.slice(0, half));
    await closed;
    assert.match(await second.read(/^HTTP/), /^HTTP\/1.1 400 /);
    second.socket.write(`${body.slice(half)}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`);
    const answer = await second.read(/app \/next$/);
    assert.doesNotMatch(answer, /smuggled/);
  });

  test(`the http server counts and waits for WebSockets, ${ACCEPTORS[acceptor]}`, async (t) => {
    const httpServer = http.createServer();
    const io = new target.Server(httpServer, { acceptor });
    const app = new App(io);
    closeAtEnd(t, io, app);
    await listen(httpServer);
    await untilBrought(httpServer, acceptor);
    assert.equal(httpServer.address().address, "127.0.0.1");
    assert.equal(httpServer.listening, true);
    const { client } = await app.connect("/", { transports: ["websocket"] });
    assert.equal(httpServer._connections, 1);
    const { url } = app;
    let closed = false;
    const closing = new Promise((resolve) =>
      httpServer.close(() => {
        closed = true;
        resolve();
      }),
    );
    assert.equal(httpServer.listening, false);
    await assert.rejects(request(url), { code: "ECONNREFUSED" });
    assert.equal(closed, false);
    client.disconnect();
    await closing;
  });

  test(`a head that is too long for the http server is answered by it, ${ACCEPTORS[acceptor]}`, async (t) => {
    const httpServer = http.createServer({ maxHeaderSize: 2_000 });
    const app = await serve(t, { httpServer, options: { acceptor } });
    await untilBrought(httpServer, acceptor);
    const url = `${app.url}/socket.io/?EIO=4&transport=polling`;
    const answer = (length) => request(url, { headers: { "X-Long": "x".repeat(length) } });
    assert.equal((await answer(1_000)).status, 200);
    assert.equal((await answer(3_000)).status, 431);
  });

  test(`connections are kept alive as the http server was told, ${ACCEPTORS[acceptor]}`, async (t) => {
    const httpServer = http.createServer({ keepAlive: true, keepAliveInitialDelay: 30_000 });
    const app = await serve(t, { httpServer, options: { acceptor } });
    await untilBrought(httpServer, acceptor);
    const { client, socket } = await app.connect("/", { transports: ["websocket"] });
    const own = app.port.toString(16).toUpperCase().padStart(4, "0");
    const peer = socket.request.socket.remotePort.toString(16).toUpperCase().padStart(4, "0");
    await settle(client, socket);
    // The kernel's table: addresses in hexadecimal, and which timer runs for how long still.
    const timer = new RegExp(`:${own} \\w+:${peer} 01 \\w+:\\w+ 02:(\\w+) `);
    let row;
    await until(() => (row = timer.exec(fs.readFileSync("/proc/net/tcp", "utf8"))), "it runs");
    const seconds = parseInt(row[1], 16) / 100;
    assert.ok(seconds > 0 && seconds <= 30, `${seconds}`);
  });

  test(`requests have the class that the http server was given, ${ACCEPTORS[acceptor]}`, async (t) => {
    class Request extends http.IncomingMessage {}
    const httpServer = http.createServer({ IncomingMessage: Request });
    const app = await serve(t, { httpServer, options: { acceptor } });
    await untilBrought(httpServer, acceptor);
    const { socket } = await app.connect("/", { transports: ["websocket"] });
    assert.ok(socket.request instanceof Request);
  });

  test(`a server that listens already, and one that listens again, is taken over, ${ACCEPTORS[acceptor]}`, async (t) => {
    const httpServer = http.createServer((req, res) => res.end("app"));
    await listen(httpServer);
    const io = new target.Server(httpServer, { acceptor });
    const app = new App(io);
    closeAtEnd(t, io, app);
    for (let round = 0; round < 2; round++) {
      await untilBrought(httpServer, acceptor);
      const { client } = await app.connect("/", { transports: ["websocket"] });
      assert.equal((await request(app.url)).text, "app");
      client.disconnect();
      if (round === 0) {
        await new Promise((resolve) => {
          httpServer.close(resolve);
          httpServer.closeAllConnections();
        });
        await listen(httpServer);
      }
    }
  });

  test(`destroying the socket of a request ends a client that polls, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    const { client, socket } = await app.connect("/", { transports: ["polling"] });
    const gone = Promise.all([next(socket, "disconnect"), next(client, "disconnect")]);
    socket.request.socket.destroy();
    assert.equal((await gone)[0][0], "transport error");
  });

  test(`an origin that is undefined allows none, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor, { options: { cors: { origin: undefined } } });
    const { response } = await openPolling(app.url, { headers: { Origin: "http://a" } });
    assert.equal(response.headers["access-control-allow-origin"], undefined);
  });

  test(`an http server without the engine's listeners has none of it, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    const { httpServer } = app;
    httpServer.removeAllListeners("upgrade");
    httpServer.removeAllListeners("request");
    httpServer.on("request", (req, res) => res.writeHead(418).end());
    await new Promise(setImmediate);
    assert.equal((await openPolling(app.url)).response.status, 418);
    const ws = await openWebSocket(t, `${app.url}/socket.io/?EIO=4&transport=websocket`);
    assert.equal(ws.accepted, false);
  });

  test(`keepAliveTimeout may be set at any time, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    for (const [ms, expected] of [
      [65_000, "timeout=65"],
      [0, undefined],
    ]) {
      app.httpServer.keepAliveTimeout = ms;
      await new Promise(setImmediate);
      const { response } = await openPolling(app.url, { headers: { Connection: "keep-alive" } });
      assert.equal(response.headers["keep-alive"], expected);
    }
  });

  test(`a cookie with a fault in its name is no fault of listening, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor, { options: { cookie: { name: "a b" } } });
    assert.equal((await request(`${app.url}/page`)).text, "app /page");
  });

  test(`closeIdleConnections() closes those that wait for a request, ${ACCEPTORS[acceptor]}`, async (t) => {
    const app = await serveBeside(t, acceptor);
    const idle = await connectRaw(t, app.port);
    const open = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n";
    idle.socket.write(open);
    const [, sid] = /"sid":"([^"]+)"/.exec(await idle.read(/"sid"[^]*}/));
    const busy = await connectRaw(t, app.port);
    busy.socket.write(open.replace(" HTTP", `&sid=${sid} HTTP`));
    // Answered by the same thread, after it has read what came before.
    await openPolling(app.url);
    await openPolling(app.url);
    const closed = once(idle.socket, "close");
    app.httpServer.closeIdleConnections();
    await closed;
    app.io.emit("nothing");
    app.io.engine.clients[sid].write("news");
    assert.match(await busy.read(/4news/), /200 OK/);
  });

  test(`which engine a path is for is up to the order of listeners, ${ACCEPTORS[acceptor]}`, async (t) => {
    const seen = [];
    for (const first of [acceptor, "node"]) {
      const httpServer = http.createServer();
      const app = await serve(t, { httpServer, options: { acceptor: first } });
      const second = new target.Server();
      second.attach(httpServer, { acceptor: first === "node" ? acceptor : "node" });
      await new Promise(setImmediate);
      const { open } = await openPolling(app.url);
      seen.push([app.io, second].map((io) => open.sid in io.engine.clients));
    }
    assert.deepEqual(seen, [
      [false, true],
      [false, true],
    ]);
  });

  for (const [title, makeRequest] of [
    ["GET waits", (sid) => `GET /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1`],
    [
      "POST has half come",
      (sid) => `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nContent-Length: 9`,
    ],
  ]) {
    test(`closeAllConnections() ends a session whose ${title}, ${ACCEPTORS[acceptor]}`, async (t) => {
      const app = await serveBeside(t, acceptor);
      const opened = next(app.io.engine, "connection");
      const { open } = await openPolling(app.url);
      const [conn] = await opened;
      const closed = next(conn, "close");
      const { socket } = await connectRaw(t, app.port);
      socket.write(`${makeRequest(open.sid)}\r\nHost: localhost\r\n\r\n`);
      // Answered by the same thread, after it has read what came before.
      await openPolling(app.url);
      await openPolling(app.url);
      app.httpServer.closeAllConnections();
      assert.equal((await closed)[0], "transport error");
    });
  }
}

/** What is said of one of them only. */
function declare() {
  test("where Node accepts, a client that says nothing is Node's", async (t) => {
    const app = await serveBeside(t, "auto");
    const { socket, read } = await connectRaw(t, app.port);
    await until(() => app.httpServer._connections === 1, "Node has it");
    socket.write("GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match(await read(/late/), /app \/late/);
    socket.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    await read(/"sid"/);
  });

  test("where Node accepts, it drops connections that are too many", async (t) => {
    const app = await serveBeside(t, "auto");
    const { client } = await app.connect("/", { transports: ["websocket"] });
    app.httpServer.maxConnections = 1;
    const drop = once(app.httpServer, "drop");
    const { socket } = await connectRaw(t, app.port);
    socket.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal((await drop)[0].localPort, app.port);
    await until(() => socket.destroyed, "it is closed");
    assert.ok(client.connected);
  });

  test("where Node accepts, a list of origins may change", async (t) => {
    const origins = ["http://a"];
    const app = await serveBeside(t, "auto", { options: { cors: { origin: origins } } });
    const allowed = async (origin) => {
      const { response } = await openPolling(app.url, { headers: { Origin: origin } });
      return response.headers["access-control-allow-origin"];
    };
    assert.equal(await allowed("http://a"), "http://a");
    origins.splice(0, 1, "http://b");
    assert.equal(await allowed("http://b"), "http://b");
    assert.equal(await allowed("http://a"), undefined);
  });

  test("where Node accepts, a handle that is closed twice is closed once", async (t) => {
    const httpServer = http.createServer();
    const io = new target.Server(httpServer, { acceptor: "auto" });
    atEnd(t, () => io.engine.close());
    await listen(httpServer);
    await untilBrought(httpServer, "auto");
    const { _handle: handle } = httpServer;
    handle.close();
    await new Promise((resolve) => httpServer.close(resolve));
    assert.equal(httpServer._connections, 0);
    await listen(httpServer);
    await untilBrought(httpServer, "auto");
    handle.close();
    await openPolling(`http://127.0.0.1:${httpServer.address().port}`);
    await new Promise((resolve) => httpServer.close(resolve));
  });

  test("where Node accepts, it may do so on a unix socket", async (t) => {
    const file = path.join(os.tmpdir(), `ferrio-${process.pid}-auto`);
    const httpServer = http.createServer((req, res) => res.end("app"));
    const io = new target.Server(httpServer, { acceptor: "auto" });
    atEnd(t, () => io.close());
    httpServer.listen(file);
    await once(httpServer, "listening");
    await untilBrought(httpServer, "auto");
    const connected = next(io.engine, "connection");
    const get = (path) =>
      new Promise((resolve, reject) => {
        const req = http.get({ socketPath: file, path, agent: false }, resolve);
        req.on("error", reject);
      });
    assert.equal((await get("/page")).statusCode, 200);
    assert.equal((await get("/socket.io/?EIO=4&transport=polling")).statusCode, 200);
    assert.equal((await connected)[0].transport.name, "polling");
  });

  test("an option that is neither is refused", () => {
    const attach = () => new target.Server(http.createServer(), { acceptor: "rust" });
    assert.throws(attach, /"acceptor" must be one of "auto", "native", "node", not "rust"/);
  });

  test("a port of its own is the native listener's, unless something else is asked for", async (t) => {
    const isNative = async (options) => {
      const io = new target.Server(0, options);
      const app = new App(io);
      closeAtEnd(t, io, app);
      const { socket } = await app.connect();
      return socket.request.socket.constructor.name === "AcceptedSocket";
    };
    const usual = process.env.FERRIO_ACCEPTOR;
    t.after(() => {
      if (usual !== undefined) process.env.FERRIO_ACCEPTOR = usual;
    });
    delete process.env.FERRIO_ACCEPTOR;
    assert.equal(await isNative({}), process.platform === "linux");
    assert.equal(await isNative({ acceptor: "node" }), false);
    process.env.FERRIO_ACCEPTOR = "node";
    assert.equal(await isNative({}), false);
    delete process.env.FERRIO_ACCEPTOR;
  });

  for (const [title, origin, asks, expected] of [
    ["any", "*", "http://a", ["*", undefined]],
    ["one", "http://a", "http://b", ["http://a", "Origin"]],
    ["a list", ["http://a", "http://b"], "http://b", ["http://b", "Origin"]],
    ["a list without it", ["http://a"], "http://b", [undefined, "Origin"]],
    ["a pattern", /a$/, "http://a", ["http://a", "Origin"]],
    ["a function", (asked, done) => done(null, true), "http://a", ["http://a", "Origin"]],
  ]) {
    test(`other origins hear the same from both listeners: ${title}`, async (t) => {
      for (const acceptor of ["node", "native"]) {
        const cors = { origin, credentials: true, exposedHeaders: ["X-A", "X-B"] };
        const options = { acceptor, cors, cookie: { name: "sid", maxAge: 10 } };
        const app = await serve(t, { options });
        const { response, open } = await openPolling(app.url, { headers: { Origin: asks } });
        const seen = response.headers;
        assert.equal(seen["access-control-allow-origin"], expected[0], acceptor);
        assert.equal(seen.vary, expected[1], acceptor);
        assert.equal(seen["access-control-allow-credentials"], "true");
        assert.equal(seen["access-control-expose-headers"], "X-A,X-B");
        const cookie = `sid=${open.sid}; Max-Age=10; Path=/; HttpOnly; SameSite=Lax`;
        assert.deepEqual(seen["set-cookie"], [cookie]);
        assert.equal(seen["content-type"], "text/plain; charset=UTF-8");
        assert.equal(seen["cache-control"], "no-store");
      }
    });
  }

  test("a listener of the application that throws costs no other connection its request", async (t) => {
    const fixture = startFixture(t, "beside");
    const { port } = await fixture.report();
    const url = `http://127.0.0.1:${port}`;
    const blocked = request(`${url}/block`);
    assert.deepEqual(await fixture.report(), { blocks: true });
    const first = net.connect(port, "127.0.0.1");
    atEnd(t, () => first.destroy());
    first.write("GET /throw HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(first, "connect");
    const others = Array.from({ length: 20 }, (_, n) => request(`${url}/${n}`));
    const answers = await Promise.all(others);
    assert.deepEqual(
      answers.map(({ text }) => text),
      Array.from({ length: 20 }, (_, n) => `/${n}`),
    );
    assert.deepEqual(await fixture.report(), { thrown: "not today" });
    await blocked;
  });

  test("a client that posts gets no further than JavaScript does", async (t) => {
    const fixture = startFixture(t, "beside");
    const { port } = await fixture.report();
    const url = `http://127.0.0.1:${port}`;
    const { open } = await openPolling(url);
    const session = `${url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
    const post = (body) => request(session, { method: "POST", body });
    assert.equal((await post("40")).text, "ok");
    const blocked = request(`${url}/block`);
    assert.deepEqual(await fixture.report(), { blocks: true });
    let answered = 0;
    let isBlocked = true;
    const floods = (async () => {
      while (isBlocked) {
        await post(`42["large","${"x".repeat(200_000)}"]`);
        answered++;
      }
    })();
    await blocked;
    isBlocked = false;
    assert.ok(answered <= 1, `${answered} posts were answered meanwhile`);
    await floods;
  });

  test("an upgrade of a connection that is one too many ends with it", async (t) => {
    const app = await serveBeside(t, "native");
    const { client } = await app.connect("/", { transports: ["websocket"] });
    app.httpServer.maxConnections = 1;
    const drops = [];
    app.httpServer.on("drop", (data) => drops.push(data));
    const thrown = [];
    const onThrow = (error) => thrown.push(error);
    process.on("uncaughtExceptionMonitor", onThrow);
    atEnd(t, () => process.off("uncaughtExceptionMonitor", onThrow));
    assert.equal(await meanwhile(t, { port: app.port, clients: 1, startsOnPolling: true }), 1);
    assert.deepEqual([drops.length, thrown], [1, []]);
    assert.equal(app.io.engine.clientsCount, 1);
    assert.ok(client.connected);
  });

  test("no connection outlives a server that closes while clients come", async (t) => {
    for (let round = 0; round < 5; round++) {
      const app = await serveBeside(t, "native");
      const ended = meanwhile(t, { port: app.port, clients: 100 });
      await app.io.close();
      assert.ok((await ended) > 0);
      assert.equal(app.io.engine.clientsCount, 0);
    }
  });

  test("where TLS is Node's, Node accepts and says so", async (t) => {
    const warned = once(process, "warning");
    const httpServer = https.createServer({
      ...selfSigned(),
      honorCipherOrder: true,
      ciphers: CIPHERS,
    });
    const app = await serve(t, { httpServer, options: NATIVE });
    const [warning] = await warned;
    assert.equal(warning.code, "FERRIO_ACCEPTOR");
    assert.match(warning.message, /Node ends the TLS of this server: it has "ciphers"/);
    assert.notEqual(app.httpServer._handle.constructor.name, "Listening");
  });

  /** A worker of node:cluster, once it listens: its port, and the warnings until then. */
  async function fork(t, options) {
    cluster.setupPrimary({ exec: path.join(__dirname, "../support/fixtures/worker.js"), args: [] });
    const worker = cluster.fork({ FERRIO_ACCEPTOR: "", WORKER_OPTIONS: JSON.stringify(options) });
    atEnd(t, () => worker.process.kill("SIGKILL"));
    const warnings = [];
    let port;
    worker.on("message", (message) => {
      if (typeof message === "number") port = message;
      else warnings.push(message);
    });
    await until(() => port !== undefined, "the worker listens");
    return { worker, port, warnings };
  }

  for (const [title, options, warns] of [
    ["hands over", {}, []],
    ["says so if it was asked for something else", NATIVE, ["FERRIO_ACCEPTOR"]],
  ]) {
    test(`in a cluster whose primary process listens, Node accepts and ${title}`, async (t) => {
      const { port, warnings } = await fork(t, options);
      // Where the request has come by the time that the worker gets the connection.
      let name;
      while (name !== "AcceptedSocket") {
        const client = connectTo(`http://127.0.0.1:${port}`, {
          forceNew: true,
          reconnection: false,
        });
        atEnd(t, () => client.disconnect());
        await connected(client);
        [, name] = await client.emitWithAck("who");
      }
      await until(() => warnings.length === warns.length, "the warnings have come");
      assert.deepEqual(
        warnings.map(({ code }) => code),
        warns,
      );
      for (const { message } of warnings) {
        assert.match(message, /the cluster's primary process listens for this worker/);
      }
    });
  }

  test("workers that share a port by reusePort have a native listener each", async (t) => {
    const first = await fork(t, { reusePort: await freePort() });
    const second = await fork(t, { reusePort: first.port });
    const asked = new Set();
    while (asked.size < 2) {
      const client = connectTo(`http://127.0.0.1:${second.port}`, {
        forceNew: true,
        reconnection: false,
        transports: ["websocket"],
      });
      atEnd(t, () => client.disconnect());
      await connected(client);
      const [worker, name] = await client.emitWithAck("who");
      assert.equal(name, "AcceptedSocket");
      asked.add(worker);
    }
    assert.deepEqual([first.warnings, second.warnings], [[], []]);
  });
}
