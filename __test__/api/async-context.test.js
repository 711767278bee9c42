"use strict";

// AsyncLocalStorage across what the server does for the application.

const assert = require("node:assert/strict");
const { AsyncLocalStorage, createHook } = require("node:async_hooks");
const { eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { isReference } = require("../support/target");
const { deferred, next, until } = require("../support/events");

eachTransport("a store made in a listener lasts through its awaits", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const storage = new AsyncLocalStorage();
  socket.on("question", (value, answer) => {
    storage.run({ value }, async () => {
      await null;
      await new Promise(setImmediate);
      answer(storage.getStore().value);
    });
  });
  const values = Array.from({ length: 20 }, (_, i) => i);
  assert.deepEqual(
    await Promise.all(values.map((value) => client.emitWithAck("question", value))),
    values,
  );
});

eachTransport("a store made in a listener is not seen by other events", async (t, transport) => {
  const app = await serve(t, { transport });
  const storage = new AsyncLocalStorage();
  const [one, two] = await app.connectAll(2);
  for (const { socket } of [one, two]) {
    socket.on("enter", (value, answer) => storage.run(value, answer));
    socket.on("look", (answer) => answer(storage.getStore() ?? "nothing"));
  }
  const [, seen, , other] = await Promise.all([
    one.client.emitWithAck("enter", "secret"),
    one.client.emitWithAck("look"),
    two.client.emitWithAck("enter", "secret of two"),
    two.client.emitWithAck("look"),
  ]);
  assert.equal(seen, "nothing");
  assert.equal(other, "nothing");
});

eachTransport("a store lasts while an acknowledgement is awaited", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const storage = new AsyncLocalStorage();
  client.on("question", (value, answer) => answer(value));
  const ask = (value) => {
    return storage.run(value, async () => {
      assert.equal(await socket.emitWithAck("question", value), value);
      return storage.getStore();
    });
  };
  assert.deepEqual(await Promise.all([ask("a"), ask("b"), ask("c")]), ["a", "b", "c"]);
});

eachTransport("a store lasts while a broadcast is answered", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client } = await app.connect();
  const storage = new AsyncLocalStorage();
  client.on("question", (answer) => answer("answer"));
  const store = await storage.run("store", async () => {
    await app.io.timeout(10_000).emitWithAck("question");
    return storage.getStore();
  });
  assert.equal(store, "store");
});

eachTransport("the callback of a timeout sees the store of the emit", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect();
  const storage = new AsyncLocalStorage();
  const called = deferred();
  storage.run("store", () => {
    socket.timeout(10).emit("unanswered", () => called.resolve(storage.getStore()));
  });
  assert.equal(await called.promise, "store");
});

eachTransport("a store lasts through the middleware that made it", async (t, transport) => {
  const app = await serve(t, { transport });
  const storage = new AsyncLocalStorage();
  const seen = deferred();
  app.io.use((socket, done) => storage.run(socket.id, () => setImmediate(done)));
  app.io.on("connection", (socket) => seen.resolve([storage.getStore(), socket.id]));
  await app.connect();
  const [store, id] = await seen.promise;
  assert.equal(store, id);
});

eachTransport("a store made in socket.use is seen by the listener", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const storage = new AsyncLocalStorage();
  socket.use(([event], done) => storage.run(`for ${event}`, done));
  socket.on("question", (answer) => answer(storage.getStore()));
  assert.equal(await client.emitWithAck("question"), "for question");
});

eachTransport("disconnecting by hand keeps the store", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect();
  const storage = new AsyncLocalStorage();
  const seen = deferred();
  socket.on("disconnect", () => seen.resolve(storage.getStore()));
  storage.run("store", () => socket.disconnect());
  assert.equal(await seen.promise, "store");
});

const perTransport = isReference && "there it is the context of the stream or the request";
eachTransport(
  "the store of the handshake is seen by all listeners of a connection",
  async (t, transport) => {
    if (perTransport) return t.skip(perTransport);
    const app = await serve(t, { transport });
    const storage = new AsyncLocalStorage();
    let count = 0;
    for (const event of ["request", "upgrade"]) {
      app.httpServer.prependListener(event, () => storage.enterWith(`request ${++count}`));
    }
    const seen = [];
    const note = () => void seen.push(storage.getStore());
    app.io.engine.on("connection", note);
    app.io.use((socket, done) => done(note()));
    app.io.on("connection", (socket) => {
      note();
      socket.on("question", (answer) => answer(note()));
      socket.on("disconnect", note);
    });
    const { client, socket } = await app.connect();
    await client.emitWithAck("question");
    const left = next(socket, "disconnect");
    client.disconnect();
    await left;
    assert.equal(seen.length, 5);
    assert.deepEqual([...new Set(seen)], ["request 1"]);
  },
);

eachTransport(
  "the asynchronous resource of a connection is destroyed with it",
  async (t, transport) => {
    const alive = new Set();
    const hook = createHook({
      init: (id, type) => type === "FERRIOCONNECTION" && alive.add(id),
      destroy: (id) => alive.delete(id),
    }).enable();
    t.after(() => hook.disable());
    const app = await serve(t, { transport });
    const ends = await app.connectAll(3);
    assert.equal(alive.size, 3);
    const gone = ends.map(({ socket }) => next(socket, "disconnect"));
    ends[0].client.disconnect();
    ends[1].socket.disconnect(true);
    ends[2].socket.conn.close(true);
    await Promise.all(gone);
    await until(() => alive.size === 0, "the resources are destroyed");
  },
  isReference ? [] : undefined,
);
