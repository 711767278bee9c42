"use strict";

// Middleware for the packets of one socket: socket.use().

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { deferred, next, settle } = require("../support/events");

eachTransport("socket.use sees the event and its arguments", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = deferred();
  const used = socket.use((event, done) => {
    seen.resolve([...event]);
    done();
  });
  assert.ok(used === socket);
  const received = next(socket, "event");
  client.emit("event", 1, { a: 2 });
  assert.deepEqual(await seen.promise, ["event", 1, { a: 2 }]);
  assert.deepEqual(await received, [1, { a: 2 }]);
});

eachTransport("socket.use may change what listeners get", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  socket.use((event, done) => {
    event[0] = "renamed";
    event[1].checked = true;
    event.push("added");
    done();
  });
  const received = next(socket, "renamed");
  client.emit("event", { value: 1 });
  assert.deepEqual(await received, [{ value: 1, checked: true }, "added"]);
});

eachTransport("several socket.use run in order and each only once", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const calls = [];
  socket.use((event, done) => {
    calls.push("first");
    setImmediate(done);
  });
  socket.use((event, done) => {
    calls.push("second");
    done();
  });
  const received = next(socket, "event");
  client.emit("event");
  await received;
  assert.deepEqual(calls, ["first", "second"]);
});

eachTransport("an error in socket.use drops the event and is emitted", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  socket.use(([event], done) => {
    done(event === "forbidden" ? new Error("not this one") : undefined);
  });
  socket.on("forbidden", () => assert.fail("dropped"));
  const failed = next(socket, "error");
  client.emit("forbidden", () => assert.fail("a dropped event is not acknowledged"));
  const [error] = await failed;
  assert.equal(error.message, "not this one");
  await settle(client, socket);
  assert.equal(socket.connected, true);
});

eachTransport("an error in socket.use without a listener harms nothing", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  socket.use(([event], done) => done(event === "forbidden" ? new Error("no") : undefined));
  client.emit("forbidden");
  await settle(client, socket);
  assert.equal(client.connected, true);
});

eachTransport("an event whose socket.use does not go on is dropped", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  socket.use(([event], done) => {
    if (event !== "swallowed") {
      done();
    }
  });
  socket.on("swallowed", () => assert.fail("dropped"));
  client.emit("swallowed");
  await settle(client, socket);
});

eachTransport("an ack function passes through socket.use", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  socket.use((event, done) => {
    assert.equal(typeof event.at(-1), "function");
    done();
  });
  socket.on("question", (answer) => answer("answer"));
  assert.equal(await client.emitWithAck("question"), "answer");
});

test("socket.use can answer instead of the listener", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  socket.use((event) => event.at(-1)("from the middleware"));
  assert.equal(await client.emitWithAck("question"), "from the middleware");
});

test("catch-all listeners run even for events that socket.use drops", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  const seen = deferred();
  socket.onAny((event) => seen.resolve(event));
  socket.use(() => {});
  client.emit("dropped");
  assert.equal(await seen.promise, "dropped");
});

test("socket.use added inside a middleware does not run for the current event", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  const calls = [];
  socket.use(([event], done) => {
    calls.push(`outer ${event}`);
    if (calls.length === 1) {
      socket.use(([inner], go) => {
        calls.push(`inner ${inner}`);
        go();
      });
    }
    done();
  });
  client.emit("first");
  client.emit("second");
  await next(socket, "second");
  assert.deepEqual(calls, ["outer first", "outer second", "inner second"]);
});
