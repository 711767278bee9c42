"use strict";

// Options of the server, each set to another value than its default.

const assert = require("node:assert/strict");
const http = require("node:http");
const net = require("node:net");
const zlib = require("node:zlib");
const { Decoder, Encoder } = require("socket.io-parser");
const { isReference, target } = require("../support/target");
const { TRANSPORTS, test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { deferred, next, settle, until } = require("../support/events");
const { openPolling, openWebSocket, request } = require("../support/request");

const webSocketUrl = (app) => `${app.url}/socket.io/?EIO=4&transport=websocket`;

for (const [title, packet, expected] of [
  ["text", "é, hello", "4é, hello"],
  ["binary", Buffer.from([1, 2, 255]), "bAQL/"],
]) {
  test(`initialPacket: ${title} follows the open packet over polling`, async (t) => {
    const app = await serve(t, { options: { initialPacket: packet } });
    const { text } = await request(`${app.url}/socket.io/?EIO=4&transport=polling`);
    assert.deepEqual(text.split("\x1e").slice(1), [expected]);
  });

  test(`initialPacket: ${title} is the second frame over WebSocket`, async (t) => {
    const app = await serve(t, { options: { initialPacket: packet } });
    const { messages } = await openWebSocket(t, webSocketUrl(app));
    await until(() => messages.length === 2);
    const seen = typeof packet === "string" ? messages[1].slice(1) : messages[1];
    assert.deepEqual(seen, packet);
  });
}

for (const [title, cookie, pattern] of [
  ["true", true, /^io=(.+); Path=\/; HttpOnly; SameSite=Lax$/],
  ["an empty object", {}, /^io=(.+); Path=\/; HttpOnly; SameSite=Lax$/],
  ["a name", { name: "sid" }, /^sid=(.+); Path=\/; HttpOnly; SameSite=Lax$/],
  [
    "attributes",
    { httpOnly: false, sameSite: "strict", path: "/a", secure: true, maxAge: 60 },
    /^io=(.+); Max-Age=60; Path=\/a; Secure; SameSite=Strict$/,
  ],
  ["no path and no sameSite", { path: undefined, sameSite: false }, /^io=(.+); HttpOnly$/],
]) {
  test(`cookie: ${title}`, async (t) => {
    const app = await serve(t, { options: { cookie } });
    const { open, response } = await openPolling(app.url);
    const [line, ...more] = response.headers["set-cookie"];
    assert.deepEqual(more, []);
    assert.equal(pattern.exec(line)?.[1], encodeURIComponent(open.sid), line);
    const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
    const posted = await request(url, { method: "POST", body: "40" });
    assert.equal(posted.headers["set-cookie"], undefined);
    assert.equal((await openWebSocket(t, webSocketUrl(app))).headers["set-cookie"], undefined);
  });
}

test("addTrailingSlash: false matches any URL with the prefix", async (t) => {
  const app = await serve(t, { options: { addTrailingSlash: false } });
  for (const path of ["/socket.io", "/socket.io/", "/socket.ioFOO", "/socket.io/deep/er"]) {
    assert.equal((await openPolling(app.url, { path })).response.status, 200, path);
  }
});

const upgradeOf = (path) =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;

/** Asks for an upgrade that nobody serves. Resolves when the server ends the connection. */
async function unmatchedUpgrade(t, app) {
  const socket = net.connect(app.port, "127.0.0.1");
  atEnd(t, () => socket.destroy());
  await next(socket, "connect");
  socket.write(upgradeOf("/other"));
  return socket;
}

test("destroyUpgradeTimeout ends upgrades that nobody takes", async (t) => {
  const app = await serve(t, { options: { destroyUpgradeTimeout: 20 } });
  const socket = await unmatchedUpgrade(t, app);
  socket.resume();
  await next(socket, "end");
});

test("destroyUpgradeTimeout: 0 is the default of a second", async (t) => {
  const app = await serve(t, { options: { destroyUpgradeTimeout: 0 } });
  const timers = t.mock.method(globalThis, "setTimeout");
  const socket = await unmatchedUpgrade(t, app);
  await until(() => timers.mock.calls.some(({ arguments: [, delay] }) => delay === 1000));
  socket.destroy();
});

test("destroyUpgrade leaves an upgrade alone that another listener answers", async (t) => {
  const app = await serve(t, { options: { destroyUpgradeTimeout: 20 } });
  const answered = deferred();
  app.httpServer.on("upgrade", (req, socket) => {
    if (req.url === "/other") {
      socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\nhello");
      answered.resolve(socket);
    }
  });
  const socket = await unmatchedUpgrade(t, app);
  const theirs = await answered.promise;
  // A second upgrade that nobody answers is ended: by then the first one would have been, too.
  const third = net.connect(app.port, "127.0.0.1");
  await next(third, "connect");
  third.write(upgradeOf("/third"));
  third.resume();
  await next(third, "end");
  assert.equal(theirs.writable, true);
  const received = next(socket, "data");
  theirs.write("still here");
  assert.match(String((await received)[0]), /hello|still here/);
  theirs.destroy();
});

test("destroyUpgrade: false leaves all upgrades to others", async (t) => {
  const options = { destroyUpgrade: false, destroyUpgradeTimeout: 1 };
  const app = await serve(t, { options });
  const seen = next(app.httpServer, "upgrade");
  const socket = await unmatchedUpgrade(t, app);
  const [, theirs] = await seen;
  // A server beside it with the default ends its own first, so the time has passed.
  const beside = await serve(t, { options: { destroyUpgradeTimeout: 30 } });
  const ended = await unmatchedUpgrade(t, beside);
  ended.resume();
  await next(ended, "end");
  assert.equal(theirs.writable, true);
  const received = next(socket, "data");
  theirs.write("hello");
  assert.equal(String((await received)[0]), "hello");
  theirs.destroy();
});

for (const transports of [["polling"], ["websocket"], ["websocket", "polling"]]) {
  test(`transports: ${JSON.stringify(transports)}`, async (t) => {
    const app = await serve(t, { options: { transports } });
    const { response, open } = await openPolling(app.url);
    if (transports.includes("polling")) {
      assert.deepEqual(open.upgrades, transports.includes("websocket") ? ["websocket"] : []);
    } else {
      assert.deepEqual(JSON.parse(response.text), { code: 0, message: "Transport unknown" });
    }
    assert.equal(app.httpServer.listenerCount("upgrade"), transports.includes("websocket") ? 1 : 0);
    const { client, socket } = await app.connect("/", { transports: [transports[0]] });
    await settle(client, socket);
  });
}

test("allowUpgrades: false still serves an upgrade that a client tries", async (t) => {
  const app = await serve(t, { options: { allowUpgrades: false } });
  const { open } = await openPolling(app.url);
  assert.deepEqual(open.upgrades, []);
  const answer = await openWebSocket(t, `${webSocketUrl(app)}&sid=${open.sid}`);
  answer.webSocket.send("2probe");
  await until(() => answer.messages.length === 1);
  assert.deepEqual(answer.messages, ["3probe"]);
});

for (const [title, httpCompression, length, encoding] of [
  ["false", false, 5000, undefined],
  ["the default, above the threshold", undefined, 5000, "gzip"],
  ["the default, below the threshold", undefined, 50, undefined],
  ["true compresses all", true, 50, "gzip"],
  ["an object with a threshold, above it", { threshold: 40 }, 50, "gzip"],
  ["an object with a threshold, below it", { threshold: 4000 }, 50, undefined],
  ["an object with options of zlib", { threshold: 0, level: 0 }, 50, "gzip"],
]) {
  test(`httpCompression: ${title}`, async (t) => {
    const options = httpCompression === undefined ? {} : { httpCompression };
    const app = await serve(t, { options });
    const connection = next(app.io.engine, "connection");
    const { open } = await openPolling(app.url);
    const [conn] = await connection;
    const data = "x".repeat(length);
    conn.send(data);
    const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
    const answer = await request(url, { headers: { "accept-encoding": "gzip" } });
    assert.equal(answer.headers["content-encoding"], encoding);
    const body = encoding === undefined ? answer.body : zlib.gunzipSync(answer.body);
    assert.equal(String(body), `4${data}`);
    if (httpCompression?.level === 0) {
      assert.ok(answer.body.length > length, "stored, not compressed");
    }
    conn.close(true);
  });
}

/** A parser that brings dates back as dates. */
class ReviverDecoder extends Decoder {
  constructor() {
    super((key, value) => {
      return typeof value === "string" && /^\d{4}-.*Z$/.test(value) ? new Date(value) : value;
    });
  }
}

eachTransport("parser: a decoder with a reviver", async (t, transport) => {
  const parser = { Encoder, Decoder: ReviverDecoder };
  const app = await serve(t, { transport, options: { parser } });
  const { client, socket } = await app.connect("/", { parser });
  const date = new Date(1_700_000_000_000);
  const received = next(socket, "date");
  client.emit("date", { at: date }, Buffer.from([1]));
  assert.deepEqual(await received, [{ at: date }, Buffer.from([1])]);
  const back = next(client, "date");
  app.io.emit("date", [date]);
  assert.deepEqual(await back, [[date]]);
});

eachTransport("parser: an encoder with a replacer", async (t, transport) => {
  class Replacing extends Encoder {
    constructor() {
      super((key, value) => (typeof value === "bigint" ? `${value}n` : value));
    }
  }
  const parser = { Encoder: Replacing, Decoder };
  const app = await serve(t, { transport, options: { parser } });
  const { client, socket } = await app.connect();
  for (const send of [socket, app.io]) {
    const received = next(client, "big");
    send.emit("big", 12n);
    assert.deepEqual(await received, ["12n"]);
  }
});

/** A parser that puts each packet into one Buffer, attachments as base64. */
class OneBufferEncoder {
  encode(packet) {
    const pack = (key, value) =>
      value?.type === "Buffer" ? { $bytes: Buffer.from(value.data).toString("base64") } : value;
    return [Buffer.from(JSON.stringify(packet, pack))];
  }
}

class OneBufferDecoder extends require("@socket.io/component-emitter").Emitter {
  add(data) {
    const unpack = (key, value) => (value?.$bytes ? Buffer.from(value.$bytes, "base64") : value);
    this.emit("decoded", JSON.parse(String(Buffer.from(data)), unpack));
  }

  destroy() {}
}

eachTransport("parser: one that writes nothing but binary", async (t, transport) => {
  const parser = { Encoder: OneBufferEncoder, Decoder: OneBufferDecoder };
  const app = await serve(t, { transport, options: { parser } });
  const { client, socket } = await app.connect("/", { parser });
  socket.join("room");
  socket.on("question", (value, answer) => answer(value));
  const value = { bytes: Buffer.from([1, 2, 255]), text: "é" };
  assert.deepEqual(await client.emitWithAck("question", value), value);
  const received = next(client, "event");
  app.io.to("room").emit("event", value, 1);
  assert.deepEqual(await received, [value, 1]);
  await assert.rejects(app.share(client, "/unknown"), { message: "Invalid namespace" });
});

test("a new Encoder per server and a new Decoder per connection", async (t) => {
  const made = { encoders: 0, decoders: 0 };
  const parser = {
    Encoder: class extends Encoder {
      constructor() {
        super();
        made.encoders++;
      }
    },
    Decoder: class extends Decoder {
      constructor() {
        super();
        made.decoders++;
      }
    },
  };
  const app = await serve(t, { options: { parser } });
  const { client, socket } = await app.connect();
  const other = await app.connect();
  await settle(client, socket);
  await settle(other.client, other.socket);
  assert.deepEqual(made, { encoders: 1, decoders: 2 });
  assert.ok(app.io.encoder instanceof parser.Encoder);
});

test("connectTimeout: 0 means the default", () => {
  assert.equal(new target.Server({ connectTimeout: 0 }).connectTimeout(), 45000);
  assert.equal(new target.Server({ connectTimeout: 7 }).connectTimeout(), 7);
  assert.equal(new target.Server().connectTimeout(7).connectTimeout(), 7);
});

test("connectTimeout closes a client that joins no namespace", async (t) => {
  const app = await serve(t, { options: { connectTimeout: 20 } });
  const connection = next(app.io.engine, "connection");
  await openWebSocket(t, webSocketUrl(app));
  const [conn] = await connection;
  assert.deepEqual((await next(conn, "close"))[0], "forced close");
});

const asked = { origin: "https://app.example" };
const other = { origin: "https://other.example" };

for (const [title, cors] of Object.entries({
  "an object with a string": { origin: "https://app.example", credentials: true },
  "an object with a regular expression": { origin: /^https:\/\/app\./, credentials: true },
  "an object with a list": { origin: ["https://a.example", /app\.example$/], credentials: true },
  "an object with a function": {
    origin: (origin, done) => done(null, origin === "https://app.example" ? origin : false),
    credentials: true,
  },
  "an object with an asynchronous function": {
    origin: (origin, done) =>
      setImmediate(() => done(null, origin === "https://app.example" && origin)),
    credentials: true,
  },
  "a function of the request": (req, done) =>
    done(null, { origin: req.headers.origin === "https://app.example", credentials: true }),
  "an asynchronous function of the request": (req, done) =>
    setImmediate(() =>
      done(null, { origin: req.headers.origin === "https://app.example", credentials: true }),
    ),
})) {
  test(`cors: ${title}`, async (t) => {
    const app = await serve(t, { options: { cors } });
    const { response } = await openPolling(app.url, { headers: asked });
    assert.equal(response.headers["access-control-allow-origin"], "https://app.example");
    assert.equal(response.headers["access-control-allow-credentials"], "true");
    const refused = (await openPolling(app.url, { headers: other })).response;
    assert.notEqual(refused.headers["access-control-allow-origin"], "https://other.example");
    const upgraded = await openWebSocket(t, webSocketUrl(app), { headers: asked });
    assert.equal(upgraded.headers["access-control-allow-origin"], "https://app.example");
    const preflight = await request(`${app.url}/socket.io/?EIO=4&transport=polling`, {
      method: "OPTIONS",
      headers: { ...asked, "access-control-request-method": "POST" },
    });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers["access-control-allow-origin"], "https://app.example");
    const file = await request(`${app.url}/socket.io/socket.io.js`, { headers: asked });
    assert.equal(file.headers["access-control-allow-origin"], "https://app.example");
  });
}

test("maxHttpBufferSize: Infinity has no limit and says null", async (t) => {
  const app = await serve(t, { options: { maxHttpBufferSize: Infinity } });
  const { open } = await openPolling(app.url);
  assert.equal(open.maxPayload, null);
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  const received = next(socket, "large");
  client.emit("large", "x".repeat(2_000_000));
  assert.equal((await received)[0].length, 2_000_000);
});

test("upgradeTimeout closes a WebSocket that does not complete its upgrade", async (t) => {
  const app = await serve(t, { options: { upgradeTimeout: 20 } });
  const { open } = await openPolling(app.url);
  const { webSocket } = await openWebSocket(t, `${webSocketUrl(app)}&sid=${open.sid}`);
  await next(webSocket, "close");
  const conn = app.io.engine.clients[open.sid];
  assert.deepEqual([conn.readyState, conn.transport.name], ["open", "polling"]);
});

test("allowRequest that answers twice opens one connection", async (t) => {
  const allowRequest = (req, done) => {
    done(null, true);
    try {
      done(null, true);
    } catch {
      // As the reference says: one socket cannot be taken twice.
    }
  };
  const app = await serve(t, { transport: TRANSPORTS.websocket, options: { allowRequest } });
  const { client, socket } = await app.connect();
  await settle(client, socket);
  assert.equal(app.io.engine.clientsCount, 1);
  assert.equal(app.io.sockets.sockets.size, 1);
});

test("allowRequest may be asynchronous and sees headers and query", async (t) => {
  const allowRequest = (req, done) =>
    setImmediate(() => done(null, req._query.token === "ok" && req.headers["x-key"] === "1"));
  const app = await serve(t, { options: { allowRequest } });
  const headers = { "x-key": "1" };
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&token=ok`;
  assert.equal((await request(url, { headers })).status, 200);
  const refused = await request(url);
  assert.equal(refused.status, 403);
  assert.deepEqual(JSON.parse(refused.text), { code: 4, message: "Forbidden" });
  const upgrade = await openWebSocket(t, webSocketUrl(app), { headers });
  assert.deepEqual([upgrade.accepted, upgrade.status, upgrade.body], [false, 400, "Forbidden"]);
});

test("a refusal of allowRequest without words has those of its code", async (t) => {
  for (const words of ["", false, 0, null]) {
    const app = await serve(t, { options: { allowRequest: (req, done) => done(words, false) } });
    const { status, text } = await request(`${app.url}/socket.io/?EIO=4&transport=polling`);
    assert.equal(status, 403);
    assert.deepEqual(JSON.parse(text), { code: 4, message: "Forbidden" });
  }
});

test("io.opts is the object of the application, and attach fills in the path", () => {
  const options = { connectionStateRecovery: {}, cleanupEmptyChildNamespaces: 1, unknown: "x" };
  const httpServer = http.createServer();
  const io = new target.Server(options);
  assert.equal(io.opts, options);
  assert.equal(io._opts, options);
  assert.deepEqual(options.connectionStateRecovery, {
    maxDisconnectionDuration: 120000,
    skipMiddlewares: true,
  });
  assert.equal(options.cleanupEmptyChildNamespaces, true);
  const passed = { pingInterval: 5 };
  io.attach(httpServer, passed);
  assert.equal(passed.path, "/socket.io");
  assert.equal(passed.unknown, "x");
  assert.equal(io.engine.opts.pingInterval, 5);
  io.engine.close();
});

test("a limit that is changed is announced, and holds for later sessions", async (t) => {
  const app = await serve(t);
  app.io.engine.opts.maxHttpBufferSize = 10_000;
  const { webSocket, messages } = await openWebSocket(t, webSocketUrl(app));
  await until(() => messages.length === 1);
  assert.equal(JSON.parse(messages[0].slice(1)).maxPayload, 10_000);
  const closed = next(webSocket, "close");
  webSocket.send(`4${"x".repeat(20_000)}`);
  // The reference made its WebSocket server before: there the message is taken, and makes no packet.
  assert.equal((await closed)[0], isReference ? 1005 : 1009);
});

test("upgradeTimeout is read when an upgrade begins", async (t) => {
  const app = await serve(t);
  const { open } = await openPolling(app.url);
  app.io.engine.opts.upgradeTimeout = 20;
  const { webSocket } = await openWebSocket(t, `${webSocketUrl(app)}&sid=${open.sid}`);
  await next(webSocket, "close");
});

test("connectionStateRecovery: true is completed like an object", () => {
  const { opts } = new target.Server({ connectionStateRecovery: true });
  assert.deepEqual(opts.connectionStateRecovery, {
    maxDisconnectionDuration: 120_000,
    skipMiddlewares: true,
  });
});

test("an engine of others can be made with the options of the server's", async (t) => {
  const app = await serve(t);
  const other = new (require("engine.io").Server)(app.io.engine.opts);
  atEnd(t, () => other.close());
  assert.equal(app.io.engine.opts.wsEngine.name, "WebSocketServer");
  app.io.bind(other);
  other.attach(app.httpServer, { path: "/other" });
  const { client } = await app.connect("/", { path: "/other", transports: ["websocket"] });
  assert.ok(other.clients[client.io.engine.id]);
});
