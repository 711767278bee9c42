"use strict";

// Acknowledgements of broadcasts: one answer of each recipient.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { deferred, settle } = require("../support/events");

eachTransport("a broadcast collects the answer of every client", async (t, transport) => {
  const app = await serve(t, { transport });
  const all = await app.connectAll(3);
  all.forEach(({ client }, i) => client.on("question", (answer) => answer(i, "ignored")));
  const called = deferred();
  app.io.timeout(10_000).emit("question", (...args) => called.resolve(args));
  const [error, answers] = await called.promise;
  assert.equal(error, null);
  assert.deepEqual(answers.sort(), [0, 1, 2]);
});

eachTransport("emitWithAck of a room resolves with the answers", async (t, transport) => {
  const app = await serve(t, { transport });
  const all = await app.connectAll(3);
  all.forEach(({ client, socket }, i) => {
    client.on("question", (value, answer) => answer({ [value]: i }));
    if (i !== 1) {
      socket.join("room");
    }
  });
  const answers = await app.io.to("room").timeout(10_000).emitWithAck("question", "key");
  assert.deepEqual(
    answers.sort((a, b) => a.key - b.key),
    [{ key: 0 }, { key: 2 }],
  );
});

eachTransport("socket.broadcast collects the answers of the others", async (t, transport) => {
  const app = await serve(t, { transport });
  const all = await app.connectAll(3);
  all.forEach(({ client }, i) => client.on("question", (answer) => answer(i)));
  const answers = await all[1].socket.broadcast.timeout(10_000).emitWithAck("question");
  assert.deepEqual(answers.sort(), [0, 2]);
});

eachTransport("a client that does not answer makes a broadcast time out", async (t, transport) => {
  const app = await serve(t, { transport });
  const [answering, silent] = await app.connectAll(2);
  const answered = deferred();
  answering.client.on("question", (answer) => {
    answer("answer");
    answered.resolve();
  });
  const called = deferred();
  const asked = Promise.all([
    answered.promise.then(() => settle(answering.client, answering.socket)),
    settle(silent.client, silent.socket),
  ]);
  // Long enough for the answer of the first; the second never answers.
  app.io.timeout(1_000).emit("question", (...args) => called.resolve(args));
  await asked;
  const [error, answers] = await called.promise;
  assert.equal(error.message, "operation has timed out");
  assert.deepEqual(answers, ["answer"]);
});

test("emitWithAck of a broadcast rejects with the answers so far", async (t) => {
  const app = await serve(t);
  const [answering] = await app.connectAll(2);
  answering.client.on("question", (answer) => answer("answer"));
  await assert.rejects(app.io.timeout(1_000).emitWithAck("question"), (error) => {
    assert.equal(error.message, "operation has timed out");
    assert.deepEqual(error.responses, ["answer"]);
    return true;
  });
});

test("a broadcast that reaches nobody is answered with nothing", async (t) => {
  const app = await serve(t);
  await app.connect();
  assert.deepEqual(await app.io.to("nobody").timeout(10_000).emitWithAck("question"), []);
});

eachTransport("answers may be binary", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client } = await app.connect();
  client.on("question", (bytes, answer) => answer(bytes));
  const bytes = Buffer.from([1, 2, 3]);
  const [answer] = await app.io.timeout(10_000).emitWithAck("question", bytes);
  assert.ok(bytes.equals(answer));
});

test("acknowledgements of a broadcast and of sockets do not mix", async (t) => {
  const app = await serve(t);
  const all = await app.connectAll(3);
  all.forEach(({ client }, i) => client.on("question", (kind, answer) => answer(`${kind} ${i}`)));
  const [broadcast, ...unicast] = await Promise.all([
    app.io.timeout(10_000).emitWithAck("question", "broadcast"),
    ...all.map(({ socket }) => socket.emitWithAck("question", "unicast")),
  ]);
  assert.deepEqual(broadcast.sort(), ["broadcast 0", "broadcast 1", "broadcast 2"]);
  assert.deepEqual(unicast, ["unicast 0", "unicast 1", "unicast 2"]);
});

test("this inside the callback of a broadcast is its operator", async (t) => {
  const app = await serve(t);
  const { client } = await app.connect();
  client.on("question", (answer) => answer());
  const operator = app.io.timeout(10_000);
  const called = deferred();
  operator.emit("question", function () {
    called.resolve(this);
  });
  assert.equal(await called.promise, operator);
});

test("without a timeout a broadcast waits for no answer", async (t) => {
  const app = await serve(t);
  await app.connect();
  const called = deferred();
  app.io.emit("question", (...args) => called.resolve(args));
  const [error, answers] = await called.promise;
  assert.equal(error.message, "operation has timed out");
  assert.deepEqual(answers, []);
});

test("nothing is left of a broadcast that timed out", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  const called = deferred();
  app.io.timeout(10).emit("question", () => called.resolve());
  assert.equal(socket.acks.size, 1);
  await called.promise;
  assert.equal(socket.acks.size, 0);
});
