"use strict";

// perMessageDeflate: what real clients get compressed over WebSocket, with each option.
// The negotiation itself and broken frames are in ../protocol/deflate.test.js.

const assert = require("node:assert/strict");
const { WebSocket } = require("ws");
const connectOld = require("socket.io-client-v2");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { collect, next, settle, until } = require("../support/events");

const NAME = "permessage-deflate";
const ON_WEBSOCKET = ["websocket", "upgraded"];
const LONG = "a word and another ".repeat(500);
/** Compresses to little, is long enough for every threshold, and has characters of all sizes. */
const VALUES = [LONG, { nested: ["é€😀".repeat(500)] }, Buffer.alloc(5000, "ab"), 1];

/** Pairs of options, of the server and of the client's WebSocket. */
const AGREEMENTS = {
  "everything unset": [{}, {}],
  "true for options": [true, {}],
  "no context kept by the server": [{ serverNoContextTakeover: true }, {}],
  "no context kept by the client": [{ clientNoContextTakeover: true }, {}],
  "no context kept by either": [
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
  ],
  "small windows": [{ serverMaxWindowBits: 9, clientMaxWindowBits: 9 }, {}],
  "the smallest windows": [{ serverMaxWindowBits: 8, clientMaxWindowBits: 8 }, {}],
  "windows the client asked for": [{}, { serverMaxWindowBits: 10, clientMaxWindowBits: 11 }],
  "no threshold": [{ threshold: 0 }, { threshold: 0 }],
  "level 1": [{ zlibDeflateOptions: { level: 1, memLevel: 1 } }, {}],
  "level 9": [{ zlibDeflateOptions: { level: 9, memLevel: 9 } }, {}],
  "no compression at all": [{ zlibDeflateOptions: { level: 0 } }, {}],
  "run lengths only": [{ zlibDeflateOptions: { strategy: 3 } }, {}],
};

/** A server with compression. */
function serveDeflated(t, transport, perMessageDeflate = true, options = {}) {
  return serve(t, { transport, options: { ...options, perMessageDeflate } });
}

/** The client's WebSocket of the package `ws`. */
function webSocketOf(client) {
  return client.io.engine.transport.ws;
}

/** How many bytes the client gets on the wire for what `send` sends, up to event `done`. */
async function bytesOf(client, send, done) {
  const stream = webSocketOf(client)._socket;
  const before = stream.bytesRead;
  const received = next(client, done);
  send();
  const args = await received;
  return { bytes: stream.bytesRead - before, args };
}

for (const [title, [ours, theirs]] of Object.entries(AGREEMENTS)) {
  eachTransport(
    `events go both ways with ${title}`,
    async (t, transport) => {
      const app = await serveDeflated(t, transport, ours);
      const { client, socket } = await app.connect("/", { perMessageDeflate: theirs });
      assert.equal(webSocketOf(client).extensions, NAME);
      for (let n = 0; n < 3; n++) {
        const atClient = next(client, "values");
        socket.emit("values", ...VALUES, n);
        assert.deepEqual(await atClient, [...VALUES, n]);
        const atServer = next(socket, "values");
        client.emit("values", ...VALUES, n);
        assert.deepEqual(await atServer, [...VALUES, n]);
      }
    },
    ON_WEBSOCKET,
  );
}

eachTransport("acks may be long, in both directions", async (t, transport) => {
  const app = await serveDeflated(t, transport);
  const { client, socket } = await app.connect();
  socket.on("question", (value, answer) => answer(value));
  client.on("question", (value, answer) => answer(value));
  assert.equal(await client.emitWithAck("question", LONG), LONG);
  assert.equal(await socket.emitWithAck("question", LONG), LONG);
});

eachTransport("messages stay in order, large and small, text and binary", async (t, transport) => {
  const app = await serveDeflated(t, transport);
  const { client, socket } = await app.connect();
  const sizes = [1, 5_000, 0, 100_000, 1023, 1024, 3, 40_000];
  const values = sizes.flatMap((size) => ["x".repeat(size), Buffer.alloc(size, 7)]);
  const atClient = collect(client, "n", values.length);
  const atServer = collect(socket, "n", values.length);
  for (const value of values) {
    socket.emit("n", value);
    client.emit("n", value);
  }
  assert.deepEqual((await atClient).flat(), values);
  assert.deepEqual((await atServer).flat(), values);
});

eachTransport(
  "compression is off unless asked for",
  async (t, transport) => {
    const app = await serve(t, { transport });
    const { client, socket } = await app.connect("/", { perMessageDeflate: {} });
    assert.equal(webSocketOf(client).extensions, "");
    assert.equal(socket.conn.transport.socket.extensions, "");
    assert.ok(!socket.conn.transport.perMessageDeflate);
    assert.deepEqual(socket.conn.transport.socket._extensions, {});
    const { bytes } = await bytesOf(client, () => socket.emit("long", LONG), "long");
    assert.ok(bytes > LONG.length);
  },
  ON_WEBSOCKET,
);

eachTransport(
  "a client that offers nothing gets nothing compressed",
  async (t, transport) => {
    const app = await serveDeflated(t, transport);
    const { client, socket } = await app.connect("/", { perMessageDeflate: false });
    assert.equal(webSocketOf(client).extensions, "");
    assert.equal(socket.conn.transport.socket.extensions, "");
    const { bytes, args } = await bytesOf(client, () => socket.emit("long", LONG), "long");
    assert.deepEqual(args, [LONG]);
    assert.ok(bytes > LONG.length);
  },
  ON_WEBSOCKET,
);

eachTransport(
  "what was agreed on can be seen on the transport",
  async (t, transport) => {
    const options = { threshold: 77, serverMaxWindowBits: 10, clientNoContextTakeover: true };
    const app = await serveDeflated(t, transport, options);
    const { socket } = await app.connect();
    const { perMessageDeflate, socket: webSocket } = socket.conn.transport;
    assert.deepEqual(perMessageDeflate, options);
    assert.equal(webSocket.extensions, NAME);
    assert.deepEqual(
      { ...webSocket._extensions[NAME].params },
      {
        client_no_context_takeover: true,
        server_max_window_bits: 10,
      },
    );
    assert.equal(webSocket._extensions[NAME]._threshold, 77);
  },
  ON_WEBSOCKET,
);

test("the options are completed with the default threshold", async (t) => {
  const app = await serveDeflated(t, undefined, { serverMaxWindowBits: 12 });
  assert.deepEqual(app.io.engine.opts.perMessageDeflate, {
    threshold: 1024,
    serverMaxWindowBits: 12,
  });
  const simple = await serveDeflated(t, undefined, true);
  assert.deepEqual(simple.io.engine.opts.perMessageDeflate, { threshold: 1024 });
});

eachTransport(
  "long messages take less on the wire, to one client and to all",
  async (t, transport) => {
    const app = await serveDeflated(t, transport);
    const { client, socket } = await app.connect();
    for (const send of [() => socket.emit("long", LONG), () => app.io.emit("long", LONG)]) {
      const { bytes, args } = await bytesOf(client, send, "long");
      assert.deepEqual(args, [LONG]);
      assert.ok(bytes < LONG.length / 10, `${bytes} bytes`);
    }
  },
  ON_WEBSOCKET,
);

test("the level makes a difference", async (t) => {
  const words = Array.from({ length: 20_000 }, (_, i) => "abcdefgh"[(i * i * 31 + (i >> 3)) % 8]);
  const text = words.join("");
  const sizes = [];
  for (const level of [0, 1, 9]) {
    const app = await serveDeflated(t, undefined, { zlibDeflateOptions: { level } });
    const { client, socket } = await app.connect("/", { transports: ["websocket"] });
    sizes.push((await bytesOf(client, () => socket.emit("text", text), "text")).bytes);
  }
  const [none, fast, best] = sizes;
  assert.ok(none > text.length && fast < none && best < fast, `${sizes}`);
});

eachTransport(
  "a broadcast reaches rooms whatever each client agreed on",
  async (t, transport) => {
    const app = await serveDeflated(t, transport);
    const offers = [{}, false, { serverMaxWindowBits: 9 }, { serverNoContextTakeover: true }, {}];
    const all = [];
    for (const perMessageDeflate of offers) {
      all.push(await app.connect("/", { perMessageDeflate }));
    }
    const [left] = all.splice(1, 1);
    left.client.on("news", () => assert.fail("not in the room"));
    for (const { socket } of all) {
      socket.join("room");
    }
    for (let n = 0; n < 3; n++) {
      const received = all.map(({ client }) => next(client, "news"));
      app.io.to("room").emit("news", n, ...VALUES);
      for (const args of await Promise.all(received)) {
        assert.deepEqual(args, [n, ...VALUES]);
      }
    }
    await settle(left.client, left.socket);
  },
  ON_WEBSOCKET,
);

test("a message marked with compress(false) arrives all the same", async (t) => {
  const app = await serveDeflated(t);
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  for (const send of [
    () => socket.compress(false).emit("long", LONG),
    () => app.io.compress(false).emit("long", LONG),
    () => socket.conn.send(`2["long",${JSON.stringify(LONG)}]`, { compress: false }),
  ]) {
    assert.deepEqual((await bytesOf(client, send, "long")).args, [LONG]);
  }
});

eachTransport(
  "a message that inflates beyond the limit is a transport error",
  async (t, transport) => {
    const app = await serveDeflated(t, transport, true, { maxHttpBufferSize: 10_000 });
    const { client, socket } = await app.connect("/", { perMessageDeflate: {} });
    socket.on("long", () => assert.fail("too large"));
    const closed = next(socket.conn, "close");
    const left = next(socket, "disconnect");
    const gone = next(client, "disconnect");
    client.emit("long", "x".repeat(100_000));
    const [reason, description] = await closed;
    assert.equal(reason, "transport error");
    assert.match(description.message, /Max payload size exceeded/);
    assert.equal((await left)[0], "transport error");
    assert.equal((await gone)[0], "transport close");
  },
  ON_WEBSOCKET,
);

test("a client of version 2 gets text and binary compressed", async (t) => {
  const app = await serveDeflated(t, undefined, true, { allowEIO3: true });
  const connection = next(app.io, "connection");
  const client = connectOld(app.url, {
    forceNew: true,
    reconnection: false,
    transports: ["websocket"],
    perMessageDeflate: { threshold: 0 },
  });
  atEnd(t, () => client.disconnect());
  const [[socket]] = await Promise.all([connection, next(client, "connect")]);
  assert.equal(socket.conn.transport.socket.extensions, NAME);
  const modern = await app.connect("/", { transports: ["websocket"] });
  const received = [client, modern.client].map((one) => next(one, "values"));
  app.io.emit("values", ...VALUES);
  for (const args of await Promise.all(received)) {
    assert.deepEqual(args, VALUES);
  }
  const atServer = next(socket, "values");
  client.emit("values", ...VALUES);
  assert.deepEqual(await atServer, VALUES);
});

test("a bare WebSocket that compresses every message is understood", async (t) => {
  const app = await serveDeflated(t);
  const url = `ws://127.0.0.1:${app.port}/socket.io/?EIO=4&transport=websocket`;
  const webSocket = new WebSocket(url, { perMessageDeflate: { threshold: 0 } });
  atEnd(t, () => webSocket.terminate());
  await next(webSocket, "message");
  const connection = next(app.io, "connection");
  webSocket.send("40");
  const [socket] = await connection;
  const received = collect(socket, "n", 100);
  for (let n = 0; n < 100; n++) {
    webSocket.send(`42["n",${n},"${"again and ".repeat(n)}"]`);
  }
  assert.deepEqual(
    await received,
    Array.from({ length: 100 }, (_, n) => [n, "again and ".repeat(n)]),
  );
});

eachTransport(
  "many clients at a time keep their contexts apart",
  async (t, transport) => {
    const app = await serveDeflated(t, transport);
    const all = await app.connectAll(8, "/", { perMessageDeflate: { threshold: 0 } });
    for (const { socket } of all) {
      socket.on("echo", (n, value, answer) => answer(n, value));
    }
    const echo = async ({ client }, who) => {
      for (let n = 0; n < 30; n++) {
        const value = `${who} says `.repeat(n);
        const answer = new Promise((resolve) => {
          client.emit("echo", n, value, (...args) => resolve(args));
        });
        assert.deepEqual(await answer, [n, value]);
      }
    };
    await Promise.all(all.map(echo));
  },
  ON_WEBSOCKET,
);

test("a client that is gone in the middle of things disturbs nobody", async (t) => {
  const app = await serveDeflated(t);
  const [one, other] = await app.connectAll(2, "/", { transports: ["websocket"] });
  const left = next(one.socket, "disconnect");
  webSocketOf(one.client).terminate();
  for (let n = 0; n < 20; n++) {
    app.io.emit("long", LONG);
  }
  await left;
  const { args } = await bytesOf(other.client, () => app.io.emit("last", LONG), "last");
  assert.deepEqual(args, [LONG]);
  await until(() => app.io.engine.clientsCount === 1);
});
