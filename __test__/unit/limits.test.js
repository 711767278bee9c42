"use strict";

// Limits that only this package has: what waits for a client that does not read, how much a
// client may send, and what it may make the server hold.

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const { Server } = require("../..");
const { metrics } = require("../../lib/metrics");
const { atEnd } = require("../support/cleanup");
const { test } = require("../support/scenario");
const { serveOwn } = require("../support/own-app");
const { collect, next, settle, until } = require("../support/events");
const { openPolling, request } = require("../support/request");
const {
  OPCODE,
  Wire,
  frame,
  readResponse,
  requestBytes,
  upgradeHeaders,
} = require("../protocol/wire");

/** A client that completes its handshake, joins the main namespace and then stops reading. */
async function deafClient(t, app) {
  const { port } = app.io.httpServer.address();
  const stream = net.connect(port, "127.0.0.1");
  atEnd(t, () => stream.destroy());
  stream.write(
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n" +
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await next(stream, "data");
  const connected = next(app.io, "connection");
  // "40" as a text frame, masked with zeros.
  stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30]));
  const [socket] = await connected;
  stream.pause();
  return socket;
}

test("a client that does not read is cut off at maxBackpressure, and the others are not", async (t) => {
  const app = await serveOwn(t, { maxBackpressure: 1_000_000 });
  const deaf = await deafClient(t, app);
  const { client, socket } = await app.connect();
  let received = 0;
  client.on("b", () => received++);
  const before = metrics().dropped.backpressure;
  const gone = next(deaf, "disconnect");
  const payload = Buffer.alloc(100_000);
  let sent = 0;
  while (deaf.connected && sent < 500) {
    app.io.emit("b", payload);
    sent++;
    await settle(client, socket);
  }
  const [reason, details] = await gone;
  assert.equal(reason, "limit exceeded");
  assert.match(details.message ?? String(details), /backpressure limit exceeded/);
  assert.equal(received, sent);
  assert.equal(metrics().dropped.backpressure, before + 1);
});

test("a probing client that asks and does not read is dropped, its session is not", async (t) => {
  const app = await serveOwn(t, { maxBackpressure: 100_000 });
  const before = metrics().dropped.backpressure;
  const opened = next(app.io.engine, "connection");
  const { open } = await openPolling(app.url);
  const [conn] = await opened;
  const probe = await Wire.open(app.port);
  atEnd(t, () => probe.destroy());
  const path = `/socket.io/?EIO=4&transport=websocket&sid=${open.sid}`;
  probe.write(requestBytes({ path, headers: upgradeHeaders() }));
  assert.equal((await readResponse(probe)).status, 101);
  const { socket } = probe;
  socket.pause();
  const pings = Buffer.concat(Array(10_000).fill(frame(OPCODE.ping)));
  const ended = next(socket, "close");
  let isOver = false;
  socket.on("close", () => (isOver = true));
  while (!isOver) {
    await new Promise((resolve) => socket.write(pings, resolve));
    await new Promise(setImmediate);
  }
  await ended;
  assert.equal(metrics().dropped.backpressure, before + 1);
  assert.equal(conn.readyState, "open");
  const polled = request(`${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`);
  conn.send("still here");
  assert.equal((await polled).text, "4still here");
});

test("one message may be larger than maxBackpressure, and than what a socket takes at once", async (t) => {
  const app = await serveOwn(t, { maxBackpressure: 1000 });
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  const heard = Promise.all([next(client, "big"), next(client, "small")]);
  const size = 40_000_000;
  socket.emit("big", Buffer.alloc(size));
  socket.emit("small");
  assert.equal((await heard)[0][0].length, size);
});

test("one message may be larger than maxBackpressure while no poll waits for it", async (t) => {
  const app = await serveOwn(t, { maxBackpressure: 1000 });
  const url = `http://127.0.0.1:${app.io.httpServer.address().port}`;
  const connected = next(app.io, "connection");
  const { open } = await openPolling(url);
  const session = `${url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  await request(session, { method: "POST", body: "40" });
  const [socket] = await connected;
  await request(session);
  socket.emit("big", "x".repeat(200_000));
  assert.match((await request(session)).text, /^42\["big","x{200000}"\]$/);
});

test("what a client sends while the thread is busy waits with the client, and none is lost", async (t) => {
  const app = await serveOwn(t, {});
  const wire = await Wire.open(app.port);
  t.after(() => wire.destroy());
  const connection = next(app.io, "connection");
  const path = "/socket.io/?EIO=4&transport=websocket";
  wire.write(requestBytes({ path, headers: upgradeHeaders() }));
  await readResponse(wire);
  wire.write(frame(OPCODE.text, "40"));
  const [socket] = await connection;
  let heard = 0;
  socket.on("much", () => heard++);
  const event = frame(OPCODE.text, `42["much","${"x".repeat(1000)}"]`);
  const count = 8000;
  wire.write(Buffer.concat(Array(count).fill(event)));
  const end = Date.now() + 500;
  while (Date.now() < end);
  const { queuedBytes } = metrics().javascript;
  assert.ok(queuedBytes > 0, "something waits");
  assert.ok(queuedBytes < 500_000, `${queuedBytes} bytes wait`);
  await until(() => heard === count, "all events came");
});

test("a connection tells how much waits for it", async (t) => {
  const app = await serveOwn(t, {});
  const deaf = await deafClient(t, app);
  const { conn } = deaf;
  assert.equal(conn.transport.socket.bufferedAmount, 0);
  for (let i = 0; i < 100; i++) {
    deaf.emit("b", Buffer.alloc(100_000));
  }
  await until(() => conn.transport.socket.bufferedAmount > 1_000_000, "bytes wait");
  assert.ok(conn.writeBuffer.length > 0, "packets wait");
});

test("events over the rate limit are dropped before JavaScript sees them", async (t) => {
  const app = await serveOwn(t, { rateLimit: { events: 5, per: 86_400_000 } });
  const { client, socket } = await app.connect();
  const before = metrics().dropped.rateLimit;
  const seen = [];
  socket.onAny((...args) => seen.push(args));
  for (let i = 0; i < 8; i++) {
    client.emit(i % 2 ? "binary" : "text", i % 2 ? Buffer.from([i]) : i);
  }
  await until(
    () => seen.length === 5 && metrics().dropped.rateLimit === before + 3,
    "five events came and three were dropped",
  );
  assert.deepEqual(
    seen.map(([name, value]) => [name, Number(value[0] ?? value)]),
    [
      ["text", 0],
      ["binary", 1],
      ["text", 2],
      ["binary", 3],
      ["text", 4],
    ],
  );
  // Neither answers to the server nor leaving is limited.
  client.on("ask", (answer) => answer("yes"));
  assert.equal(await socket.timeout(10_000).emitWithAck("ask"), "yes");
  const left = next(socket, "disconnect");
  client.disconnect();
  assert.equal((await left)[0], "client namespace disconnect");
});

test("bytes are limited, too, and action 'disconnect' ends the connection", async (t) => {
  const limit = { bytes: 1000, per: 86_400_000, action: "disconnect" };
  const app = await serveOwn(t, { rateLimit: limit });
  const { client, socket } = await app.connect();
  const heard = next(socket, "small");
  client.emit("small", "x".repeat(500));
  await heard;
  socket.on("large", () => assert.fail("over the limit"));
  const gone = next(socket, "disconnect");
  client.emit("large", Buffer.alloc(2000));
  const [reason, details] = await gone;
  assert.equal(reason, "limit exceeded");
  assert.match(details.message ?? String(details), /rate limit exceeded/);
});

for (const isRaw of [false, true]) {
  const how = isRaw ? "undecoded" : "decoded";
  test(`bytes of acknowledgements are not limited, ${how}`, async (t) => {
    const app = await serveOwn(t, { rateLimit: { events: 2, bytes: 1000, per: 86_400_000 } });
    const { client, socket } = await app.connect();
    if (isRaw) {
      socket.conn.on("packet", () => {});
    }
    client.on("question", (answer) => answer(Buffer.alloc(400), Buffer.alloc(400)));
    for (let i = 0; i < 5; i++) {
      const answer = new Promise((resolve) => {
        socket.timeout(10_000).emit("question", (error, ...parts) => resolve(error ?? parts));
      });
      assert.deepEqual(
        (await answer).map?.(({ length }) => length),
        [400, 400],
      );
    }
  });
}

test("an event with long arguments and attachments is dropped whole, or not at all", async (t) => {
  const app = await serveOwn(t, {
    rateLimit: { events: 1, per: 86_400_000 },
    maxHttpBufferSize: 1e7,
  });
  const { client, socket } = await app.connect();
  // Too long to be decoded by the core.
  const long = "x".repeat(2_000_000);
  const heard = next(socket, "long");
  client.emit("long", long, Buffer.from([1]), Buffer.from([2]));
  const [text, one, two] = await heard;
  assert.deepEqual([text.length, one[0], two[0]], [long.length, 1, 2]);
  client.on("question", (answer) => answer("still here"));
  assert.equal(await socket.timeout(10_000).emitWithAck("question"), "still here");
});

test("a client for which much waits may say something", async (t) => {
  const app = await serveOwn(t, { maxBackpressure: 1_000_000 });
  const connected = next(app.io, "connection");
  const { open } = await openPolling(app.url);
  const session = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  await request(session, { method: "POST", body: "40" });
  const [socket] = await connected;
  await request(session);
  // Their bytes are far below the limit.
  const count = 16_000;
  for (let i = 0; i < count; i++) {
    socket.emit("t", 1);
  }
  const heard = next(socket, "hello");
  await request(session, { method: "POST", body: '42["hello"]' });
  await heard;
  assert.equal((await request(session)).text.split("\x1e").length, count);
});

for (const acceptor of ["native", "auto", "node"]) {
  test(`answers that a polling client does not read are limited, acceptor ${acceptor}`, async (t) => {
    const app = await serveOwn(t, { maxBackpressure: 1_000_000, acceptor });
    const connected = next(app.io, "connection");
    const { open } = await openPolling(app.url);
    const path = `/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
    await request(app.url + path, { method: "POST", body: "40" });
    const [socket] = await connected;
    await request(app.url + path);
    const left = next(socket, "disconnect");
    // More than the kernel takes.
    const large = "x".repeat(32_000_000);
    for (let i = 0; i < 3; i++) {
      socket.emit("large", large);
      const get = net.connect(app.port, "127.0.0.1");
      atEnd(t, () => get.destroy());
      get.on("error", () => {});
      get.pause();
      get.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      await until(() => socket.conn.writeBuffer.length === 0, "the GET has got it");
    }
    assert.equal((await left)[0], "limit exceeded");
  });
}

test("one message may be larger than maxBackpressure while writes are watched", async (t) => {
  const app = await serveOwn(t, { maxBackpressure: 1_000 });
  const opened = next(app.io.engine, "connection");
  const { open } = await openPolling(app.url);
  const [conn] = await opened;
  conn.on("drain", () => {});
  const large = "x".repeat(5_000);
  conn.send(large);
  conn.send("small");
  const session = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const got = [];
  while (got.length < 2) {
    got.push(...(await request(session)).text.split("\x1e"));
  }
  assert.ok(got[0] === `4${large}` && got[1] === "4small", "both have come");
  assert.equal(conn.readyState, "open");
});

for (const watch of ["connection", "engine"]) {
  test(`maxBackpressure holds while a listener of the ${watch} watches writes`, async (t) => {
    const app = await serveOwn(t, { maxBackpressure: 1_000_000 });
    const deaf = await deafClient(t, app);
    (watch === "engine" ? app.io.engine : deaf.conn).on("drain", () => {});
    const before = metrics().dropped.backpressure;
    const gone = next(deaf, "disconnect");
    const payload = Buffer.alloc(100_000);
    for (let sent = 0; deaf.connected && sent < 500; sent++) {
      deaf.emit("b", payload);
      await new Promise(setImmediate);
    }
    assert.equal((await gone)[0], "limit exceeded");
    assert.equal(metrics().dropped.backpressure, before + 1);
  });
}

test("an event that is watched undecoded is dropped whole, or not at all", async (t) => {
  const app = await serveOwn(t, { rateLimit: { events: 2, per: 86_400_000 } });
  const { client, socket } = await app.connect();
  // From here on JavaScript decodes.
  socket.conn.on("packet", () => {});
  client.on("ready", (answer) => answer());
  await socket.timeout(10_000).emitWithAck("ready");
  const before = metrics().dropped.rateLimit;
  const heard = collect(socket, "data", 2);
  for (let i = 0; i < 3; i++) {
    client.emit("data", Buffer.from([i]), Buffer.from([i + 10]));
  }
  const events = await heard;
  assert.deepEqual(
    events.map(([a, b]) => [a[0], b[0]]),
    [
      [0, 10],
      [1, 11],
    ],
  );
  await until(() => metrics().dropped.rateLimit === before + 1, "one event was dropped");
  await socket.timeout(10_000).emitWithAck("ready");
});

test("limits are read at use: a change applies to connections that are open", async (t) => {
  const app = await serveOwn(t, {});
  const { client, socket } = await app.connect();
  app.io.engine.opts.rateLimit = { events: 0, per: 86_400_000 };
  const before = metrics().dropped.rateLimit;
  socket.on("a", () => assert.fail("over the limit"));
  client.emit("a");
  await until(() => metrics().dropped.rateLimit === before + 1, "the event was dropped");
  app.io.engine.opts.rateLimit = false;
  const heard = next(socket, "b");
  client.emit("b");
  await heard;
});

test("a socket that joins more than maxRooms is closed, and others are not", async (t) => {
  const app = await serveOwn(t, { maxRooms: 3 });
  const { socket: other } = await app.connect();
  const { client, socket } = await app.connect();
  const left = next(client, "disconnect");
  socket.join(["a", "b"]);
  socket.leave("a");
  socket.join("c");
  assert.deepEqual([...socket.rooms], [socket.id, "b", "c"]);
  const gone = next(socket, "disconnect");
  socket.join("d");
  const [reason, error] = await gone;
  assert.equal(reason, "limit exceeded");
  assert.equal(error.message, "too many rooms");
  await left;
  other.join(["a", "b"]);
  assert.deepEqual([...app.io.of("/").adapter.rooms.keys()], [other.id, "a", "b"]);
});

test("further namespaces than maxNamespaces are refused, those that are left make room", async (t) => {
  const app = await serveOwn(t, { maxNamespaces: 2 });
  app.io.of(/^\/n\d$/);
  app.io.of("/closed").use((_socket, done) => done(new Error("members only")));
  const { client } = await app.connect();
  const join = (name) => client.io.socket(name);
  const refused = join("/closed");
  assert.equal((await next(refused, "connect_error"))[0].message, "members only");
  const first = join("/n1");
  await next(first, "connect");
  const second = join("/n2");
  assert.equal((await next(second, "connect_error"))[0].message, "Too many namespaces");
  const [inFirst] = app.io.of("/n1").sockets.values();
  const left = next(inFirst, "disconnect");
  first.disconnect();
  await left;
  await next(second.connect(), "connect");
  assert.ok(client.connected);
});

test("a namespace that is left makes room for one that is joined in the same payload", async (t) => {
  const app = await serveOwn(t, { maxNamespaces: 1 });
  app.io.of("/other");
  const url = `http://127.0.0.1:${app.io.httpServer.address().port}`;
  const { open } = await openPolling(url);
  const session = `${url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  await request(session, { method: "POST", body: "40" });
  assert.match((await request(session)).text, /^40{"sid"/);
  await request(session, { method: "POST", body: "41\x1e40/other," });
  assert.match((await request(session)).text, /^40\/other,{"sid"/);
});

test("handshakes that wait for the application are counted, and one too many is told so", async (t) => {
  const waiting = [];
  const app = await serveOwn(t, {
    maxHandshakes: 2,
    allowRequest: (_req, answer) => waiting.push(answer),
  });
  const refusals = collect(app.io.engine, "connection_error", 2);
  const url = `http://127.0.0.1:${app.io.httpServer.address().port}`;
  const polling = openPolling(url);
  const gone = http.get(`${url}/socket.io/?EIO=4&transport=polling`, { agent: false });
  gone.on("error", () => {});
  await until(() => waiting.length === 2, "two handshakes wait");
  const { response } = await openPolling(url);
  assert.equal(response.status, 503);
  assert.equal(response.headers["retry-after"], "1");
  const upgrade = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13" };
  const refused = await request(`${url}/socket.io/?EIO=4&transport=websocket`, {
    headers: { ...upgrade, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" },
  });
  assert.equal(refused.status, 503);
  for (const [{ context }] of await refusals) {
    assert.equal(context.name, "TOO_MANY_HANDSHAKES");
  }
  // A client that has left makes room, and so does one that is in.
  gone.destroy();
  waiting[0](null, true);
  assert.equal((await polling).response.status, 200);
  const { client } = await settled(app, waiting);
  assert.ok(client.connected);
});

test("the native listener refuses handshakes that a busy thread has not heard of", async (t) => {
  if (process.platform !== "linux") {
    return;
  }
  const app = await serveOwn(t, { acceptor: "native", maxHandshakes: 2 });
  const wires = await Promise.all(Array.from({ length: 6 }, () => Wire.open(app.port)));
  for (const wire of wires) {
    t.after(() => wire.destroy());
  }
  const opened = collect(app.io.engine, "connection", 2);
  const path = "/socket.io/?EIO=4&transport=websocket";
  for (const wire of wires) {
    wire.write(requestBytes({ path, headers: upgradeHeaders() }));
  }
  // The listener has all of them before this thread hears of the first.
  const end = Date.now() + 500;
  while (Date.now() < end);
  const answers = await Promise.all(wires.map((wire) => readResponse(wire)));
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [101, 101, 503, 503, 503, 503]);
  for (const { headers } of answers.filter(({ status }) => status === 503)) {
    assert.equal(headers["retry-after"], "1");
  }
  await opened;
  const { client } = await app.connect();
  assert.ok(client.connected);
});

test("the native listener leaves connections to the kernel that a busy thread has not taken", async (t) => {
  if (process.platform !== "linux") {
    return;
  }
  const app = await serveOwn(t, { acceptor: "native", maxHandshakes: 2 });
  const opened = () => fs.readdirSync("/proc/self/fd").length;
  const before = opened();
  // This thread waits until the other process has ended. What it asked for is Node's to answer.
  const flood = `
    const net = require("node:net");
    const request = "GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n";
    let count = 0;
    (function connect() {
      const wire = net.connect(${app.port}, "127.0.0.1", () => {
        wire.write(request, () => {
          // Then the listener has some time to accept what it likes.
          return ++count < 300 ? setImmediate(connect) : setTimeout(() => process.exit(), 300);
        });
      });
    })();
    setTimeout(() => process.exit(1), 20_000);
  `;
  execFileSync(process.execPath, ["-e", flood]);
  // Some are accepted before the first of them has said what it wants.
  const held = opened() - before;
  assert.ok(held < 150, `${held} connections were accepted`);
  const { client } = await app.connect();
  assert.ok(client.connected);
});

test("POSTs are answered no faster than a busy thread takes what they bring", async (t) => {
  const app = await serveOwn(t, { acceptor: "native" });
  if (process.platform !== "linux") {
    return;
  }
  // This thread waits until the other process has ended, which posts until an answer does not come.
  const posts = `
    const url = "http://127.0.0.1:${app.port}/socket.io/?EIO=4&transport=polling";
    const body = '42["x","' + "x".repeat(100_000) + '"]';
    let count = 0;
    (async () => {
      const sid = JSON.parse((await (await fetch(url)).text()).slice(1)).sid;
      for (;;) {
        const signal = AbortSignal.timeout(2_000);
        await fetch(url + "&sid=" + sid, { method: "POST", body, signal });
        count++;
      }
    })().catch((err) => {
      process.stdout.write(String(count), () => process.exit(err.name === "TimeoutError" ? 0 : 1));
    });
    setTimeout(() => process.exit(1), 20_000);
  `;
  const count = Number(execFileSync(process.execPath, ["-e", posts]));
  assert.ok(count >= 1 && count < 5, `${count} were answered`);
  const { client } = await app.connect();
  assert.ok(client.connected);
});

/** A client that gets in once there is room. */
async function settled(app, waiting) {
  const answers = waiting.push.bind(waiting);
  waiting.push = (answer) => (answer(null, true), answers(answer));
  const client = app.open();
  await next(client, "connect");
  return { client };
}

test("a payload of too many packets ends the session, one of very many does not", async (t) => {
  const app = await serveOwn(t, {});
  const url = `http://127.0.0.1:${app.io.httpServer.address().port}`;
  const connected = next(app.io, "connection");
  const { open } = await openPolling(url);
  const session = `${url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const post = (body) => request(session, { method: "POST", body });
  await post("40");
  const [socket] = await connected;
  let heard = 0;
  socket.on("a", () => heard++);
  const packets = (count) => Array(count).fill('42["a"]').join("\x1e");
  await post(packets(65_536));
  await until(() => heard === 65_536, "all of them came");
  const gone = next(socket, "disconnect");
  await post(packets(65_537));
  const [reason, error] = await gone;
  assert.equal(reason, "limit exceeded");
  assert.match(error.message ?? String(error), /too many packets/);
});

test("a request head that is too large is refused", async (t) => {
  const app = await serveOwn(t, {});
  const url = `http://127.0.0.1:${app.io.httpServer.address().port}`;
  const { response } = await openPolling(url, { headers: { "X-Much": "x".repeat(20_000) } });
  assert.equal(response.status, 431);
  assert.equal((await openPolling(url)).response.status, 200);
});

for (const [options, message] of [
  [{ maxBackpressure: -1 }, /"maxBackpressure" must be a number from 0 on.*not -1/],
  [{ maxBackpressure: "1MB" }, /"maxBackpressure".*not "1MB"/],
  [{ maxHandshakes: 0 }, /"maxHandshakes" must be a number from 1 on.*not 0/],
  [{ maxNamespaces: "many" }, /"maxNamespaces" must be a number.*not "many"/],
  [{ maxRooms: NaN }, /"maxRooms" must be a number.*not NaN/],
  [{ rateLimit: 5 }, /"rateLimit" must be an object.*not 5/],
  [{ rateLimit: { events: -1 } }, /"rateLimit.events" must be a number/],
  [{ rateLimit: { bytes: "1" } }, /"rateLimit.bytes" must be a number/],
  [{ rateLimit: { per: 0 } }, /"rateLimit.per" must be milliseconds/],
  [
    { rateLimit: { action: "ban" } },
    /"rateLimit.action" must be "drop" or "disconnect", not "ban"/,
  ],
]) {
  test(`${JSON.stringify(options)} is refused by name`, () => {
    const server = http.createServer();
    assert.throws(() => new Server(server, options), { name: "RangeError", message });
  });
}
