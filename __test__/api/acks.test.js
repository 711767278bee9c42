"use strict";

// Acknowledgements of one event by one peer. Those of broadcasts are in broadcast-acks.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { deferred, next, settle } = require("../support/events");

eachTransport("the server acknowledges with any number of values", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  socket.on("none", (answer) => answer());
  socket.on("many", (a, b, answer) => answer(a, null, { b }, [undefined]));
  const none = deferred();
  client.emit("none", (...args) => none.resolve(args));
  assert.deepEqual(await none.promise, []);
  const many = deferred();
  client.emit("many", "a", "b", (...args) => many.resolve(args));
  assert.deepEqual(await many.promise, ["a", null, { b: "b" }, [null]]);
});

eachTransport("the client acknowledges with any number of values", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  client.on("none", (answer) => answer());
  client.on("many", (a, b, answer) => answer(a, null, { b }));
  const none = deferred();
  socket.emit("none", (...args) => none.resolve(args));
  assert.deepEqual(await none.promise, []);
  const many = deferred();
  socket.emit("many", "a", "b", (...args) => many.resolve(args));
  assert.deepEqual(await many.promise, ["a", null, { b: "b" }]);
});

eachTransport("emitWithAck resolves with the first value", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  socket.on("question", (answer) => answer("server", "ignored"));
  client.on("question", (answer) => answer("client", "ignored"));
  assert.equal(await client.emitWithAck("question"), "server");
  assert.equal(await socket.emitWithAck("question"), "client");
});

eachTransport("an event without a callback has no ack function", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const received = next(socket, "event");
  client.emit("event", "only");
  assert.deepEqual(await received, ["only"]);
});

eachTransport("an acknowledgement may come later", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const held = [];
  socket.on("hold", (name, answer) => held.push(() => answer(name)));
  const first = client.emitWithAck("hold", "first");
  const second = client.emitWithAck("hold", "second");
  await settle(client, socket);
  assert.equal(held.length, 2);
  held[1]();
  assert.equal(await second, "second");
  held[0]();
  assert.equal(await first, "first");
});

eachTransport("many acknowledgements in flight find their callers", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const numbers = Array.from({ length: 500 }, (_, i) => i);
  const square = (n, answer) => (n % 2 ? setImmediate(answer, n * n) : answer(n * n));
  socket.on("square", square);
  client.on("square", square);
  const squares = numbers.map((n) => n * n);
  const answers = [
    Promise.all(numbers.map((n) => client.emitWithAck("square", n))),
    Promise.all(numbers.map((n) => socket.emitWithAck("square", n))),
  ];
  assert.deepEqual(await answers[0], squares);
  assert.deepEqual(await answers[1], squares);
});

eachTransport("a second acknowledgement is ignored", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const twice = (answer) => {
    answer("first");
    answer("second");
  };
  socket.on("question", twice);
  client.on("question", twice);
  const answers = [];
  client.emit("question", (value) => answers.push(["client", value]));
  socket.emit("question", (value) => answers.push(["server", value]));
  await settle(client, socket);
  assert.deepEqual(answers.sort(), [
    ["client", "first"],
    ["server", "first"],
  ]);
});

eachTransport("acknowledgements of several namespaces do not mix", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client } = await app.connect();
  app.io.of("/other").on("connection", (socket) => {
    socket.on("where", (answer) => answer("/other"));
  });
  app.io.sockets.sockets.get(client.id).on("where", (answer) => answer("/"));
  const { client: other } = await app.share(client, "/other");
  const answers = await Promise.all([
    client.emitWithAck("where"),
    other.emitWithAck("where"),
    client.emitWithAck("where"),
    other.emitWithAck("where"),
  ]);
  assert.deepEqual(answers, ["/", "/other", "/", "/other"]);
});

eachTransport("timeout on the server calls back with an error", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect();
  const called = deferred();
  assert.ok(socket.timeout(10) === socket);
  socket.emit("unanswered", (...args) => called.resolve(args));
  const args = await called.promise;
  assert.equal(args.length, 1);
  assert.ok(args[0] instanceof Error);
  assert.equal(args[0].message, "operation has timed out");
});

eachTransport("timeout on the server passes the answer after null", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  client.on("question", (answer) => answer("answer", "more"));
  const called = deferred();
  socket.timeout(10_000).emit("question", (...args) => called.resolve(args));
  assert.deepEqual(await called.promise, [null, "answer", "more"]);
});

eachTransport("emitWithAck with timeout resolves or rejects", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  client.on("question", (answer) => answer("answer"));
  assert.equal(await socket.timeout(10_000).emitWithAck("question"), "answer");
  await assert.rejects(socket.timeout(10).emitWithAck("unanswered"), {
    message: "operation has timed out",
  });
});

eachTransport("an answer after the timeout is ignored", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  let answer;
  client.on("question", (done) => {
    answer = done;
  });
  const calls = [];
  const called = deferred();
  socket.timeout(10).emit("question", (error) => {
    calls.push(error.message);
    called.resolve();
  });
  await called.promise;
  await settle(client, socket);
  answer("too late");
  await settle(client, socket);
  assert.deepEqual(calls, ["operation has timed out"]);
});

eachTransport("a timeout of the client fires when the server is silent", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  await assert.rejects(client.timeout(10).emitWithAck("unanswered"));
  socket.on("question", (answer) => answer("answer"));
  assert.equal(await client.timeout(10_000).emitWithAck("question"), "answer");
});

test("the timeout flag holds for one emit", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  client.on("question", (answer) => answer("answer"));
  await assert.rejects(socket.timeout(5).emitWithAck("unanswered"));
  const called = deferred();
  socket.emit("question", (...args) => called.resolve(args));
  assert.deepEqual(await called.promise, ["answer"]);
});

test("an acknowledgement after the disconnection harms nothing", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  const received = next(socket, "question");
  client.emit("question", () => assert.fail("the client is gone"));
  const [answer] = await received;
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
  answer("too late");
});

test("a client that leaves does not answer, and its timeout fires", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  const answered = socket.timeout(50).emitWithAck("question");
  client.disconnect();
  await assert.rejects(answered, { message: "operation has timed out" });
});

test("pending acknowledgements are visible in socket.acks", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  client.on("question", (answer) => answer());
  const answered = deferred();
  socket.emit("question", answered.resolve);
  assert.equal(socket.acks.size, 1);
  await answered.promise;
  assert.equal(socket.acks.size, 0);
});

test("an answer is called with the socket as this, and forgotten afterwards", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  client.on("question", (answer) => answer(1, 2));
  const called = deferred();
  socket.emit("question", function (...args) {
    called.resolve({ self: this === socket, args, size: socket.acks.size });
  });
  assert.deepEqual(await called.promise, { self: true, args: [1, 2], size: 1 });
  assert.equal(socket.acks.size, 0);
});

test("an answer that nobody waits for any more is not called, and not forgotten", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  socket.emit("question", () => assert.fail("nobody has answered"));
  await settle(client, socket);
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
  assert.equal(socket.acks.size, 1);
});
