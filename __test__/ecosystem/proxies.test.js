"use strict";

// Two servers behind a real nginx and a real HAProxy, with the configuration of examples/proxies.

const assert = require("node:assert/strict");
const http = require("node:http");
const { io: connectTo } = require("socket.io-client");
const { eachTransport, test } = require("../support/scenario");
const { isReference } = require("../support/target");
const { atEnd } = require("../support/cleanup");
const { next } = require("../support/events");
const { load, serve } = require("./installed");
const { startHaproxy, startNginx } = require("./proxies");

const PROXIES = { nginx: startNginx, HAProxy: startHaproxy };
/** More than a proxy passes on at once. */
const LENGTH = 400_000;
/** Addresses of the loopback interface. One that meets only one server with so many is no balancer. */
const ADDRESSES = 64;

for (const [name, startProxy] of Object.entries(PROXIES)) {
  eachTransport(`clients behind ${name} stay on their server`, async (t, transport) => {
    const servers = [await answering(t, "one"), await answering(t, "two")];
    const proxy = await startProxy(t, servers.map(portOf));
    const clients = await connectToBoth(t, proxy, transport);
    for (const { client, server, address } of clients) {
      assert.equal(await client.emitWithAck("forwarded for"), address);
      const bytes = Buffer.alloc(LENGTH, 7);
      const [echoed, length] = await client.emitWithAck("echo", bytes, "é".repeat(LENGTH));
      assert.deepEqual([Buffer.from(echoed), length], [bytes, LENGTH]);
      assert.equal(await client.emitWithAck("server"), server);
    }
  });

  eachTransport(`clients behind ${name} come back to another server`, async (t, transport) => {
    const servers = [await answering(t, "one"), await answering(t, "two")];
    const proxy = await startProxy(t, servers.map(portOf));
    const clients = await connectToBoth(t, proxy, transport);
    const lost = clients.filter(({ server }) => server === "one");
    const back = lost.map(({ client }) => next(client, "connect"));
    // As when it crashes: nobody is told that the server disconnects them.
    servers[0].httpServer.close();
    Object.values(servers[0].io.engine.clients).forEach((conn) => conn.close(true));
    // The proxy would send requests of the new session over connections that it has kept.
    servers[0].httpServer.closeAllConnections();
    await Promise.all(back);
    for (const { client } of clients) {
      assert.equal(await client.emitWithAck("server"), "two");
    }
  });
}

if (!isReference) {
  test("a server behind nginx believes where it says a client is", async (t) => {
    const app = await answering(t, "one", { trustProxy: 1 });
    const proxy = await startNginx(t, [app.port, app.port]);
    const client = await connect(t, proxy, "127.0.0.9");
    assert.equal(await client.emitWithAck("address"), "127.0.0.9");
  });

  for (const header of ["send-proxy", "send-proxy-v2"]) {
    eachTransport(`HAProxy tells where a client is, with ${header}`, async (t, transport) => {
      const { Server } = load("socket.io");
      const io = new Server({ acceptor: "native", proxyProtocol: true });
      answer(io, "one");
      io.listen({ port: 0, host: "127.0.0.1" });
      atEnd(t, () => io.close());
      await next(io.httpServer, "listening");
      const { port } = io.httpServer.address();
      const edit = (text) => text.replaceAll(" check ", ` ${header} `);
      const proxy = await startHaproxy(t, [port, port], edit);
      const client = await connect(t, proxy, "127.0.0.9", transport);
      assert.equal(await client.emitWithAck("address"), "127.0.0.9");
    });
  }
}

async function answering(t, name, options) {
  const app = await serve(t, { options });
  answer(app.io, name);
  return app;
}

function answer(io, name) {
  io.on("connection", (socket) => {
    const { headers, address } = socket.handshake;
    socket.on("server", (done) => done(name));
    socket.on("address", (done) => done(address));
    socket.on("forwarded for", (done) => done(headers["x-forwarded-for"]));
    socket.on("echo", (bytes, text, done) => done([bytes, text.length]));
  });
}

/** Connects clients from ever other addresses until both servers have some. */
async function connectToBoth(t, proxy, transport) {
  const clients = [];
  const seen = new Set();
  for (let i = 2; seen.size < 2; i++) {
    assert.ok(i < ADDRESSES, "all clients are on one server");
    const address = `127.0.0.${i}`;
    const client = await connect(t, proxy, address, transport);
    const server = await client.emitWithAck("server");
    seen.add(server);
    clients.push({ client, server, address });
  }
  return clients;
}

async function connect(t, proxy, address, transport) {
  const agent = new http.Agent({ localAddress: address, keepAlive: true });
  const client = connectTo(`http://127.0.0.1:${proxy.port}`, {
    forceNew: true,
    reconnectionDelay: 50,
    // HAProxy knows a client by its cookie.
    withCredentials: true,
    agent,
    ...transport?.client,
  });
  atEnd(t, () => {
    client.disconnect();
    agent.destroy();
  });
  await next(client, "connect");
  return client;
}

function portOf(app) {
  return app.port;
}
