"use strict";

// Packages that reach into sockets, namespaces and parsers: rate-limiter-flexible,
// socket.io-msgpack-parser, socketio-wildcard, express-socket.io-session, passport.socketio,
// socketio-file-upload, y-socket.io and socket.io-prometheus.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test, eachTransport } = require("../support/scenario");
const { atEnd } = require("../support/cleanup");
const { next, settle, until } = require("../support/events");
const { load, serve } = require("./installed");

eachTransport(
  "rate-limiter-flexible limits one event, and all events of a socket",
  async (t, transport) => {
    const { RateLimiterMemory } = load("rate-limiter-flexible");
    const app = await serve(t, { transport });
    const { client, socket } = await app.connect();
    const perEvent = new RateLimiterMemory({ points: 2, duration: 3_600 });
    socket.on("costly", async (ack) => {
      try {
        const { remainingPoints } = await perEvent.consume(socket.handshake.address);
        ack(remainingPoints);
      } catch (refusal) {
        ack(`wait ${refusal.msBeforeNext > 0}`);
      }
    });
    const answers = [];
    for (let i = 0; i < 3; i++) {
      answers.push(await client.emitWithAck("costly"));
    }
    assert.deepEqual(answers, [1, 0, "wait true"]);

    const perSocket = new RateLimiterMemory({ points: 1, duration: 3_600 });
    socket.use((event, proceed) => {
      perSocket.consume(socket.id).then(
        () => proceed(),
        () => proceed(new Error("slow down")),
      );
    });
    socket.on("cheap", (ack) => ack("done"));
    assert.equal(await client.emitWithAck("cheap"), "done");
    socket.on("error", (error) => socket.emit("refused", error.message));
    client.emit("cheap", () => assert.fail("it is over the limit"));
    assert.deepEqual(await next(client, "refused"), ["slow down"]);
  },
);

eachTransport(
  "socket.io-msgpack-parser carries events, acks, attachments and broadcasts",
  async (t, transport) => {
    const parser = load("socket.io-msgpack-parser");
    const app = await serve(t, { transport, options: { parser } });
    const { client, socket } = await app.connect("/", { parser });
    socket.on("echo", (...args) => args.pop()(...args.slice(0, 1)));
    const value = { text: "é", list: [1, -2, 2 ** 40], bytes: Buffer.from([1, 2, 3]) };
    const back = await client.emitWithAck("echo", value);
    assert.equal(back.text, "é");
    assert.deepEqual(back.list, value.list);
    assert.deepEqual(Buffer.from(back.bytes), value.bytes);
    socket.join("red");
    const heard = next(client, "news");
    app.io.to("red").emit("news", [null, true]);
    assert.deepEqual(await heard, [[null, true]]);
    client.on("vote", (ack) => ack("yes"));
    assert.deepEqual(await app.io.timeout(10_000).emitWithAck("vote"), ["yes"]);
  },
);

eachTransport("socketio-wildcard hands over each packet", async (t, transport) => {
  const app = await serve(t, {
    transport,
    prepare: (io) => io.use(load("socketio-wildcard")()),
  });
  const { client, socket } = await app.connect();
  const named = next(socket, "hello");
  const any = next(socket, "*");
  client.emit("hello", 1, { two: 2 });
  assert.deepEqual((await any)[0].data, ["hello", 1, { two: 2 }]);
  assert.deepEqual(await named, [1, { two: 2 }]);
  socket.on("ask", (ack) => ack("told"));
  assert.equal(await client.emitWithAck("ask"), "told");
});

eachTransport("express-socket.io-session saves what listeners change", async (t, transport) => {
  const session = load("express-session")({
    secret: "test",
    resave: false,
    saveUninitialized: true,
  });
  const express = load("express")();
  express.use(session);
  express.get("/", (req, res) => res.json({ color: req.session.color ?? null }));
  const app = await serve(t, {
    transport,
    handler: express,
    prepare: (io) => io.use(load("express-socket.io-session")(session, { autoSave: true })),
  });
  const cookie = (await fetch(app.url)).headers.get("set-cookie").split(";")[0];
  const { client, socket } = await app.connect("/", { extraHeaders: { cookie } });
  socket.on("paint", (color) => {
    socket.handshake.session.color = color;
  });
  client.emit("paint", "blue");
  await settle(client, socket);
  const answer = await fetch(app.url, { headers: { cookie } });
  assert.deepEqual(await answer.json(), { color: "blue" });
});

eachTransport("passport.socketio lets in whom passport knows", async (t, transport) => {
  const passport = new (load("passport").Passport)();
  passport.serializeUser((user, done) => done(null, user.id));
  passport.deserializeUser((id, done) => done(null, { id, name: "Ada" }));
  const { MemoryStore } = load("express-session");
  const store = new MemoryStore();
  const session = load("express-session")({
    secret: "test",
    store,
    resave: false,
    saveUninitialized: true,
  });
  const express = load("express")();
  express.use(session, passport.initialize(), passport.session());
  express.get("/", (req, res) => res.end());
  express.get("/login", (req, res) => req.login({ id: "7" }, () => res.end()));
  const { authorize } = load("passport.socketio");
  const cookieParser = load("cookie-parser");
  const app = await serve(t, {
    transport,
    handler: express,
    prepare: (io) => io.use(authorize({ secret: "test", store, passport, cookieParser })),
  });
  const cookieOf = async (page) => {
    return (await fetch(`${app.url}${page}`)).headers.get("set-cookie").split(";")[0];
  };
  const extraHeaders = { cookie: await cookieOf("/login") };
  const { socket } = await app.connect("/", { extraHeaders });
  assert.deepEqual(socket.request.user, { id: "7", name: "Ada", logged_in: true });

  for (const [headers, message] of [
    [{}, "No session found"],
    [{ cookie: await cookieOf("/") }, "Passport was not initialized"],
  ]) {
    const stranger = app.open("/", { extraHeaders: headers });
    const [error] = await next(stranger, "connect_error");
    assert.equal(error.message, message);
  }
});

eachTransport("socketio-file-upload stores what comes in pieces", async (t, transport) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "upload-"));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  const Upload = load("socketio-file-upload");
  const upload = new Upload();
  upload.dir = dir;
  const app = await serve(t, { transport, prepare: (io) => io.on("connection", upload.listen) });
  const { client } = await app.connect();
  // As the browser's half of the package does.
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
  const file = { id: 0, name: "a.bin", mtime: new Date(0), size: content.length };
  const saved = next(upload, "saved");
  const ready = next(client, "siofu_ready");
  client.emit("siofu_start", { ...file, encoding: "octet", meta: { color: "red" } });
  assert.equal((await ready)[0].id, 0);
  for (let from = 0; from < content.length; from += 100_000) {
    const taken = next(client, "siofu_chunk");
    const piece = content.subarray(from, from + 100_000);
    client.emit("siofu_progress", { ...file, content: piece, start: from, base64: false });
    await taken;
  }
  const complete = next(client, "siofu_complete");
  client.emit("siofu_done", { id: 0 });
  assert.equal((await complete)[0].success, true);
  const [{ file: kept }] = await saved;
  assert.deepEqual(kept.meta, { color: "red" });
  // It may say so before its stream has written everything.
  await until(() => fs.statSync(kept.pathName).size === content.length);
  assert.deepEqual(fs.readFileSync(kept.pathName), content);
});

eachTransport("y-socket.io keeps the documents of its clients alike", async (t, transport) => {
  // Its client never closes what it tells other tabs of a browser with, which Node has, too.
  const { BroadcastChannel } = globalThis;
  delete globalThis.BroadcastChannel;
  const { SocketIOProvider } = load("y-socket.io");
  globalThis.BroadcastChannel = BroadcastChannel;
  const Y = load("yjs");
  const { YSocketIO } = load("y-socket.io/dist/server");
  let sync;
  const app = await serve(t, {
    transport,
    prepare(io) {
      sync = new YSocketIO(io, { authenticate: ({ auth }) => auth.token === "known" });
      sync.initialize();
    },
  });
  atEnd(t, () => Promise.all([...sync.documents.values()].map((doc) => doc.destroy())));
  const open = (name, token) => {
    const doc = new Y.Doc();
    const socketOptions = { forceNew: true, reconnection: false, ...transport.client };
    const options = { auth: { token }, disableBc: true };
    const provider = new SocketIOProvider(app.url, name, doc, options, socketOptions);
    atEnd(t, () => {
      provider.destroy();
      doc.destroy();
    });
    return { doc, provider, text: doc.getText("text") };
  };
  const one = open("notes", "known");
  await next(one.provider, "sync");
  one.text.insert(0, "hello");
  const two = open("notes", "known");
  await until(() => two.text.toString() === "hello");
  two.text.insert(5, ", é");
  await until(() => one.text.toString() === "hello, é");
  assert.equal(sync.documents.get("notes").getText("text").toString(), "hello, é");
  one.provider.awareness.setLocalState({ name: "Ada" });
  const { clientID } = one.doc;
  await until(() => two.provider.awareness.getStates().get(clientID)?.name === "Ada");

  const other = open("plans", "known");
  await next(other.provider, "sync");
  assert.equal(other.text.toString(), "");
  assert.ok(app.io._nsps.has("/yjs|plans"));
  const stranger = open("notes", "unknown");
  const [error] = await next(stranger.provider.socket, "connect_error");
  assert.equal(error.message, "Unauthorized");
});

test("socket.io-prometheus counts connections and events", async (t) => {
  const app = await serve(t, { prepare: (io) => load("socket.io-prometheus")(io) });
  app.io.on("connection", (socket) => {
    socket.on("hello", (text) => socket.emit("welcome", text));
  });
  const { client } = await app.connect();
  client.emit("hello", "there");
  assert.deepEqual(await next(client, "welcome"), ["there"]);
  const metrics = await load("prom-client").register.metrics();
  for (const line of [
    "socket_io_connected 1",
    "socket_io_connect_total 1",
    'socket_io_events_received_total{event="hello"} 1',
    'socket_io_events_sent_total{event="welcome"} 1',
    'socket_io_transmit_bytes{event="welcome"} 5',
  ]) {
    assert.ok(metrics.includes(`${line}\n`), `${line} is not in ${metrics}`);
  }
});
