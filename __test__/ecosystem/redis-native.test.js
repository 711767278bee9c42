"use strict";

// What is particular to our own Redis adapter: one link for all that share it, its limits, and the
// ways of saying where Redis is and how messages are written.

const assert = require("node:assert/strict");
const nodeTest = require("node:test");
const { setFlagsFromString } = require("node:v8");
const { runInNewContext } = require("node:vm");
const { WebSocket } = require("ws");
const { TRANSPORTS, test } = require("../support/scenario");
const { atEnd } = require("../support/cleanup");
const { next, until } = require("../support/events");
const { isReference } = require("../support/target");
const { startRedis, startRedisProcess } = require("../examples/redis");
const { load, serve } = require("./installed");
const { connectAdmin, joined } = require("./redis-clients");

if (isReference) {
  nodeTest.test("the reference has no adapter of its own", { skip: true });
} else {
  declare();
}

const create = (...args) => load("socket.io/redis-adapter").createAdapter(...args);

/** Servers with these adapters, and a client each. */
async function start(t, ...adapters) {
  const apps = [];
  for (const adapter of adapters) {
    apps.push(await serve(t, { transport: TRANSPORTS.websocket, options: { adapter } }));
  }
  // Redis counts connections: those who share one are one.
  await joined(apps.slice(apps.length - new Set(adapters).size));
  return Promise.all(apps.map(async (app) => ({ app, ...(await app.connect()) })));
}

/** Collects promises that were rejected without anybody handling that. */
function watchRejections(t) {
  const rejections = [];
  const onRejection = (err) => rejections.push(err);
  process.on("uncaughtExceptionMonitor", onRejection);
  atEnd(t, () => process.off("uncaughtExceptionMonitor", onRejection));
  return rejections;
}

function declare() {
  test("servers that share what createAdapter() returns all hear the others", async (t) => {
    const url = await startRedis(t);
    const shared = create(url);
    const [one, two, far] = await start(t, shared, shared, create(url));
    for (const round of [1, 2]) {
      const heard = [one, two].map(({ client }) => next(client, "news"));
      far.app.io.emit("news", round);
      assert.deepEqual(await Promise.all(heard), [[round], [round]]);
    }
    const between = next(two.client, "between");
    one.app.io.emit("between", 1);
    assert.deepEqual(await between, [1]);
    await two.app.io.close();
    const still = next(one.client, "still");
    far.app.io.emit("still", 1);
    assert.deepEqual(await still, [1]);
  });

  test("one message may be larger than what may wait", async (t) => {
    const url = await startRedis(t, ["--client-output-buffer-limit", "pubsub", "0", "0", "0"]);
    const [near, far] = await start(t, create(url), create(url));
    const heard = new Promise((resolve) => far.app.io.on("large", (text) => resolve(text.length)));
    near.app.io.serverSideEmit("large", "x".repeat(70 << 20));
    assert.equal(await heard, 70 << 20);
  });

  test("acks of broadcasts without Redis end with their time, and nothing else", async (t) => {
    const rejections = watchRejections(t);
    const redis = await startRedisProcess(t);
    const options = { url: redis.url, requestsTimeout: 1_000 };
    const [near] = await start(t, create(options), create(options));
    near.client.on("question", (answer) => answer("near"));
    const lost = next(near.app.io.of("/").adapter, "error");
    await redis.stop();
    await lost;
    const answers = await new Promise((resolve) => {
      near.app.io.timeout(1_300).emit("question", (err, values) => resolve([err?.message, values]));
    });
    assert.deepEqual(answers, ["operation has timed out", ["near"]]);
    assert.deepEqual(rejections, []);
  });

  test("closing ends what waits for the number of servers", async (t) => {
    const rejections = watchRejections(t);
    const url = await startRedis(t);
    const [near] = await start(t, create({ url, requestsTimeout: 2_000 }));
    const answered = new Promise((resolve) => near.app.io.timeout(5_000).emit("x", resolve));
    near.client.on("x", (answer) => answer());
    const counted = near.app.io.of("/").adapter.serverCount();
    await near.app.io.close();
    assert.equal(await counted, 1);
    await answered;
    assert.deepEqual(rejections, []);
  });

  test("a parser may be an object of a class, and see messages of any kind", async (t) => {
    class Parser {
      encode(message) {
        return Buffer.from(this.mark() + JSON.stringify(message));
      }
      decode(data) {
        assert.equal(data.toString()[0], this.mark());
        return JSON.parse(data.toString().slice(1));
      }
      mark() {
        return this.constructor.mark;
      }
    }
    const url = await startRedis(t);
    for (const mark of ["#", "{"]) {
      Parser.mark = mark;
      const options = { url, key: mark, parser: new Parser() };
      const [near, far] = await start(t, create(options), create(options));
      const heard = next(far.client, "news");
      near.app.io.emit("news", mark);
      assert.deepEqual(await heard, [mark]);
      if (mark === "#") {
        for (const { client } of [near, far]) {
          client.on("question", (answer) => answer(1));
        }
        assert.deepEqual(await near.app.io.timeout(5_000).emitWithAck("question"), [1, 1]);
      }
    }
  });

  test("clients may be given as to the official adapter", async (t) => {
    const url = await startRedis(t);
    const client = load("redis").createClient({ url });
    const { Redis } = load("ioredis");
    const other = new Redis(url, { lazyConnect: true });
    const [near, far] = await start(
      t,
      create(client, client.duplicate(), { key: "mine" }),
      create(other, other.duplicate(), { key: "mine" }),
    );
    assert.equal(near.app.io.of("/").adapter.channel, "mine#/#");
    const heard = next(far.client, "news");
    near.app.io.emit("news", 1);
    assert.deepEqual(await heard, [1]);
  });

  test("a command that Redis refuses is no reason to connect anew", async (t) => {
    const url = await startRedis(t);
    const [near, far] = await start(t, create(url), create(url));
    const admin = load("redis").createClient({ url });
    await admin.connect();
    admin.on("error", () => {});
    atEnd(t, () => admin.destroy());
    await admin.sendCommand(["ACL", "SETUSER", "default", "-ping", "-pubsub"]);
    const counted = near.app.io.of("/").adapter.serverCount();
    await assert.rejects(counted, /NOPERM/i);
    let isLost = false;
    near.app.io.of("/").adapter.on("error", () => (isLost = true));
    let seen = 0;
    far.client.on("beat", () => seen++);
    await until(() => {
      near.app.io.emit("beat");
      return seen >= 20;
    });
    assert.equal(isLost, false);
  });

  test("what no server would publish is ignored", async (t) => {
    const url = await startRedis(t);
    const [{ app, client }] = await start(t, create(url));
    const publisher = await connectAdmin(t, url);
    const { encode } = load("notepack.io");
    const all = { rooms: [], except: [] };
    const event = { type: 2, data: ["odd"], nsp: "/" };
    const broadcasts = [
      ...[5, "text", { type: 2, nsp: "/" }, { ...event, data: "odd" }, { ...event, data: [] }],
      ...[
        { ...event, data: { 0: "odd" } },
        { ...event, type: 9 },
        { ...event, type: 1 },
      ],
    ].map((packet) => ["other", packet, all]);
    for (const opts of [5, { rooms: 5 }, { rooms: [], except: "text" }]) {
      broadcasts.push(["other", event, opts]);
    }
    const requests = [
      ...[
        { type: 0, rooms: 5 },
        { type: 2, opts: { rooms: 5 } },
        { type: 2, opts: all, rooms: 5 },
      ],
      ...[{ type: 3, opts: all, rooms: 5 }, { type: 5 }, { type: 5, opts: { rooms: {} } }],
      ...[{ type: 6, data: "text" }, { type: 7 }, { type: 7, opts: all, packet: { type: 2 } }],
    ];
    client.onAny((name) => assert.equal(name, "last"));
    const last = next(client, "last");
    for (const broadcast of broadcasts) {
      await publisher.publish("socket.io#/#", encode(broadcast));
    }
    for (const request of requests) {
      const text = JSON.stringify({ uid: "other", requestId: "1", ...request });
      await publisher.publish("socket.io-request#/#", text);
    }
    const sound = ["other", { ...event, data: ["last"] }, all];
    await publisher.publish("socket.io#/#", encode(sound));
    await last;
    assert.equal(client.connected, true);
    assert.equal((await app.io.fetchSockets()).length, 1);
  });

  test("what a listener of the adapter throws takes no message along", async (t) => {
    const url = await startRedis(t);
    const adapter = create(url);
    const thrown = [];
    process.setUncaughtExceptionCaptureCallback((err) => thrown.push(err.message));
    atEnd(t, () => process.setUncaughtExceptionCaptureCallback(null));
    const app = await serve(t, { options: { adapter } });
    app.io.of("/").adapter.on("ready", () => {
      throw new Error("not today");
    });
    // What Redis says now is taken in at once, further below.
    const counted = app.io.of("/").adapter.serverCount();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    assert.equal(await counted, 1);
    await until(() => thrown.length > 0, "the listener has thrown");
    assert.deepEqual(thrown, ["not today"]);
  });

  test("a broadcast may say by null that it has no flags", async (t) => {
    const url = await startRedis(t);
    const [{ app, client }] = await start(t, create(url));
    const admin = await connectAdmin(t, url);
    const heard = next(client, "binary");
    const packet = { type: 2, data: ["binary", Buffer.from("b")], nsp: "/" };
    const opts = { rooms: [], except: [], flags: null };
    await admin.publish("socket.io#/#", load("notepack.io").encode(["other", packet, opts]));
    assert.deepEqual(await heard, [Buffer.from("b")]);
    const local = next(client, "local");
    const everyone = { rooms: new Set(), except: new Set(), flags: null };
    app.io.of("/").adapter.broadcast({ type: 2, data: ["local"] }, everyone);
    await local;
  });

  test("who hears of it that the adapter is ready misses nothing", async (t) => {
    const url = await startRedis(t);
    const admin = await connectAdmin(t, url);
    let ready;
    const prepare = (io) => {
      ready = next(io.of("/").adapter, "ready");
    };
    const { io } = await serve(t, { options: { adapter: create(url) }, prepare });
    await ready;
    const subscribed = () => admin.sendCommand(["PUBSUB", "NUMPAT"]);
    assert.equal(await subscribed(), 1);
    await next(io.of("/late").adapter, "ready");
    assert.equal(await subscribed(), 2);
  });

  test("a publishing connection that ends while nothing is said is made again", async (t) => {
    const url = await startRedis(t);
    const [near, far] = await start(t, create(url), create(url));
    const admin = await connectAdmin(t, url);
    const again = [near, far].map(({ app }) => next(app.io.of("/").adapter, "ready"));
    near.app.io.of("/").adapter.on("error", () => {});
    far.app.io.of("/").adapter.on("error", () => {});
    await admin.sendCommand(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    await Promise.all(again);
    const heard = next(far.client, "first");
    near.app.io.emit("first", 1);
    assert.deepEqual(await heard, [1]);
  });

  test("what other servers broadcast ends with the packet that ends the membership", async (t) => {
    const url = await startRedis(t);
    const [near, far] = await start(t, create(url), create(url));
    let isFlooding = true;
    const flood = () => {
      for (let n = 0; n < 20; n++) {
        far.app.io.emit("flood", n);
      }
      if (isFlooding) {
        setImmediate(flood);
      }
    };
    near.app.io.on("connection", (socket) => socket.on("bye", () => socket.disconnect()));
    flood();
    for (let round = 0; round < 20; round++) {
      const client = new WebSocket(`${near.app.url}/socket.io/?EIO=4&transport=websocket`);
      const packets = [];
      client.on("message", (data) => {
        const packet = data.toString();
        if (packet.startsWith("0")) {
          client.send("40");
        } else {
          packets.push(packet);
        }
        if (packet.startsWith("40")) {
          client.send('42["bye"]');
        } else if (packet === "41") {
          // Its answer comes behind whatever is on its way.
          client.close();
        }
      });
      await next(client, "close");
      assert.match(packets[0], /^40/);
      assert.equal(packets.at(-1), "41");
    }
    isFlooding = false;
  });

  test("members that somebody adds to a room's set are found", async (t) => {
    const url = await startRedis(t);
    const [near, far] = await start(t, create(url), create(url));
    near.socket.join("room");
    const other = await near.app.connect();
    near.app.io.of("/").adapter.rooms.get("room").add(other.socket.id);
    const heard = new Promise((resolve) => other.client.once("to room", resolve));
    let isHeard = false;
    heard.then(() => {
      isHeard = true;
    });
    await until(() => {
      far.app.io.to("room").emit("to room");
      return isHeard;
    }, "the second member hears of it");
  });

  test("nothing is left of a link that has ended", async (t) => {
    setFlagsFromString("--expose_gc");
    const collect = runInNewContext("gc");
    const url = await startRedis(t);
    const link = await (async () => {
      const [{ app }] = await start(t, create(url));
      const ended = new WeakRef(app.io.of("/").adapter._link._native);
      await app.io.close();
      return ended;
    })();
    await until(() => {
      collect();
      return link.deref() === undefined;
    }, "it is collected");
  });

  test("a message for a room that nobody here is in reaches nobody", async (t) => {
    const url = await startRedis(t);
    const [{ app, client }] = await start(t, create(url));
    const admin = await connectAdmin(t, url);
    const { encode } = load("notepack.io");
    const message = (name) =>
      encode(["other", { type: 2, data: [name], nsp: "/" }, { rooms: [], except: [] }]);
    client.onAny((name) => assert.equal(name, "last"));
    for (const onOutgoing of [
      () => {},
      () => app.io.of("/").sockets.forEach((s) => s.onAnyOutgoing(() => {})),
    ]) {
      onOutgoing();
      const last = next(client, "last");
      await admin.publish("socket.io#/#unknown#", message("not for us"));
      await admin.publish("socket.io#/#r", message("no channel of ours"));
      await admin.publish("socket.io#/#", message("last"));
      await last;
    }
  });
}
