"use strict";

// While the application keeps the JavaScript thread busy, nobody looks at what passes through
// there: requests of polling, and streams that are encrypted by Node. Clients that have answered
// their ping by the time that somebody looks again are not lost for it.

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const https = require("node:https");
const { WebSocket } = require("ws");
const { Server } = require("../..");
const { App, closeAtEnd, listen } = require("../support/app");
const { selfSigned } = require("../support/certificate");
const { atEnd } = require("../support/cleanup");
const { next } = require("../support/events");
const { serveOwn } = require("../support/own-app");
const { openPolling, request } = require("../support/request");
const { test } = require("../support/scenario");

const IMPATIENT = { pingInterval: 100, pingTimeout: 600, acceptor: "node" };

/** Keeps the thread busy, by default for longer than a client may take to answer. */
function block(ms = 1_500) {
  const end = Date.now() + ms;
  while (Date.now() < end);
}

/** Answers pings; resolves with the number that it has answered once there is no more to come. */
function heartbeats(conn, count) {
  let heard = 0;
  return new Promise((resolve, reject) => {
    const lost = (reason) => reject(new Error(`lost: ${reason}`));
    conn.once("close", lost);
    conn.on("heartbeat", () => {
      if (++heard === count) {
        conn.off("close", lost);
        resolve(heard);
      }
    });
  });
}

test("a client on polling outlives a busy thread", async (t) => {
  const app = await serveOwn(t, IMPATIENT);
  const url = `http://127.0.0.1:${app.io.httpServer.address().port}`;
  const [{ open }, [conn]] = await Promise.all([
    openPolling(url),
    next(app.io.engine, "connection"),
  ]);
  const session = `${url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const alive = heartbeats(conn, 3);
  const answering = (async () => {
    for (let i = 0; i < 3; i++) {
      const { text } = await request(session);
      assert.equal(text, "2");
      block();
      await request(session, { method: "POST", body: "3" });
    }
  })();
  await Promise.all([alive, answering]);
});

test("a client may go on when its CONNECT has got through", async (t) => {
  if (process.platform !== "linux") {
    return;
  }
  const app = await serveOwn(t, { acceptor: "native" });
  const heard = new Promise((resolve) => {
    app.io.on("connection", (socket) => socket.on("early", resolve));
  });
  const opened = next(app.io.engine, "connection");
  const url = `http://127.0.0.1:${app.io.httpServer.address().port}`;
  const { open } = await openPolling(url);
  await opened;
  // This thread waits until the other process has ended. Both of its POSTs are answered meanwhile.
  const posts = `
    const url = "${url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}";
    (async () => {
      for (const body of ["40", '42["early","bird"]']) {
        await fetch(url, { method: "POST", body });
      }
    })().then(() => process.exit());
    setTimeout(() => process.exit(1), 10_000);
  `;
  execFileSync(process.execPath, ["-e", posts]);
  assert.equal(await heard, "bird");
});

test("a WebSocket whose writes are watched is pinged before it is given up", async (t) => {
  const app = await serveOwn(t, IMPATIENT);
  const url = `ws://127.0.0.1:${app.io.httpServer.address().port}/socket.io/`;
  const opened = next(app.io.engine, "connection");
  const webSocket = new WebSocket(`${url}?EIO=4&transport=websocket`);
  atEnd(t, () => webSocket.terminate());
  webSocket.on("message", (packet) => String(packet) === "2" && webSocket.send("3"));
  const [conn] = await opened;
  // Its pings are made in JavaScript from here on.
  conn.on("packetCreate", () => {});
  const alive = heartbeats(conn, 3);
  for (let i = 0; i < 3; i++) {
    block();
    await next(conn, "heartbeat");
  }
  await alive;
});

test("a thread that is busy now and then notices that a client on polling is gone", async (t) => {
  const app = await serveOwn(t, { pingInterval: 100, pingTimeout: 400, acceptor: "node" });
  const url = `http://127.0.0.1:${app.io.httpServer.address().port}`;
  const { client } = await app.connect("/", { transports: ["websocket"] });
  const opened = next(app.io.engine, "connection");
  await openPolling(url);
  const gone = next((await opened)[0], "close");
  // There is always something that waits for the thread, in each of the client's times to answer.
  const blocking = setInterval(() => {
    client.emit("noise");
    block(150);
  }, 250);
  t.after(() => clearInterval(blocking));
  assert.equal((await gone)[0], "ping timeout");
});

test("a client on an encrypted WebSocket outlives a busy thread", async (t) => {
  const httpServer = https.createServer(selfSigned());
  const io = new Server(httpServer, IMPATIENT);
  closeAtEnd(t, io, new App(io, undefined, IMPATIENT));
  await listen(httpServer);
  const { port } = httpServer.address();
  const opened = next(io.engine, "connection");
  const webSocket = new WebSocket(`wss://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, {
    rejectUnauthorized: false,
  });
  atEnd(t, () => webSocket.terminate());
  const [conn] = await opened;
  webSocket.on("message", (data) => {
    if (String(data) === "2") {
      block();
      webSocket.send("3");
    }
  });
  await heartbeats(conn, 3);
});
