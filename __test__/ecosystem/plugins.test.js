"use strict";

// Packages that reach into sockets, namespaces and parsers: rate-limiter-flexible,
// socket.io-msgpack-parser, socketio-wildcard, express-socket.io-session and
// socket.io-prometheus.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { next, settle } = require("../support/events");
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
