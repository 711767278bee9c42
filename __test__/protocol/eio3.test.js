"use strict";

// Engine.IO revision 3 on the wire, as clients of version 2 speak it: payloads with
// lengths, binary payloads, base64, heartbeats that the client starts.

const assert = require("node:assert/strict");
const test = require("node:test");
const { OPCODE } = require("./wire");
const { isReference } = require("../support/target");
const { event, startServer } = require("./support");

const POLLING = { EIO: 3, transport: "polling" };
const OPTIONS = { allowEIO3: true };

/** Splits a text payload of revision 3. Lengths count UTF-16 units. */
function split(payload) {
  const packets = [];
  for (let at = 0; at < payload.length;) {
    const colon = payload.indexOf(":", at);
    const length = Number(payload.slice(at, colon));
    assert.ok(Number.isInteger(length), payload);
    packets.push(payload.slice(colon + 1, colon + 1 + length));
    at = colon + 1 + length;
  }
  return packets;
}

/** Splits a binary payload of revision 3 into strings and Buffers. */
function splitBinary(payload) {
  const packets = [];
  for (let at = 0; at < payload.length;) {
    const isBinary = payload[at] === 1;
    const end = payload.indexOf(0xff, at);
    const length = Number([...payload.subarray(at + 1, end)].join(""));
    const data = payload.subarray(end + 1, end + 1 + length);
    packets.push(isBinary ? Buffer.from(data) : data.toString());
    at = end + 1 + length;
  }
  return packets;
}

const join = (...packets) => packets.map((packet) => `${packet.length}:${packet}`).join("");

/** A polling session of revision 3, in the main namespace. */
async function open(server, query = {}) {
  const own = { ...POLLING, ...query };
  const response = await server.request({ query: own });
  assert.equal(response.status, 200, response.text);
  const handshake = JSON.parse(split(response.text)[0].slice(1));
  const session = { ...own, sid: handshake.sid };
  const get = () => server.request({ query: session });
  const post = (body, headers = { "Content-Type": "text/plain;charset=UTF-8" }) =>
    server.request({ query: session, method: "POST", headers, body });
  const socket = () => server.sockets.get(handshake.sid).socket;
  return { first: response, get, handshake, post, socket };
}

test("pings whose answers nobody fetches end the connection", async (t) => {
  const server = await startServer(t, {
    ...OPTIONS,
    ...(isReference ? {} : { maxBackpressure: 1e5 }),
  });
  const session = await open(server);
  const closed = event(session.socket().conn, "close");
  for (let n = 0; n < 3; n++) {
    const { status } = await session.post("1:2".repeat(1_000));
    assert.ok(status === 200 || status === 400, `${status}`);
  }
  if (isReference) {
    // The reference keeps them all.
    session.socket().conn.close(true);
  }
  const [reason] = await closed;
  assert.equal(reason, isReference ? "forced close" : "limit exceeded");
});

test("the handshake over polling, and the main namespace right behind it", async (t) => {
  const server = await startServer(t, OPTIONS);
  const session = await open(server);
  const [packet] = split(session.first.text);
  assert.equal(session.first.text, `${packet.length}:${packet}`);
  assert.equal(session.first.headers["content-type"], "text/plain; charset=UTF-8");
  assert.deepEqual(Object.keys(session.handshake), [
    ...["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"],
  ]);
  assert.equal((await session.get()).text, "2:40");
  assert.equal(session.socket().id, session.handshake.sid);
});

test("events and acks with lengths in UTF-16 units", async (t) => {
  const server = await startServer(t, OPTIONS);
  const session = await open(server);
  await session.get();
  const posted = await session.post(join('42["log","é😀"]', '427["echo","😀"]', "2"));
  assert.deepEqual([posted.status, posted.text], [200, "ok"]);
  const answers = split((await session.get()).text);
  for (const next = []; answers.length < 2; next.length = 0) {
    answers.push(...split((await session.get()).text));
  }
  assert.deepEqual(answers.sort(), ["3", '437["😀"]']);
  assert.deepEqual(server.sockets.get(session.handshake.sid).log, [["é😀"]]);
});

test("the ping of the client is answered with a pong", async (t) => {
  const server = await startServer(t, OPTIONS);
  const session = await open(server);
  await session.get();
  await session.post("1:2");
  assert.equal((await session.get()).text, "1:3");
});

test("binary goes down as a binary payload", async (t) => {
  const server = await startServer(t, OPTIONS);
  const session = await open(server);
  await session.get();
  session.socket().emit("b", Buffer.from([1, 2]), "é");
  const response = await session.get();
  assert.equal(response.headers["content-type"], "application/octet-stream");
  const packets = splitBinary(response.body);
  assert.deepEqual(packets, [
    '451-["b",{"_placeholder":true,"num":0},"é"]',
    Buffer.from([4, 1, 2]),
  ]);
});

test("binary goes down as base64 when the client asks for it", async (t) => {
  const server = await startServer(t, OPTIONS);
  const session = await open(server, { b64: 1 });
  await session.get();
  session.socket().emit("b", Buffer.from([1, 2]));
  assert.deepEqual(split((await session.get()).text), [
    '451-["b",{"_placeholder":true,"num":0}]',
    "b4AQI=",
  ]);
});

test("binary comes up in a binary payload", async (t) => {
  const server = await startServer(t, OPTIONS);
  const session = await open(server);
  await session.get();
  const text = Buffer.from('451-["log",{"_placeholder":true,"num":0},"é"]');
  const digits = (n) => Buffer.from([...String(n)].map(Number));
  const body = Buffer.concat([
    ...[Buffer.from([0]), digits(text.length), Buffer.from([0xff]), text],
    ...[Buffer.from([1]), digits(4), Buffer.from([0xff, 4, 7, 8, 9])],
  ]);
  const posted = await session.post(body, { "Content-Type": "application/octet-stream" });
  assert.deepEqual([posted.status, posted.text], [200, "ok"]);
  await session.post('11:421["echo"]');
  assert.equal((await session.get()).text, "5:431[]");
  assert.deepEqual(server.sockets.get(session.handshake.sid).log, [[Buffer.from([7, 8, 9]), "é"]]);
});

test("binary comes up as base64", async (t) => {
  const server = await startServer(t, OPTIONS);
  const session = await open(server, { b64: 1 });
  await session.get();
  await session.post(join('451-["log",{"_placeholder":true,"num":0}]', "b4BwgJ"));
  await session.post('11:421["echo"]');
  assert.equal((await session.get()).text, "5:431[]");
  assert.deepEqual(server.sockets.get(session.handshake.sid).log, [[Buffer.from([7, 8, 9])]]);
});

for (const [title, body] of Object.entries({
  "without a length": "42[]",
  "whose length is too large": "99:42[]",
  "whose length has 400 digits": `${"1".repeat(400)}:4`,
  "with an unknown packet type": "1:9",
})) {
  test(`a payload ${title} closes the session`, async (t) => {
    const server = await startServer(t, OPTIONS);
    const session = await open(server);
    await session.get();
    const { closed } = server.sessions.get(session.handshake.sid);
    await session.post(body);
    const { reason } = await closed;
    assert.match(reason, /^(parse error|transport error)$/);
    assert.equal(server.io.engine.clientsCount, 0);
  });
}

test("a pong of the client is an error", async (t) => {
  const server = await startServer(t, OPTIONS);
  const session = await open(server);
  await session.get();
  const { closed } = server.sessions.get(session.handshake.sid);
  await session.post("1:3");
  const { reason, description } = await closed;
  assert.equal(reason, "transport error");
  assert.equal(description.message, "invalid heartbeat direction");
});

test("a close packet ends the session", async (t) => {
  const server = await startServer(t, OPTIONS);
  const session = await open(server);
  await session.get();
  const { closed } = server.sessions.get(session.handshake.sid);
  await session.post("1:1");
  assert.equal((await closed).reason, "transport close");
});

test("a WebSocket session: frames, binary with its type, heartbeat", async (t) => {
  const server = await startServer(t, OPTIONS);
  const client = await server.websocket({ query: { EIO: 3 } });
  assert.equal(await client.text(), "40");
  client.send("2");
  assert.equal(await client.text(), "3");
  client.send('421["echo","é"]');
  assert.equal(await client.text(), '431["é"]');
  const { socket, log } = server.sockets.get(client.sid);
  socket.emit("b", Buffer.from([1, 2]));
  assert.equal(await client.text(), '451-["b",{"_placeholder":true,"num":0}]');
  assert.deepEqual([...(await client.binary())], [4, 1, 2]);
  client.send('451-["log",{"_placeholder":true,"num":0}]');
  client.sendBinary(Buffer.from([4, 7, 8]));
  client.send('451-["log",{"_placeholder":true,"num":0}]');
  client.send("b4CQo=");
  client.send('422["echo"]');
  assert.equal(await client.text(), "432[]");
  assert.deepEqual(log, [[Buffer.from([7, 8])], [Buffer.from([9, 10])]]);
});

for (const b64 of [1, 0, "no"]) {
  test(`a WebSocket session with b64=${b64} gets base64 in text frames`, async (t) => {
    const server = await startServer(t, OPTIONS);
    const client = await server.websocket({ query: { EIO: 3, b64 } });
    assert.equal(await client.text(), "40");
    const { socket } = server.sockets.get(client.sid);
    socket.emit("b", Buffer.from([1, 2]));
    assert.equal(await client.text(), '451-["b",{"_placeholder":true,"num":0}]');
    assert.equal(await client.text(), "b4AQI=");
    server.io.emit("b", Buffer.from([3]));
    assert.equal(await client.text(), '451-["b",{"_placeholder":true,"num":0}]');
    assert.equal(await client.text(), "b4Aw==");
  });
}

test("an upgrade of revision 3", async (t) => {
  const server = await startServer(t, OPTIONS);
  const session = await open(server);
  await session.get();
  const held = session.get();
  await new Promise((resolve) => {
    const conn = server.sessions.get(session.handshake.sid).conn;
    (function look() {
      if (conn.transport.writable) resolve();
      else setImmediate(look);
    })();
  });
  const client = await server.websocketOf({ query: { EIO: 3, sid: session.handshake.sid } });
  client.send("2probe");
  assert.equal(await client.text(), "3probe");
  assert.equal((await held).text, "1:6");
  client.send("5");
  client.send("2");
  assert.equal(await client.text(), "3");
  session.socket().emit("b", Buffer.from([1]));
  assert.equal(await client.text(), '451-["b",{"_placeholder":true,"num":0}]');
  assert.deepEqual([...(await client.binary())], [4, 1]);
});

test("namespaces of revision 3: connect, query, refusal, disconnect", async (t) => {
  const server = await startServer(t, OPTIONS);
  server.io.of("/closed").use((socket, done) => done(new Error("no entry")));
  const client = await server.websocket({ query: { EIO: 3 } });
  assert.equal(await client.text(), "40");
  client.send("40/admin?token=x&y=1,");
  assert.equal(await client.text(), "40/admin,");
  const socket = server.io.of("/admin").sockets.get(`/admin#${client.sid}`);
  assert.deepEqual({ ...socket.handshake.auth }, { token: "x", y: "1" });
  client.send("40/closed,");
  assert.equal(await client.text(), '44/closed,"no entry"');
  client.send("40/nope,");
  assert.equal(await client.text(), '44/nope,{"message":"Invalid namespace"}');
  const left = event(socket, "disconnect");
  client.send("41/admin,");
  assert.equal((await left)[0], "client namespace disconnect");
});

test("a session of revision 3 without pings times out", async (t) => {
  const server = await startServer(t, { ...OPTIONS, pingInterval: 30, pingTimeout: 20 });
  const client = await server.websocket({ query: { EIO: 3 } });
  assert.equal(await client.text(), "40");
  // In this revision the server never pings: the next frame is the end.
  assert.equal(await client.closeHandshake(), undefined);
  assert.equal((await client.closed()).reason, "ping timeout");
});

test("a request without a protocol revision is of revision 3", async (t) => {
  const server = await startServer(t, OPTIONS);
  const session = await open(server, { EIO: undefined });
  assert.equal(server.sessions.get(session.handshake.sid).conn.protocol, 3);
});

test("a close frame ends the session", async (t) => {
  const server = await startServer(t, OPTIONS);
  const client = await server.websocket({ query: { EIO: 3 } });
  client.sendFrame(OPCODE.close, "");
  assert.equal((await client.closed()).reason, "transport close");
});
