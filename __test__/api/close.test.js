"use strict";

// The end of a server and of the process it runs in.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { io: connectTo } = require("socket.io-client");
const { isReference, target } = require("../support/target");
const { TRANSPORTS, test, eachTransport } = require("../support/scenario");
const { connected, listen, serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { deferred, next, until } = require("../support/events");
const { startFixture } = require("../support/fixture");
const { openPolling, request } = require("../support/request");
const { OPCODE, frame } = require("../protocol/wire");

eachTransport("io.close() ends the clients and stops listening", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.of("/other");
  const main = await app.connect();
  const other = await app.share(main.client, "/other");
  const ends = [main.socket, other.socket].map((socket) => next(socket, "disconnect"));
  const stopped = next(app.httpServer, "close");
  const { url } = app;
  const closed = app.io.close();
  for (const end of ends) {
    assert.equal((await end)[0], "server shutting down");
  }
  app.httpServer.closeAllConnections();
  assert.equal(await closed, undefined);
  await stopped;
  assert.equal(app.httpServer.listening, false);
  assert.equal(app.io.engine.clientsCount, 0);
  assert.equal(app.io.sockets.sockets.size, 0);
  await assert.rejects(request(url), { code: "ECONNREFUSED" });
});

eachTransport(
  "io.close() goes on where a connection's end takes others along",
  async (t, transport) => {
    const app = await serve(t, { transport });
    const ends = await app.connectAll(3);
    const conns = ends.map(({ socket }) => socket.conn);
    for (const conn of conns) {
      conn.on("close", () => conns.forEach((other) => other.close(true)));
    }
    const closed = app.io.close();
    app.httpServer.closeAllConnections();
    await closed;
    assert.equal(app.httpServer.listening, false);
    assert.equal(app.io.engine.clientsCount, 0);
  },
);

test("engine.close() goes on where a connection's end takes others along", async (t) => {
  const app = await serve(t, { transport: TRANSPORTS.websocket });
  const ends = await app.connectAll(3);
  const gone = ends.map(({ client }) => next(client, "disconnect"));
  for (const { socket } of ends) {
    socket.on("disconnect", () => app.io.disconnectSockets(true));
  }
  app.io.engine.close();
  await Promise.all(gone);
  assert.equal(app.io.engine.clientsCount, 0);
});

/** Rounds, in each of which the server closes a turn of the event loop later. */
const ROUNDS = 40;

test("a WebSocket that is opened while the http server closes is served", async (t) => {
  for (let turns = 0; turns < ROUNDS; turns++) {
    const app = await serve(t);
    let conn;
    app.io.engine.on("connection", (opened) => (conn = opened));
    const handshake = await beginWebSocket(t, app, "EIO=4&transport=websocket");
    await closesAfter(turns, app);
    // Refused when the server was faster than the handshake.
    if (await handshake.isAccepted()) {
      await until(() => conn !== undefined, "the server knows of the connection");
      assert.equal(conn.readyState, "open");
    }
    handshake.stream.destroy();
  }
});

test("an upgrade while the http server closes ends no session", async (t) => {
  for (let turns = 0; turns < ROUNDS; turns++) {
    const app = await serve(t);
    const opened = next(app.io.engine, "connection");
    const { open } = await openPolling(app.url);
    const [conn] = await opened;
    const query = `EIO=4&transport=websocket&sid=${open.sid}`;
    const handshake = await beginWebSocket(t, app, query);
    await closesAfter(turns, app);
    if (await handshake.isAccepted()) {
      const upgraded = next(conn, "upgrade");
      const [probe, upgrade] = ["2probe", "5"].map((text) => frame(OPCODE.text, text));
      handshake.stream.write(Buffer.concat([probe, upgrade]));
      await upgraded;
      assert.equal(conn.readyState, "open");
    }
    handshake.stream.destroy();
  }
});

/** Sends a WebSocket handshake; `isAccepted()` waits for the answer, or for the end of the connection. */
async function beginWebSocket(t, app, query) {
  const stream = net.connect(app.port, "127.0.0.1");
  atEnd(t, () => stream.destroy());
  stream.on("error", () => {});
  await next(stream, "connect");
  stream.write(
    `GET /socket.io/?${query} HTTP/1.1\r\nHost: localhost\r\n` +
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  const answered = Promise.race([next(stream, "data"), next(stream, "close")]);
  return {
    stream,
    isAccepted: async () => String((await answered)[0]).startsWith("HTTP/1.1 101"),
  };
}

/** Stops listening when the event loop has turned so often. */
async function closesAfter(turns, { httpServer }) {
  for (let i = 0; i < turns; i++) {
    await nextTurn();
  }
  httpServer.close();
}

test("io.close(callback) calls back", async (t) => {
  const app = await serve(t);
  const called = deferred();
  app.io.close((error) => called.resolve(error));
  assert.equal(await called.promise, undefined);
  assert.equal(app.httpServer.listening, false);
});

test("closing a server that does not listen calls back with the error", async () => {
  const io = new target.Server(http.createServer());
  const called = deferred();
  await io.close((error) => called.resolve(error));
  assert.equal((await called.promise).code, "ERR_SERVER_NOT_RUNNING");
});

test("closing twice is harmless", async (t) => {
  const app = await serve(t);
  await app.connect("/", { transports: ["websocket"] });
  await Promise.all([app.io.close(), app.io.close()]);
  await app.io.close();
  assert.equal(app.httpServer.listening, false);
});

test("closing the http server closes the engine", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect("/", { transports: ["websocket"] });
  const stopped = next(app.httpServer, "close");
  app.httpServer.close();
  socket.disconnect(true);
  await stopped;
  assert.equal(app.io.engine.clientsCount, 0);
});

eachTransport("a closed server can listen again", async (t, transport) => {
  const app = await serve(t, { transport });
  const first = await app.connect();
  const gone = next(first.client, "disconnect");
  const closed = app.io.close();
  await gone;
  app.httpServer.closeAllConnections();
  await closed;

  await listen(app.httpServer);
  const { client, socket } = await app.connect();
  const heard = next(client, "event");
  app.io.emit("event", "again");
  assert.deepEqual(await heard, ["again"]);
  socket.on("question", (answer) => answer("answer"));
  assert.equal(await client.emitWithAck("question"), "answer");
});

test("emitting after close does nothing", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect("/", { transports: ["websocket"] });
  await app.io.close();
  assert.equal(app.io.emit("event"), true);
  assert.equal(app.io.to("room").emit("event"), true);
  assert.equal(socket.emit("event"), true);
});

test("adapters are closed with the server", async (t) => {
  const closed = [];
  const { Adapter } = require("socket.io-adapter");
  class Closing extends Adapter {
    async close() {
      await null;
      closed.push(this.nsp.name);
    }
  }
  const app = await serve(t, { options: { adapter: Closing } });
  app.io.of("/other");
  await app.io.close();
  assert.deepEqual(closed.sort(), ["/", "/other"]);
});

/** Starts a fixture and connects a client to it. */
async function startWithClient(t, transport, name, ...args) {
  const fixture = startFixture(t, name, ...args);
  const { port } = await fixture.report();
  const client = connectTo(`http://127.0.0.1:${port}`, {
    forceNew: true,
    reconnection: false,
    ...transport.client,
  });
  atEnd(t, () => client.disconnect());
  await connected(client);
  if (transport.final !== client.io.engine.transport.name) {
    await next(client.io.engine, "upgrade");
  }
  return { fixture, client };
}

eachTransport("the process exits after io.close()", async (t, transport) => {
  const { fixture, client } = await startWithClient(t, transport, "close-on-request");
  client.emit("close server");
  assert.deepEqual(await fixture.report(), { reason: "server shutting down" });
  assert.deepEqual(await fixture.report(), { closed: true });
  assert.deepEqual(await fixture.exited(), { code: 0, signal: null });
});

test("a server that does not listen does not keep the process alive", async (t) => {
  const fixture = startFixture(t, "never-listening");
  assert.deepEqual(await fixture.report(), { attached: true });
  assert.deepEqual(await fixture.exited(), { code: 0, signal: null });
});

for (const kind of ["event", "broadcast"]) {
  for (const name of ["websocket", "upgraded"]) {
    eachTransport(
      `an ${kind} right before process.exit() is delivered`.replace("an b", "a b"),
      async (t, transport) => {
        const { fixture, client } = await startWithClient(t, transport, "emit-and-exit");
        const received = next(client, "bye");
        client.emit("emit and exit", kind);
        assert.deepEqual(await received, ["last words"]);
        assert.equal((await fixture.exited()).code, 0);
      },
      [name],
    );
  }
}

test("what is emitted right before process.exit() is delivered to many that poll", async (t) => {
  const fixture = startFixture(t, "emit-and-exit");
  const { port } = await fixture.report();
  const url = `http://127.0.0.1:${port}`;
  const connect = (transport) =>
    connectTo(url, { forceNew: true, reconnection: false, transports: [transport] });
  const clients = Array.from({ length: 30 }, () => connect("polling"));
  // One that polls would say what is to be done before it polls again.
  const asker = connect("websocket");
  atEnd(t, () => [asker, ...clients].forEach((client) => client.close()));
  await Promise.all([asker, ...clients].map((client) => next(client, "connect")));
  await asker.emitWithAck("polled by", 30);
  const received = Promise.all(clients.map((client) => next(client, "bye")));
  asker.emit("emit and exit", "large broadcast");
  const lengths = (await received).map(([text]) => text.length);
  assert.deepEqual(new Set(lengths), new Set([20_000]));
});

test("what is emitted right before process.exit() is the answer to polls that wait", async (t) => {
  const fixture = startFixture(t, "emit-and-exit");
  const { port } = await fixture.report();
  const url = `http://127.0.0.1:${port}`;
  const asker = connectTo(url, { reconnection: false, transports: ["websocket"] });
  atEnd(t, () => asker.close());
  await next(asker, "connect");
  const sessions = Array.from({ length: 20 }, async () => {
    const { open } = await openPolling(url);
    const session = `${url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
    assert.equal((await request(session, { method: "POST", body: "40" })).text, "ok");
    assert.match((await request(session)).text, /^40/);
    return session;
  });
  const answers = (await Promise.all(sessions)).map((session) => request(session));
  // Connections that came later were answered, so these requests have been read.
  await openPolling(url);
  await openPolling(url);
  asker.emit("emit and exit", "large broadcast");
  for (const { text } of await Promise.all(answers)) {
    assert.match(text, /^42\["bye","x{20000}"]$/);
  }
});

for (const name of ["websocket", "upgraded"]) {
  eachTransport(
    "an event before a long computation arrives while it runs",
    async (t, transport) => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "progress-"));
      atEnd(t, () => fs.rmSync(folder, { recursive: true }));
      const file = path.join(folder, "seen");
      const { client } = await startWithClient(t, transport, "emit-and-block");
      const progress = next(client, "progress");
      const released = client.emitWithAck("emit and block", file);
      assert.deepEqual(await progress, [50]);
      fs.writeFileSync(file, "");
      assert.equal(await released, true);
    },
    [name],
  );
}

const rejects = isReference && "the reference rejects with an internal TypeError";
test("closing a server that was never attached resolves", { skip: rejects }, async () => {
  assert.equal(await new target.Server().close(), undefined);
});
