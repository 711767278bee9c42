"use strict";

// `io.listen(port, { tls })`: the native listener speaks TLS itself. An option of ferrio's own.

const assert = require("node:assert/strict");
const { once } = require("node:events");
const https = require("node:https");
const net = require("node:net");
const nodeTest = require("node:test");
const tls = require("node:tls");
const express = require("express");
const { WebSocket } = require("ws");
const { Server } = require("../..");
const { test, eachTransport } = require("../support/scenario");
const { App, closeAtEnd, listen } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { selfSigned } = require("../support/certificate");
const { collect, next, settle, until } = require("../support/events");
const { openPolling, request } = require("../support/request");

const { key, cert } = selfSigned();

if (process.platform === "linux") {
  declare();
} else {
  nodeTest.test("the native listener is for Linux", { skip: true });
}

/** A server over TLS whose clients trust it. */
async function serveSecure(t, { transport, options, ...more } = {}) {
  const io = new Server(options);
  const app = new App(io, transport, options);
  closeAtEnd(t, io, app);
  io.listen({ port: 0, host: "127.0.0.1" }, { tls: { key, cert, ...more } });
  await next(io.httpServer, "listening");
  trust(app);
  return app;
}

/** The clients of an application speak TLS from now on. */
function trust(app) {
  const { open, port } = app;
  Object.defineProperty(app, "url", { value: `https://127.0.0.1:${port}` });
  app.open = (namespace, options) => open.call(app, namespace, { ca: cert, ...options });
}

/** A bare connection over TLS, through its handshake. */
async function connectSecure(t, app, options) {
  const socket = tls.connect({ port: app.port, host: "127.0.0.1", ca: cert, ...options });
  atEnd(t, () => socket.destroy());
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

/** The text that comes, once it matches. */
async function read(socket, pattern) {
  let text = "";
  const onData = (chunk) => (text += chunk.toString("latin1"));
  socket.on("data", onData);
  await until(() => pattern.test(text), `${pattern} has come`);
  socket.off("data", onData);
  return text;
}

function declare() {
  eachTransport("events, acks and binary go both ways", async (t, transport) => {
    const app = await serveSecure(t, { transport });
    assert.equal(app.httpServer._handle.constructor.name, "Listening");
    const { client, socket } = await app.connect();
    socket.on("question", (value, answer) => answer({ value }));
    assert.deepEqual(await client.emitWithAck("question", "é"), { value: "é" });
    client.on("question", (value, answer) => answer([value]));
    assert.deepEqual(await socket.emitWithAck("question", 7), [7]);
    const large = Buffer.alloc(700_000, "x");
    socket.on("bytes", (bytes) => socket.emit("bytes", bytes));
    const echoed = next(client, "bytes");
    client.emit("bytes", large);
    assert.ok(Buffer.from((await echoed)[0]).equals(large));
  });

  eachTransport("a broadcast reaches all clients in order", async (t, transport) => {
    const app = await serveSecure(t, { transport });
    const both = await app.connectAll(2);
    const received = both.map(({ client }) => collect(client, "count", 500));
    for (let i = 0; i < 500; i++) {
      app.io.emit("count", i, "x".repeat(i));
    }
    for (const events of received) {
      assert.deepEqual(
        (await events).map(([i]) => i),
        Array.from({ length: 500 }, (_, i) => i),
      );
    }
  });

  eachTransport(
    "a connection is known as secure, and where it comes from",
    async (t, transport) => {
      const app = await serveSecure(t, { transport });
      const { socket } = await app.connect();
      const { handshake, request: req } = socket;
      assert.equal(handshake.secure, true);
      assert.equal(handshake.address, "127.0.0.1");
      assert.equal(req.connection.encrypted, true);
      assert.equal(req.socket.remoteAddress, "127.0.0.1");
      assert.equal(req.socket.localPort, app.port);
      assert.equal(req.socket.authorized, false);
      assert.deepEqual(req.socket.getPeerCertificate(), {});
    },
  );

  eachTransport("both sides hear of a disconnection", async (t, transport) => {
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

  // What has a part in handshakes makes Node serve them: it gets what was decrypted.
  eachTransport("what JavaScript has to decide about it decides", async (t, transport) => {
    const seen = [];
    const allowRequest = (req, decide) => {
      seen.push([req.socket.remoteAddress, req.socket.encrypted]);
      decide(null, true);
    };
    const app = await serveSecure(t, {
      transport,
      options: { allowRequest, perMessageDeflate: { threshold: 0 } },
    });
    const { client, socket } = await app.connect();
    assert.deepEqual(seen[0], ["127.0.0.1", true]);
    assert.equal(socket.handshake.secure, true);
    assert.equal(socket.handshake.address, "127.0.0.1");
    assert.equal(socket.request.socket.localPort, app.port);
    const text = "compress me ".repeat(20_000);
    socket.on("text", (value, answer) => answer(value));
    assert.equal(await client.emitWithAck("text", text), text);
    const left = next(socket, "disconnect");
    client.io.engine.close();
    assert.match((await left)[0], /^transport close|client namespace disconnect$/);
  });

  test("what is not the engine's is answered by the http server", async (t) => {
    const app = await serveSecure(t);
    const options = { ca: cert };
    assert.equal((await request(`${app.url}/elsewhere`, options)).status, 404);
    const file = await request(`${app.url}/socket.io/socket.io.js`, options);
    assert.ok(file.body.length > 100_000);
    app.httpServer.removeAllListeners("request");
    app.httpServer.on("request", (req, res) => {
      let length = 0;
      req.on("data", (chunk) => (length += chunk.length));
      req.on("end", () => res.end(`${length} ${req.socket.remoteAddress} ${req.socket.encrypted}`));
    });
    const body = Buffer.alloc(3_000_000, "x");
    const answer = await request(`${app.url}/up`, { ...options, method: "POST", body });
    assert.equal(answer.text, "3000000 127.0.0.1 true");
  });

  test("a connection that was polled can go on to the http server", async (t) => {
    const app = await serveSecure(t);
    const socket = await connectSecure(t, app);
    const behind = "GET /behind HTTP/1.1\r\nHost: a\r\n\r\n";
    socket.write(`GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n${behind}`);
    await read(socket, /"sid"[^]*404 Not Found/);
    socket.write(behind);
    await read(socket, /404 Not Found/);
    const ended = once(socket, "end");
    socket.end();
    await ended;
  });

  test("first bytes may come one by one, in records of their own", async (t) => {
    const app = await serveSecure(t);
    const socket = await connectSecure(t, app);
    for (const character of "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n") {
      await new Promise((resolve) => socket.write(character, resolve));
    }
    await read(socket, /"sid"/);
  });

  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    test(`${version} is spoken, and clients that return are known`, async (t) => {
      const app = await serveSecure(t);
      const versions = { minVersion: version, maxVersion: version };
      const first = await connectSecure(t, app, versions);
      assert.equal(first.getProtocol(), version);
      let session;
      first.on("session", (ticket) => (session = ticket));
      first.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
      await read(first, /"sid"/);
      if (version === "TLSv1.2") {
        // It came within the handshake.
        session = first.getSession();
      }
      await until(() => session, "a ticket has come");
      const second = await connectSecure(t, app, { ...versions, session });
      assert.equal(second.isSessionReused(), true);
    });
  }

  test("a connection that stays silent at first may speak later", async (t) => {
    const app = await serveSecure(t);
    const socket = await connectSecure(t, app);
    // The http server is given it, and waits as long as it does with its own.
    await until(() => app.httpServer._connections === 1, "Node has the connection");
    socket.write("GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert.match(await read(socket, /\r\n\r\n/), /^HTTP\/1.1 404 /);
  });

  test("versions can be left out", async (t) => {
    const app = await serveSecure(t, { minVersion: "TLSv1.3" });
    await assert.rejects(connectSecure(t, app, { maxVersion: "TLSv1.2" }));
    await connectSecure(t, app);
    const old = await serveSecure(t, { maxVersion: "TLSv1.2" });
    assert.equal((await connectSecure(t, old)).getProtocol(), "TLSv1.2");
  });

  test("HTTP/1.1 is agreed on, and a client without it is refused", async (t) => {
    const app = await serveSecure(t);
    const socket = await connectSecure(t, app, { ALPNProtocols: ["h2", "http/1.1"] });
    assert.equal(socket.alpnProtocol, "http/1.1");
    await assert.rejects(connectSecure(t, app, { ALPNProtocols: ["h2"] }));
  });

  test("a request whose end comes right behind it is answered", async (t) => {
    const app = await serveSecure(t);
    const request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n";
    // The end of the handshake, the request and its end come in one read now and then only.
    for (let i = 0; i < 40; i++) {
      const socket = tls.connect({ port: app.port, host: "127.0.0.1", ca: cert });
      atEnd(t, () => socket.destroy());
      socket.end(request);
      assert.match(await read(socket, /sid/), /^HTTP\/1\.1 200 OK/);
    }
  });

  test("the server name chooses the certificate", async (t) => {
    const exact = selfSigned({ host: "one.example" });
    const wild = selfSigned({ host: "*.example" });
    const app = await serveSecure(t, { contexts: { "one.example": exact, "*.example": wild } });
    const subject = async (servername) => {
      const options = { servername, rejectUnauthorized: false };
      return (await connectSecure(t, app, options)).getPeerCertificate().subject.CN;
    };
    assert.equal(await subject("one.example"), "one.example");
    assert.equal(await subject("ONE.example"), "one.example");
    assert.equal(await subject("two.example"), "*.example");
    assert.equal(await subject("a.two.example"), "127.0.0.1");
    assert.equal(await subject("elsewhere"), "127.0.0.1");
  });

  test("of several keys the one that the client can check is used", async (t) => {
    const rsa = selfSigned({ type: "rsa" });
    const app = await serveSecure(t, { key: [key, rsa.key], cert: [cert, rsa.cert] });
    const keyOf = async (sigalgs) => {
      const options = { sigalgs, rejectUnauthorized: false };
      return (await connectSecure(t, app, options)).getPeerX509Certificate().publicKey;
    };
    assert.equal((await keyOf("rsa_pss_rsae_sha256")).asymmetricKeyType, "rsa");
    assert.equal((await keyOf("ecdsa_secp256r1_sha256")).asymmetricKeyType, "ec");
  });

  test("keys may be encrypted", async (t) => {
    const passphrase = "open sesame";
    const app = await serveSecure(t, { ...selfSigned({ passphrase }), passphrase });
    await connectSecure(t, app, { rejectUnauthorized: false });
    const { key: pem, cert } = selfSigned({ passphrase });
    const other = await serveSecure(t, { key: [{ pem, passphrase }], cert: [cert] });
    await connectSecure(t, other, { rejectUnauthorized: false });
  });

  test("a chain is completed from ca", async (t) => {
    const root = selfSigned({ host: "root" });
    const middle = selfSigned({ host: "middle", issuer: root, isAuthority: true });
    const leaf = selfSigned({ issuer: middle });
    const app = await serveSecure(t, { ...leaf, ca: [root.cert, middle.cert] });
    await connectSecure(t, app, { ca: root.cert });
  });

  test("a certificate is replaced, and connections stay", async (t) => {
    const app = await serveSecure(t, { contexts: { other: selfSigned({ host: "other" }) } });
    const { client, socket } = await app.connect("/", { transports: ["websocket"] });
    const renewed = selfSigned({ type: "rsa" });
    assert.equal(app.io.setSecureContext(renewed), app.io);
    await connectSecure(t, app, { ca: renewed.cert });
    await assert.rejects(connectSecure(t, app));
    // Contexts that were not replaced are still there.
    const named = await connectSecure(t, app, { servername: "other", rejectUnauthorized: false });
    assert.equal(named.getPeerCertificate().subject.CN, "other");
    assert.throws(() => app.io.setSecureContext({ key }), /is not the key of "tls.cert"/);
    await connectSecure(t, app, { ca: renewed.cert });
    app.httpServer.setSecureContext({ key, cert });
    await connectSecure(t, app);
    await settle(client, socket);
  });

  test("a certificate is replaced on all ports that were opened with TLS", async (t) => {
    const app = await serveSecure(t);
    const ports = [app.port];
    // What is opened last has no certificate.
    for (const more of [{ tls: { key, cert } }, {}]) {
      const { httpServer } = app.io;
      atEnd(t, () => httpServer.close());
      app.io.listen({ port: 0, host: "127.0.0.1" }, more);
      await next(app.io.httpServer, "listening");
      ports.push(app.io.httpServer.address().port);
    }
    const renewed = selfSigned();
    app.io.setSecureContext(renewed);
    for (const port of ports.slice(0, 2)) {
      await connectSecure(t, { port }, { ca: renewed.cert });
      await assert.rejects(connectSecure(t, { port }));
    }
  });

  test("clients that speak something else, or nothing, do no harm", async (t) => {
    const app = await serveSecure(t, { handshakeTimeout: 300 });
    for (const bytes of [
      "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n",
      Buffer.alloc(20_000, 0xff),
      Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]),
      "",
    ]) {
      const socket = net.connect(app.port, "127.0.0.1");
      atEnd(t, () => socket.destroy());
      socket.on("error", () => {});
      socket.resume();
      // What the server has not read makes it a reset.
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.write(bytes);
      await closed;
    }
    // A client that leaves within its handshake.
    net.connect(app.port, "127.0.0.1").end(Buffer.from([22, 3, 1]));
    await app.connect();
  });

  test("handshakes under way are bounded by maxHandshakes", async (t) => {
    const app = await serveSecure(t, { options: { maxHandshakes: 2 } });
    const silent = [];
    for (let i = 0; i < 3; i++) {
      const socket = net.connect(app.port, "127.0.0.1");
      atEnd(t, () => socket.destroy());
      silent.push(new Promise((resolve) => socket.on("close", resolve).resume()));
    }
    // One of the three is one too many, whichever the kernel has handed out last.
    await Promise.race(silent);
    await assert.rejects(connectSecure(t, app));
  });

  test("a client that does not read is cut off, and others are not", async (t) => {
    const app = await serveSecure(t, { options: { maxBackpressure: 1_000_000 } });
    const { client, socket } = await app.connect("/", { transports: ["websocket"] });
    const ws = new WebSocket(`${app.url}/socket.io/?EIO=4&transport=websocket`, { ca: cert });
    atEnd(t, () => ws.terminate());
    await once(ws, "open");
    const connected = next(app.io, "connection");
    ws.send("40");
    const [deaf] = await connected;
    ws._socket.pause();
    const gone = next(deaf, "disconnect");
    let received = 0;
    client.on("b", () => received++);
    let sent = 0;
    for (; deaf.connected && sent < 500; sent++) {
      app.io.emit("b", Buffer.alloc(100_000));
      await settle(client, socket);
    }
    assert.equal((await gone)[0], "limit exceeded");
    assert.equal(received, sent);
  });

  test("what waited for a client that was slow comes whole", async (t) => {
    const app = await serveSecure(t);
    const ws = new WebSocket(`${app.url}/socket.io/?EIO=4&transport=websocket`, { ca: cert });
    atEnd(t, () => ws.terminate());
    await once(ws, "open");
    const connected = next(app.io, "connection");
    ws.send("40");
    const [socket] = await connected;
    await once(ws, "message");
    ws._socket.pause();
    const texts = Array.from({ length: 300 }, (_, i) => `${i} ${"x".repeat(i * 100)}`);
    for (const text of texts) {
      socket.emit("text", text);
    }
    await until(() => socket.conn.transport.socket.bufferedAmount > 0, "something waits");
    const received = collect(ws, "message", texts.length);
    ws._socket.resume();
    assert.deepEqual(
      (await received).map(([data]) => String(data)),
      texts.map((text) => `42${JSON.stringify(["text", text])}`),
    );
    await until(() => socket.conn.transport.socket.bufferedAmount === 0, "nothing waits");
  });

  test("large answers of both servers reach a client that is slow", async (t) => {
    const app = await serveSecure(t);
    const text = "x".repeat(6_000_000);
    app.io.on("connection", (socket) => socket.emit("text", text));
    const { open } = await openPolling(app.url, { ca: cert });
    const sid = `/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
    const options = { ca: cert, method: "POST", body: "40" };
    assert.equal((await request(app.url + sid, options)).text, "ok");
    for (const path of [sid, "/large"]) {
      if (path === "/large") {
        app.httpServer.removeAllListeners("request");
        app.httpServer.on("request", (req, res) => res.end(text));
      }
      const socket = await connectSecure(t, app, { highWaterMark: 1_000 });
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      let length = 0;
      for await (const chunk of socket) {
        length += chunk.length;
        // Reads on in a later turn: what is sent meanwhile has to wait.
        await new Promise(setImmediate);
      }
      assert.ok(length > text.length, `${length} bytes for ${path}`);
    }
  });

  test("closing ends what is open and frees the port", async (t) => {
    const app = await serveSecure(t);
    const { client } = await app.connect("/", { transports: ["websocket"] });
    await connectSecure(t, app);
    const gone = next(client, "disconnect");
    const { url } = app;
    await app.io.close();
    await gone;
    await assert.rejects(request(url, { ca: cert }), { code: "ECONNREFUSED" });
  });

  test("a port may be given as a number, to the constructor too", async (t) => {
    for (const make of [
      () => new Server(0, { tls: { key, cert } }),
      () => new Server({ tls: { key, cert } }).listen(0),
    ]) {
      const io = make();
      closeAtEnd(t, io, new App(io));
      await next(io.httpServer, "listening");
      assert.ok(io.httpServer instanceof https.Server);
      const { port } = io.httpServer.address();
      const { open } = await openPolling(`https://127.0.0.1:${port}`, { ca: cert });
      assert.deepEqual(open.upgrades, ["websocket"]);
    }
  });

  test('with acceptor: "node" all of Node\'s options are taken', async (t) => {
    const io = new Server({ acceptor: "node" });
    closeAtEnd(t, io, new App(io));
    const contexts = { other: selfSigned({ host: "other" }) };
    io.listen(0, {
      tls: { key, cert, contexts, honorCipherOrder: true, ciphers: "AES128-SHA256" },
    });
    await next(io.httpServer, "listening");
    assert.equal(io.httpServer._handle.constructor.name, "TCP");
    const app = { port: io.httpServer.address().port };
    const options = { servername: "other", rejectUnauthorized: false };
    const socket = await connectSecure(t, app, options);
    assert.equal(socket.getPeerCertificate().subject.CN, "other");
    io.setSecureContext(selfSigned({ type: "rsa" }));
    await assert.rejects(connectSecure(t, app));
  });

  eachTransport(
    "an https server that is attached to is accepted for when asked",
    async (t, transport) => {
      const httpServer = https.createServer(
        { key, cert },
        express().get("/page", (req, res) => {
          res.json([req.secure, req.ip]);
        }),
      );
      const io = new Server(httpServer, { acceptor: "native" });
      const app = new App(io, transport);
      closeAtEnd(t, io, app);
      await listen(httpServer);
      await until(() => httpServer._handle.constructor.name === "Listening", "Rust accepts");
      trust(app);
      const { client, socket } = await app.connect();
      assert.equal(socket.handshake.secure, true);
      socket.on("question", (value, answer) => answer(value));
      assert.equal(await client.emitWithAck("question", "é"), "é");
      const page = await request(`${app.url}/page`, { ca: cert });
      assert.deepEqual(JSON.parse(page.text), [true, "127.0.0.1"]);
      const other = selfSigned({ host: "other" });
      httpServer.addContext("other", other);
      const named = await connectSecure(t, app, { servername: "other", rejectUnauthorized: false });
      assert.equal(named.getPeerCertificate().subject.CN, "other");
      const renewed = selfSigned();
      httpServer.setSecureContext(renewed);
      await connectSecure(t, app, { ca: renewed.cert });
    },
  );

  for (const [title, more, pattern] of [
    ["SNICallback", { SNICallback: (name, done) => done(null) }, /it has "SNICallback"/],
    ["requestCert", { requestCert: true }, /it has "requestCert"/],
    ["other protocols", { ALPNProtocols: ["x"] }, /"ALPNProtocols" is not \["http\/1.1"\]/],
    ["an old version", { minVersion: "TLSv1" }, /"tls.minVersion" must be/],
    ["a key that rustls has not", selfSigned({ type: "p521" }), /"tls.key" must be RSA/],
  ]) {
    test(`an https server whose TLS the core cannot speak stays Node's: ${title}`, async (t) => {
      const httpServer = https.createServer({ key, cert, ...more });
      const io = new Server(httpServer, { acceptor: "native" });
      closeAtEnd(t, io, new App(io));
      const warned = once(process, "warning");
      await listen(httpServer);
      const [warning] = await warned;
      assert.equal(warning.code, "FERRIO_ACCEPTOR");
      assert.match(warning.message, pattern);
      assert.equal(httpServer._handle.constructor.name, "TCP");
    });
  }

  test("options that mean nothing are named", () => {
    const { key: p521 } = selfSigned({ type: "p521" });
    for (const [tls, pattern] of [
      [true, /"tls" must be an object/],
      [{ key }, /"tls" needs a "key" for each "cert"/],
      [{ key, cert, ciphers: "x" }, /does not take "tls.ciphers": known are key, cert/],
      [{ key, cert, minVersion: "TLSv1" }, /"tls.minVersion" must be "TLSv1.2" or "TLSv1.3"/],
      [{ key, cert, minVersion: "TLSv1.3", maxVersion: "TLSv1.2" }, /below "tls.minVersion"/],
      [{ key, cert, ALPNProtocols: ["h2"] }, /"tls.ALPNProtocols" must be \["http\/1.1"\]/],
      [{ key, cert, handshakeTimeout: 0 }, /"tls.handshakeTimeout" must be a whole number/],
      [{ key, cert: "none" }, /"tls.cert" must be certificates in PEM/],
      [{ key: "none", cert }, /"tls.key" cannot be read/],
      [{ key: p521, cert }, /"tls.key" must be RSA/],
      [{ key: selfSigned().key, cert }, /"tls.key" is not the key of "tls.cert"/],
      [{ key: selfSigned({ passphrase: "a" }).key, cert }, /"tls.key" cannot be read/],
      [{ key, cert, contexts: { a: { key } } }, /"tls.contexts\["a"\]" needs a "key"/],
      [{ key, cert, contexts: { a: { key, cert, minVersion: "TLSv1.2" } } }, /does not take "tls/],
    ]) {
      assert.throws(() => new Server().listen(0, { tls }), pattern);
    }
    const httpServer = https.createServer({ key, cert });
    assert.throws(() => new Server(httpServer, { tls: { key, cert } }), /has its own/);
    assert.throws(() => new Server().setSecureContext({ key, cert }), /for a server over TLS/);
  });
}
