"use strict";

// The option proxyProtocol: a proxy in front tells where connections come from. The header itself
// is tested in src/server/proxy_protocol_tests.rs.

const assert = require("node:assert/strict");
const { once } = require("node:events");
const http = require("node:http");
const net = require("node:net");
const nodeTest = require("node:test");
const tls = require("node:tls");
const { WebSocket } = require("ws");
const { Server } = require("../..");
const { test } = require("../support/scenario");
const { App, closeAtEnd, listen } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { selfSigned } = require("../support/certificate");
const { next, until } = require("../support/events");

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const LINE = "PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n";

if (process.platform === "linux") {
  declare();
} else {
  nodeTest.test("the native listener is for Linux", { skip: true });
}

/** A header of version 2. */
function binary(command, family, ...rest) {
  const addresses = Buffer.concat(rest.map((part) => Buffer.from(part)));
  const head = Buffer.from([0x20 | command, family, 0, 0]);
  head.writeUInt16BE(addresses.length, 2);
  return Buffer.concat([SIGNATURE, head, addresses]);
}

/** A server behind a proxy, with an http server that tells what it sees. */
async function serveProxied(t, options) {
  const httpServer = http.createServer(tell);
  const io = new Server(httpServer, { acceptor: "native", proxyProtocol: true, ...options });
  const app = new App(io);
  closeAtEnd(t, io, app);
  await listen(httpServer);
  await until(() => httpServer._handle.constructor.name === "Listening", "Rust accepts");
  return app;
}

function tell(req, res) {
  const { remoteAddress, remotePort, remoteFamily } = req.socket;
  res.end(JSON.stringify([remoteAddress, remotePort, remoteFamily]));
}

/** A connection that begins with these bytes. */
function connect(t, port, header) {
  const socket = net.connect(port, "127.0.0.1");
  atEnd(t, () => socket.destroy());
  socket.on("error", () => {});
  socket.write(header);
  return socket;
}

/** A client over WebSocket behind a header; resolves with the socket of the main namespace. */
async function join(t, app, createConnection, scheme = "ws") {
  const url = `${scheme}://127.0.0.1:${app.port}/socket.io/?EIO=4&transport=websocket`;
  const ws = new WebSocket(url, { createConnection });
  atEnd(t, () => ws.terminate());
  const connected = next(app.io, "connection");
  await once(ws, "open");
  ws.send("40");
  return (await connected)[0];
}

function get(createConnection, path = "/") {
  return new Promise((resolve, reject) => {
    const req = http.get({ path, host: "127.0.0.1", createConnection }, (res) => {
      let text = "";
      res.on("data", (chunk) => (text += chunk));
      res.on("end", () => resolve(text));
    });
    req.on("error", reject);
  });
}

function declare() {
  for (const [title, header, expected] of [
    ["a line", LINE, ["203.0.113.7", 56324, "IPv4"]],
    ["IPv6", "PROXY TCP6 2001:db8::7 ::1 5 443\r\n", ["2001:db8::7", 5, "IPv6"]],
    [
      "binary, with more behind the addresses",
      binary(1, 0x11, [203, 0, 113, 9], [192, 0, 2, 1], [1, 0, 1, 187], [4, 0, 1, 0]),
      ["203.0.113.9", 256, "IPv4"],
    ],
    ["a proxy that does not know", "PROXY UNKNOWN\r\n", ["127.0.0.1"]],
    ["the proxy's own connection", binary(0, 0), ["127.0.0.1"]],
  ]) {
    test(`the address is that of the header: ${title}`, async (t) => {
      const app = await serveProxied(t);
      const open = () => connect(t, app.port, header);
      const { handshake, request: req, conn } = await join(t, app, open);
      assert.equal(handshake.address, expected[0]);
      assert.equal(conn.remoteAddress, expected[0]);
      assert.equal(req.socket.remoteAddress, expected[0]);
      const known = next(app.io.engine, "connection");
      assert.match(await get(open, "/socket.io/?EIO=4&transport=polling"), /"sid"/);
      assert.equal((await known)[0].remoteAddress, expected[0]);
      // What is not the engine's sees it as well.
      const seen = JSON.parse(await get(open));
      assert.deepEqual(seen.slice(0, expected.length), expected);
    });
  }

  test("a request that JavaScript decides about has the address, too", async (t) => {
    const seen = [];
    const allowRequest = (req, decide) => {
      seen.push(req.socket.remoteAddress);
      decide(null, true);
    };
    const app = await serveProxied(t, { allowRequest });
    const { handshake } = await join(t, app, () => connect(t, app.port, LINE));
    assert.equal(handshake.address, "203.0.113.7");
    assert.deepEqual(seen, ["203.0.113.7"]);
  });

  test("the header comes before TLS", async (t) => {
    const { key, cert } = selfSigned();
    const io = new Server();
    const app = new App(io);
    closeAtEnd(t, io, app);
    const options = { tls: { key, cert }, proxyProtocol: true };
    io.listen({ port: 0, host: "127.0.0.1" }, options);
    await next(io.httpServer, "listening");
    const open = () =>
      tls.connect({ socket: connect(t, app.port, LINE), host: "127.0.0.1", ca: cert });
    const { handshake } = await join(t, app, open, "wss");
    assert.equal(handshake.address, "203.0.113.7");
    assert.equal(handshake.secure, true);
    io.httpServer.removeAllListeners("request");
    io.httpServer.on("request", tell);
    assert.deepEqual(JSON.parse(await get(open)), ["203.0.113.7", 56324, "IPv4"]);
  });

  test("a header may come in pieces", async (t) => {
    const app = await serveProxied(t);
    const socket = connect(t, app.port, "");
    socket.setNoDelay();
    for (const character of LINE) {
      await new Promise((resolve) => socket.write(character, resolve));
    }
    const { handshake } = await join(t, app, () => socket);
    assert.equal(handshake.address, "203.0.113.7");
  });

  test("a connection without a sound header is closed", async (t) => {
    const app = await serveProxied(t);
    for (const header of [
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "PROXY TCP4 nobody knows 1 2\r\n",
      `PROXY UNKNOWN ${"x".repeat(200)}`,
      binary(1, 0x11, [1, 2, 3]),
      binary(2, 0x11, Buffer.alloc(12)),
      binary(1, 0x11, Buffer.alloc(60_000)),
    ]) {
      const socket = connect(t, app.port, header);
      let received = 0;
      socket.on("data", (chunk) => (received += chunk.length));
      // What the server has not read makes it a reset.
      await new Promise((resolve) => socket.once("close", resolve));
      assert.equal(received, 0);
    }
    const half = connect(t, app.port, "PROXY TCP4");
    const closed = new Promise((resolve) => half.once("close", resolve));
    half.resume().end();
    await closed;
    await join(t, app, () => connect(t, app.port, LINE));
  });

  test("trustProxy goes on from the address in the header", async (t) => {
    const app = await serveProxied(t, { trustProxy: ["203.0.113.7"] });
    const url = `ws://127.0.0.1:${app.port}/socket.io/?EIO=4&transport=websocket`;
    const ws = new WebSocket(url, {
      createConnection: () => connect(t, app.port, LINE),
      headers: { "X-Forwarded-For": "198.51.100.4" },
    });
    atEnd(t, () => ws.terminate());
    const connected = next(app.io, "connection");
    await once(ws, "open");
    ws.send("40");
    assert.equal((await connected)[0].handshake.address, "198.51.100.4");
  });

  test("without the native listener the option is refused", () => {
    const attach = (options) => new Server(http.createServer(), options);
    const asked = { proxyProtocol: true, acceptor: "node" };
    assert.throws(() => attach(asked), /"proxyProtocol" is for the native listener/);
    assert.throws(() => attach({ proxyProtocol: 1 }), /"proxyProtocol" must be true or false/);
  });
}
