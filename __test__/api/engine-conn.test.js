"use strict";

// socket.conn: sending, the write buffer, events, what applications replace on it.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, deferred, next, settle, until } = require("../support/events");
const { openPolling, openWebSocket, request } = require("../support/request");

/** A raw session over WebSocket, its open packet read: `{ conn, webSocket, messages }`. */
async function rawSession(t, app, query = "") {
  const connection = next(app.io.engine, "connection");
  const url = `${app.url}/socket.io/?EIO=4&transport=websocket${query}`;
  const { webSocket, messages } = await openWebSocket(t, url);
  const [conn] = await connection;
  await until(() => messages.length === 1);
  messages.length = 0;
  return { conn, webSocket, messages };
}

eachTransport("a connection may go without its request", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.engine.on("connection", (conn) => delete conn.request);
  const { socket } = await app.connect();
  const { secure, headers, query } = socket.handshake;
  assert.deepEqual({ secure, headers, query }, { secure: true, headers: {}, query: {} });
  assert.equal(socket.request, undefined);
});

eachTransport("send and write chain and call back in order", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const { conn } = socket;
  const calls = [];
  const received = collect(client.io.engine, "data", 4);
  const done = deferred();
  assert.equal(
    conn.send('2["a"]', (used) => calls.push(["a", used])),
    conn,
  );
  assert.equal(
    conn.write('2["b"]', { compress: false }, () => calls.push(["b"])),
    conn,
  );
  conn.send('2["c"]', { compress: true });
  conn.send('2["d"]', {}, () => done.resolve(calls.push(["d"])));
  await done.promise;
  assert.deepEqual(calls, [["a", conn.transport], ["b"], ["d"]]);
  const texts = (await received).map(([data]) => data);
  assert.deepEqual(texts, ['2["a"]', '2["b"]', '2["c"]', '2["d"]']);
  assert.deepEqual(conn.packetsFn, []);
});

for (const watched of [false, true]) {
  const who = watched ? "with somebody watching writes" : "with nobody watching";
  test(`a frame that was made before goes out instead of the data, ${who}`, async (t) => {
    const app = await serve(t);
    const { conn, messages } = await rawSession(t, app);
    if (watched) conn.on("flush", () => {});
    const body = Buffer.from(`4${"é".repeat(100)}`);
    const small = { wsPreEncodedFrame: [Buffer.from([0x81, 2]), Buffer.from("4a")] };
    const long = { wsPreEncodedFrame: [Buffer.from([0x81, 126, 0, body.length]), body] };
    const bytes = { wsPreEncodedFrame: [Buffer.from([0x82, 2]), Buffer.from([7, 8])] };
    conn.send("other", small);
    conn.send("other", long);
    conn.send(Buffer.from("other"), bytes);
    conn.send("as it is");
    await until(() => messages.length === 4);
    const [first, second, third, last] = messages.map((message) => Buffer.from(message));
    assert.deepEqual([first, second], [Buffer.from("4a"), body]);
    assert.deepEqual([third, last], [Buffer.from([7, 8]), Buffer.from("4as it is")]);
  });
}

eachTransport("packetCreate tells of each packet and may change it", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const packets = [];
  socket.conn.on("packetCreate", (packet) => {
    if (packet.type === "message") {
      packets.push({ ...packet, options: { ...packet.options } });
      if (packet.data === '2["secret"]') {
        packet.data = '2["public"]';
      }
    }
  });
  const got = next(client, "public");
  socket.compress(false).emit("event", 1);
  app.io.emit("all", "é");
  app.io.compress(false).emit("bytes", Buffer.from([7]));
  socket.emit("secret");
  await got;
  const seen = packets.map(({ data, options }) => [data, options.compress]);
  assert.deepEqual(seen.slice(0, 2), [
    ['2["event",1]', false],
    ['2["all","é"]', true],
  ]);
  assert.deepEqual(seen[2], ['51-["bytes",{"_placeholder":true,"num":0}]', false]);
  assert.deepEqual([...seen[3][0]], [7]);
});

test("packets have data only if there is some", async (t) => {
  const app = await serve(t);
  const { conn, messages } = await rawSession(t, app);
  const packets = [];
  conn.on("packetCreate", (packet) => packets.push(packet));
  conn.send("");
  conn.sendPacket("noop");
  conn.sendPacket("message", "x", () => {});
  assert.deepEqual(packets, [
    { type: "message", options: { compress: true } },
    { type: "noop", options: { compress: true } },
    { type: "message", options: { compress: true }, data: "x" },
  ]);
  await until(() => messages.length === 3);
  assert.deepEqual(messages, ["4", "6", "4x"]);
});

eachTransport("packet, data and message tell of what comes in", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const seen = [];
  for (const event of ["packet", "data", "message"]) {
    socket.conn.on(event, (value) => {
      if (event !== "packet" || value.type === "message") {
        seen.push([event, value.data ?? value]);
      }
    });
  }
  await settle(client, socket);
  seen.length = 0;
  const received = next(socket, "event");
  client.emit("event", 1, Buffer.from([1, 2]));
  assert.deepEqual((await received)[0], 1);
  const header = '51-["event",1,{"_placeholder":true,"num":0}]';
  assert.deepEqual(
    seen.slice(0, 3),
    ["packet", "data", "message"].map((event) => [event, header]),
  );
  assert.deepEqual(
    seen.slice(3).map(([event, data]) => [event, [...data]]),
    [
      ["packet", [1, 2]],
      ["data", [1, 2]],
      ["message", [1, 2]],
    ],
  );
});

eachTransport("heartbeat tells of each pong", async (t, transport) => {
  const app = await serve(t, { transport, options: { pingInterval: 40 } });
  const { socket } = await app.connect();
  const pongs = [];
  socket.conn.on("packet", ({ type }) => type === "pong" && pongs.push(type));
  await collect(socket.conn, "heartbeat", 2);
  assert.ok(pongs.length >= 2);
});

test("while one reads nothing, writes are buffered and wait", async (t) => {
  const app = await serve(t);
  const { conn, webSocket } = await rawSession(t, app);
  webSocket.pause();
  const chunk = "x".repeat(100_000);
  // More than the kernel takes: from here on packets wait in the process.
  await until(() => {
    conn.send(chunk);
    return conn.writeBuffer.length >= 3;
  });
  assert.equal(conn.transport.writable, false);
  assert.equal(conn.writeBuffer.at(-1).data.length, chunk.length);
  assert.equal(conn.writeBuffer.at(-1).type, "message");
  assert.ok(conn.transport.socket.bufferedAmount > 0);
  webSocket.resume();
  await until(() => conn.writeBuffer.length === 0 && conn.transport.writable);
  assert.equal(conn.transport.socket.bufferedAmount, 0);
});

test("n packets of one tick leave n - 1 in the buffer of an idle WebSocket", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  await settle(client, socket);
  await until(() => socket.conn.transport.writable);
  assert.equal(socket.conn.writeBuffer.length, 0);
  socket.emit("a");
  assert.equal(socket.conn.writeBuffer.length, 0);
  assert.equal(socket.conn.transport.writable, false);
  socket.emit("b", "é");
  socket.emit("c", 1234);
  assert.deepEqual(
    socket.conn.writeBuffer.map(({ data }) => data.length),
    [10, 11],
  );
  await until(() => socket.conn.writeBuffer.length === 0);
});

test("a polling connection without a GET buffers all", async (t) => {
  const app = await serve(t);
  const connection = next(app.io.engine, "connection");
  const { open } = await openPolling(app.url);
  const [conn] = await connection;
  conn.send("one");
  conn.send("three");
  await null;
  assert.equal(conn.transport.writable, false);
  assert.deepEqual(
    conn.writeBuffer.map(({ data }) => data.length),
    [3, 5],
  );
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  assert.equal((await request(url)).text, "4one\x1e4three");
  assert.equal(conn.writeBuffer.length, 0);
  conn.close(true);
});

eachTransport(
  "flush and drain come in the order of the buffer",
  async (t, transport) => {
    const app = await serve(t, { transport });
    const { client, socket } = await app.connect();
    await settle(client, socket);
    const { conn } = socket;
    await until(() => conn.transport.writable);
    const seen = [];
    conn.on("flush", (buffer) => seen.push(`flush ${buffer.map(({ data }) => data)}`));
    conn.on("drain", () => seen.push("drain"));
    const received = collect(client.io.engine, "data", 3);
    await until(() => conn.transport.writable);
    for (const data of ['2["a"]', '2["b"]', '2["c"]']) {
      conn.send(data, () => seen.push(`sent ${data}`));
      seen.push(conn.writeBuffer.length);
    }
    await received;
    await until(() => seen.length === 10);
    assert.deepEqual(seen, [
      ...['flush 2["a"]', "drain", 0, 1, 2],
      ...['sent 2["a"]', 'flush 2["b"],2["c"]', "drain", 'sent 2["b"]', 'sent 2["c"]'],
    ]);
  },
  ["websocket", "upgraded"],
);

test("close waits for the buffer, close with discard does not", async (t) => {
  const app = await serve(t);
  for (const discard of [false, true]) {
    const { conn, webSocket, messages } = await rawSession(t, app);
    conn.on("drain", () => {});
    const closed = next(conn, "close");
    const gone = next(webSocket, "close");
    conn.send("a");
    conn.send("b");
    conn.close(discard);
    assert.equal(conn.readyState, discard ? "closed" : "closing");
    conn.send("ignored");
    assert.deepEqual(await closed, ["forced close", undefined]);
    await gone;
    assert.deepEqual(messages, discard ? ["4a"] : ["4a", "4b"]);
  }
});

test("the write buffer is there for listeners of close, callbacks are not", async (t) => {
  const app = await serve(t);
  const { conn } = await rawSession(t, app);
  conn.packetsFn.push(() => {});
  conn.sentCallbackFn.push([() => {}]);
  const packet = { type: "message", data: "left", options: {} };
  conn.writeBuffer.push(packet);
  let seen;
  conn.on("close", () => {
    seen = [[...conn.writeBuffer], conn.packetsFn, conn.sentCallbackFn];
  });
  conn.onError(new Error("broken"));
  assert.deepEqual(seen, [[packet], [], []]);
  await new Promise(process.nextTick);
  assert.deepEqual(conn.writeBuffer, []);
});

test("what is put into the write buffer is flushed", async (t) => {
  const app = await serve(t);
  const { conn, messages } = await rawSession(t, app);
  await until(() => conn.transport.writable);
  conn.writeBuffer.push({ type: "message", data: "own", options: {} });
  conn.flush();
  await until(() => messages.length === 1);
  assert.deepEqual(messages, ["4own"]);
});

test("onError closes with transport error, onClose with any reason", async (t) => {
  const app = await serve(t);
  const error = new Error("broken");
  const one = await rawSession(t, app);
  const closed = next(one.conn, "close");
  one.conn.onError(error);
  assert.deepEqual(await closed, ["transport error", error]);
  const two = await rawSession(t, app);
  const ended = next(two.conn, "close");
  two.conn.onClose("my reason", { more: 1 });
  two.conn.onClose("again");
  assert.deepEqual(await ended, ["my reason", { more: 1 }]);
  await until(() => app.io.engine.clientsCount === 0);
  await until(() => two.webSocket.readyState === 3);
});

test("a replaced onClose hears why the connection ends", async (t) => {
  const app = await serve(t);
  const { conn, webSocket } = await rawSession(t, app);
  const called = deferred();
  const original = conn.onClose;
  conn.onClose = function (reason, description) {
    called.resolve(reason);
    return original.call(this, "renamed", description);
  };
  const closed = next(conn, "close");
  conn.transport.onClose = conn.transport.onClose.bind(conn.transport);
  conn.onClose("first");
  assert.equal(await called.promise, "first");
  assert.equal((await closed)[0], "renamed");
  webSocket.terminate();
});

test("upgrading and upgrade tell of the new transport", async (t) => {
  const app = await serve(t);
  const connection = next(app.io.engine, "connection");
  const client = app.open("/", { transports: ["polling", "websocket"] });
  const [conn] = await connection;
  const seen = [];
  const polling = conn.transport;
  for (const event of ["upgrading", "upgrade"]) {
    conn.on(event, (transport) => {
      seen.push([event, transport.name, conn.transport === transport]);
      seen.push([conn.upgrading, conn.upgraded]);
    });
  }
  await until(() => conn.upgraded);
  assert.deepEqual(seen, [
    ["upgrading", "websocket", false],
    [true, false],
    ["upgrade", "websocket", true],
    [false, true],
  ]);
  assert.equal(polling.discarded, true);
  await until(() => client.io.engine.transport.name === "websocket");
});

test("request may be dropped by the application", async (t) => {
  const app = await serve(t);
  app.io.engine.on("connection", (conn) => {
    conn.request = null;
  });
  const { socket } = await app.connect("/", { transports: ["websocket"] });
  assert.equal(socket.request, null);
  assert.deepEqual(socket.handshake.headers, {});
  assert.equal(socket.handshake.secure, true);
  assert.equal(socket.conn.remoteAddress, "127.0.0.1");
});

test("packets that onPacket of the transport is given are taken in", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  const received = collect(socket, "event", 2);
  socket.conn.transport.onPacket({ type: "message", data: '2["event",1]' });
  socket.conn.transport.onData('42["event",2]');
  assert.deepEqual(await received, [[1], [2]]);
  await settle(client, socket);
});

eachTransport(
  "pings are seen like other packets while writes are watched",
  async (t, transport) => {
    const app = await serve(t, { transport, options: { pingInterval: 100, pingTimeout: 5_000 } });
    const { socket } = await app.connect();
    const seen = [];
    const drained = new Promise((resolve) => {
      socket.conn.on("packetCreate", ({ type }) => seen.push(`create ${type}`));
      socket.conn.on("flush", (packets) =>
        seen.push(...packets.map(({ type }) => `flush ${type}`)),
      );
      socket.conn.on("drain", () => {
        if (seen.includes("flush ping")) resolve();
      });
    });
    await next(socket.conn, "heartbeat");
    await drained;
    assert.deepEqual(seen.filter((entry) => entry.endsWith("ping")).slice(0, 2), [
      "create ping",
      "flush ping",
    ]);
  },
);

eachTransport("a connection that is closing or closed makes no packets", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect();
  const { conn } = socket;
  const closed = next(conn, "close");
  await until(() => conn.transport.writable, "the transport is writable");
  conn.send('2["last"]');
  conn.send('2["last but one more tick"]');
  conn.close();
  assert.equal(conn.readyState, "closing");
  conn.on("packetCreate", () => assert.fail("nothing is sent any more"));
  assert.equal(conn.send('2["late"]'), conn);
  await closed;
  assert.equal(conn.readyState, "closed");
  assert.equal(conn.send('2["later"]'), conn);
});
