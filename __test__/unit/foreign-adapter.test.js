"use strict";

// Adapters that extend their own copy of socket.io-adapter, as those for Redis and clusters do,
// fan out in the core; whatever would not be the same there is written one by one.

const assert = require("node:assert/strict");
const { core } = require("../../lib/dispatch");
const { test } = require("../support/scenario");
const { serveOwn } = require("../support/own-app");
const { collect, next, settle } = require("../support/events");

/** A copy of the module that nobody else has loaded. */
function freshCopy() {
  const cached = Object.keys(require.cache).filter((file) => file.includes("socket.io-adapter"));
  const kept = cached.map((file) => [file, require.cache[file]]);
  cached.forEach((file) => delete require.cache[file]);
  const copy = require("socket.io-adapter");
  kept.forEach(([file, module]) => (require.cache[file] = module));
  return copy;
}

/** Counts the broadcasts that the core is asked for while `work` runs. */
function broadcastsIn(work) {
  let count = 0;
  const { broadcast } = core;
  core.broadcast = function (...args) {
    count++;
    return broadcast.apply(this, args);
  };
  try {
    work();
  } finally {
    core.broadcast = broadcast;
  }
  return count;
}

/** An adapter as others write them: it publishes, then leaves the local part to its base. */
function publishing({ Adapter }) {
  return class PublishingAdapter extends Adapter {
    published = [];

    broadcast(packet, opts) {
      this.published.push([...packet.data]);
      super.broadcast(packet, opts);
    }
  };
}

test("a broadcast of a foreign adapter is one call into the core", async (t) => {
  const app = await serveOwn(t, { adapter: publishing(freshCopy()) });
  const all = await app.connectAll(5);
  all.slice(0, 3).forEach(({ socket }) => socket.join("room"));
  all[0].socket.join("other");
  const heard = all.map(({ client }) => {
    const events = [];
    client.onAny((...args) => args[0] !== "test:settle" && events.push(args));
    return events;
  });
  const { io } = app;
  assert.equal(
    broadcastsIn(() => io.to("room").emit("a", 1)),
    1,
  );
  assert.equal(
    broadcastsIn(() => io.to("room").to("other").except("other").emit("b", 2)),
    1,
  );
  assert.equal(
    broadcastsIn(() => io.emit("c", Buffer.from([3]))),
    1,
  );
  assert.equal(
    broadcastsIn(() => all[1].socket.broadcast.emit("d")),
    1,
  );
  for (const { client, socket } of all) {
    await settle(client, socket);
  }
  const names = heard.map((events) => events.map(([name]) => name).join(" "));
  assert.deepEqual(names, ["a c d", "a b c", "a b c d", "c d", "c d"]);
  assert.deepEqual(heard[4][0], ["c", Buffer.from([3])]);
  assert.deepEqual(io.sockets.adapter.published, [
    ["a", 1],
    ["b", 2],
    ["c", Buffer.from([3])],
    ["d"],
  ]);
});

test("rooms follow join, leave and disconnect under a foreign adapter", async (t) => {
  const app = await serveOwn(t, { adapter: publishing(freshCopy()) });
  const [a, b, c] = await app.connectAll(3);
  for (const { socket } of [a, b, c]) {
    socket.join("room");
  }
  a.socket.leave("room");
  const gone = next(b.socket, "disconnect");
  b.client.disconnect();
  await gone;
  const heard = next(c.client, "a");
  a.client.on("a", () => assert.fail("left the room"));
  // One member is left: it is written to directly.
  assert.equal(
    broadcastsIn(() => app.io.to("room").emit("a", 1)),
    0,
  );
  assert.deepEqual(await heard, [1]);
  a.socket.join("room");
  const both = [next(a.client, "b"), next(c.client, "b")];
  assert.equal(
    broadcastsIn(() => app.io.to("room").emit("b", 2)),
    1,
  );
  await Promise.all(both);
  await settle(a.client, a.socket);
});

test("acknowledgements and listeners for outgoing events go on to work", async (t) => {
  const app = await serveOwn(t, { adapter: publishing(freshCopy()) });
  const all = await app.connectAll(3);
  all.forEach(({ client }, at) => client.on("ask", (answer) => answer(at)));
  const answers = await app.io.timeout(10_000).emitWithAck("ask");
  assert.deepEqual([...answers].sort(), [0, 1, 2]);
  const seen = collect(all[0].client, "seen", 1);
  const outgoing = [];
  all[0].socket.onAnyOutgoing((...args) => outgoing.push(args));
  assert.equal(
    broadcastsIn(() => app.io.emit("seen", 1)),
    1,
  );
  assert.deepEqual(outgoing, [["seen", 1]]);
  await seen;
});

test("an adapter that has its own way to find recipients keeps it", async (t) => {
  const { Adapter } = freshCopy();
  class Choosy extends Adapter {
    apply(opts, callback) {
      return super.apply(opts, (socket) => socket.data.chosen && callback(socket));
    }
  }
  const app = await serveOwn(t, { adapter: Choosy });
  const [a, b] = await app.connectAll(2);
  b.socket.data.chosen = true;
  a.client.on("a", () => assert.fail("not chosen"));
  const heard = next(b.client, "a");
  assert.equal(
    broadcastsIn(() => app.io.emit("a")),
    0,
  );
  await heard;
  await settle(a.client, a.socket);
});

test("another base class with other steps is left alone", async (t) => {
  const { Adapter } = freshCopy();
  const { broadcast } = Adapter.prototype;
  Adapter.prototype.broadcast = function (packet, opts) {
    packet.data.push("patched");
    return broadcast.call(this, packet, opts);
  };
  const app = await serveOwn(t, { adapter: class extends Adapter {} });
  const [a, b] = await app.connectAll(2);
  const heard = [next(a.client, "a"), next(b.client, "a")];
  assert.equal(
    broadcastsIn(() => app.io.emit("a")),
    0,
  );
  assert.deepEqual(await Promise.all(heard), [["patched"], ["patched"]]);
});

test("sets that were changed by hand are believed", async (t) => {
  const app = await serveOwn(t, { adapter: publishing(freshCopy()) });
  const [a, b] = await app.connectAll(2);
  a.socket.join("room");
  app.io.sockets.adapter.rooms.get("room").add(b.socket.id);
  const heard = [next(a.client, "a"), next(b.client, "a")];
  assert.equal(
    broadcastsIn(() => app.io.to("room").emit("a")),
    0,
  );
  await Promise.all(heard);
});

test("nothing is changed on the classes, which others use, too", async (t) => {
  const copy = freshCopy();
  const Publishing = publishing(copy);
  const before = [copy.Adapter, copy.ClusterAdapter, Publishing].map(methodsOf);
  const app = await serveOwn(t, { adapter: Publishing });
  await app.connectAll(2);
  app.io.emit("a");
  assert.deepEqual([copy.Adapter, copy.ClusterAdapter, Publishing].map(methodsOf), before);
  assert.deepEqual(
    Object.keys(app.io.sockets.adapter).filter((name) =>
      Object.hasOwn(copy.Adapter.prototype, name),
    ),
    [],
  );
});

function methodsOf({ prototype }) {
  const names = Object.getOwnPropertyNames(prototype);
  return [...names.map((name) => prototype[name]), Object.getPrototypeOf(prototype)];
}
