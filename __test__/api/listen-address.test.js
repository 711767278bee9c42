"use strict";

// `io.listen({ port, … })`, a way of ferrio's own to say where to listen.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const net = require("node:net");
const nodeTest = require("node:test");
const os = require("node:os");
const path = require("node:path");
const { acceptor, isReference, target } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { App, closeAtEnd } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { next, until } = require("../support/events");
const { request } = require("../support/request");

/** Elsewhere Node accepts, and does not share ports. */
const isLinux = process.platform === "linux";
const isNative = isLinux && acceptor !== "node";
const linuxTest = isLinux ? test : (title) => nodeTest.test(title, { skip: true });

if (isReference) {
  nodeTest.test("the reference takes no such object", { skip: true });
} else {
  declare();
}

/** A server that listens at an address. */
async function serveAt(t, address, { transport, options } = {}) {
  const io = new target.Server(options);
  const app = new App(io, transport, options);
  closeAtEnd(t, io, app);
  assert.equal(io.listen(address), io);
  await next(io.httpServer, "listening");
  return app;
}

function declare() {
  eachTransport("a port and a host", async (t, transport) => {
    const app = await serveAt(t, { port: 0, host: "127.0.0.1", backlog: 10 }, { transport });
    assert.equal(app.httpServer.address().address, "127.0.0.1");
    assert.equal(app.httpServer._handle.constructor.name === "Listening", isNative);
    const { client, socket } = await app.connect();
    socket.on("question", (answer) => answer("fine"));
    assert.equal(await client.emitWithAck("question"), "fine");
    assert.equal((await request(`${app.url}/elsewhere`)).status, 404);
  });

  test("the option acceptor decides who accepts", async (t) => {
    const options = { acceptor: "node" };
    const app = await serveAt(t, { port: 0, host: "127.0.0.1" }, { options });
    assert.equal(app.httpServer._handle.constructor.name, "TCP");
  });

  linuxTest("several servers share a port", async (t) => {
    const shared = { host: "127.0.0.1", reusePort: true };
    const first = await serveAt(t, { ...shared, port: 0 });
    const second = await serveAt(t, { ...shared, port: first.port });
    let count = 0;
    for (const { io } of [first, second]) {
      io.on("connection", () => count++);
    }
    for (let i = 0; i < 4; i++) {
      const client = first.open("/", { transports: ["websocket"] });
      await next(client, "connect");
    }
    await until(() => count === 4, "all are connected to one or the other");
    const alone = new target.Server();
    atEnd(t, () => alone.engine.close());
    alone.listen({ port: first.port, host: "127.0.0.1" });
    assert.equal((await next(alone.httpServer, "error"))[0].code, "EADDRINUSE");
  });

  linuxTest("a port that others do not share is reported by the http server", async (t) => {
    const taken = await serveAt(t, { port: 0, host: "127.0.0.1" });
    const io = new target.Server();
    atEnd(t, () => io.engine.close());
    io.listen({ port: taken.port, host: "127.0.0.1", reusePort: true });
    assert.equal((await next(io.httpServer, "error"))[0].code, "EADDRINUSE");
  });

  test("a unix socket", async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ferrio-"));
    atEnd(t, () => fs.rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, "io.sock");
    const app = await serveAt(t, { path: file });
    assert.equal(app.httpServer.address(), file);
    assert.equal(app.httpServer._handle.constructor.name === "Listening", isNative);
    for (const [target, expected] of [
      ["/elsewhere", /^HTTP\/1.1 404/],
      ["/socket.io/?EIO=4&transport=polling", /"sid"/],
    ]) {
      const socket = net.connect(file);
      let text = "";
      socket.on("data", (chunk) => (text += chunk));
      socket.end(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      await next(socket, "close");
      assert.match(text, expected);
    }
    await app.io.close();
    assert.equal(fs.existsSync(file), false);
  });

  for (const [address, message] of [
    [{ port: 65536 }, /"port" in listen\(\) must be a whole number from 0 to 65535, not 65536/],
    [{ port: "80" }, /"port" in listen\(\) must be a whole number/],
    [{ port: 1, path: "/x" }, /either "port" or "path"/],
    [{ port: 1, backlog: 0 }, /"backlog" in listen\(\) must be/],
    [{ port: 1, tls: {} }, /unknown member "tls" in listen\(\): known are port, host/],
    [{ path: "/x", reusePort: true }, /"reusePort" in listen\(\) is for TCP ports/],
  ]) {
    test(`an address that makes no sense is refused: ${JSON.stringify(address)}`, () => {
      assert.throws(() => new target.Server().listen(address), message);
    });
  }
}
