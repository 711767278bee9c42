"use strict";

// Servers behind TLS that is terminated by Node.

const assert = require("node:assert/strict");
const https = require("node:https");
const { WebSocket } = require("ws");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, next } = require("../support/events");
const { request } = require("../support/request");
const { selfSigned } = require("../support/certificate");

const { key, cert } = selfSigned();

/** Starts a server with TLS; its clients trust the certificate. */
async function serveSecure(t, setup = {}) {
  const httpServer = https.createServer({ key, cert }, (req, res) => res.end("application"));
  const app = await serve(t, { ...setup, httpServer });
  const { port } = app;
  Object.defineProperty(app, "url", { value: `https://127.0.0.1:${port}` });
  const { connect } = app;
  app.connect = (namespace, options) => connect.call(app, namespace, { ca: cert, ...options });
  return app;
}

eachTransport("events and acks go both ways over https", async (t, transport) => {
  const app = await serveSecure(t, { transport });
  const { client, socket } = await app.connect();
  socket.on("question", (value, answer) => answer({ value }));
  assert.deepEqual(await client.emitWithAck("question", "é"), { value: "é" });
  client.on("question", (value, answer) => answer([value]));
  assert.deepEqual(await socket.emitWithAck("question", 7), [7]);
});

eachTransport("binary goes both ways over https", async (t, transport) => {
  const app = await serveSecure(t, { transport });
  const { client, socket } = await app.connect();
  const large = Buffer.alloc(300_000, "x");
  socket.on("bytes", (bytes) => socket.emit("bytes", bytes));
  const echoed = next(client, "bytes");
  client.emit("bytes", large);
  assert.ok(Buffer.from((await echoed)[0]).equals(large));
});

eachTransport("a broadcast reaches all clients over https in order", async (t, transport) => {
  const app = await serveSecure(t, { transport });
  const both = await app.connectAll(2);
  const received = both.map(({ client }) => collect(client, "count", 100));
  for (let i = 0; i < 100; i++) {
    app.io.emit("count", i);
  }
  for (const events of received) {
    assert.deepEqual(
      (await events).map(([i]) => i),
      Array.from({ length: 100 }, (_, i) => i),
    );
  }
});

eachTransport("a secure connection is known as such", async (t, transport) => {
  const app = await serveSecure(t, { transport });
  const { socket } = await app.connect();
  assert.equal(socket.handshake.secure, true);
  const stream = socket.request.socket;
  assert.equal(stream.encrypted, true);
  // A request that was polled is over, and its stream may be.
  if (transport.client.transports[0] === "websocket") {
    assert.equal(typeof stream.getCipher().name, "string");
  }
  assert.equal(typeof stream.getPeerCertificate(), "object");
  assert.equal(stream.authorized, false);
  assert.match(socket.handshake.address, /127\.0\.0\.1$/);
});

eachTransport("both sides hear of a disconnection over https", async (t, transport) => {
  const app = await serveSecure(t, { transport });
  const one = await app.connect();
  const left = next(one.socket, "disconnect");
  one.client.disconnect();
  assert.equal((await left)[0], "client namespace disconnect");
  const two = await app.connect();
  const closed = next(two.client, "disconnect");
  two.socket.disconnect(true);
  assert.equal((await closed)[0], "io server disconnect");
});

test("the application behind https is untouched", async (t) => {
  const app = await serveSecure(t);
  await app.connect();
  const answer = await request(`${app.url}/page`, { ca: cert });
  assert.equal(answer.text, "application");
});

eachTransport(
  "the stream of a request over TLS can be asked about the peer",
  async (t, transport) => {
    const app = await serveSecure(t, { transport });
    const { socket } = await app.connect();
    const stream = socket.request.socket;
    assert.equal(stream, socket.request.connection);
    assert.equal(stream.encrypted, true);
    assert.equal(stream.authorized, false);
    assert.deepEqual(stream.getPeerCertificate(), {});
    assert.equal(stream.localPort, app.port);
    assert.match(stream.localAddress, /127\.0\.0\.1$/);
    assert.equal(typeof stream.remotePort, "number");
    assert.match(stream.getProtocol(), /^TLSv1/);
  },
  ["websocket"],
);

test("over https a client that answers pings stays, and one that does not is left", async (t) => {
  const app = await serveSecure(t, { options: { pingInterval: 100, pingTimeout: 1_000 } });
  const client = new WebSocket(
    `${app.url.replace("https", "wss")}/socket.io/?EIO=4&transport=websocket`,
    { ca: cert },
  );
  t.after(() => client.terminate());
  const connected = next(app.io, "connection");
  let pings = 0;
  client.on("message", (data) => {
    if (data.toString() === "2" && ++pings <= 3) {
      client.send("3");
    }
  });
  client.on("open", () => client.send("40"));
  const [socket] = await connected;
  const [reason] = await next(socket, "disconnect");
  assert.equal(reason, "ping timeout");
  assert.equal(pings, 4);
});
