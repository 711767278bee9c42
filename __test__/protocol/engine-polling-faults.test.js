"use strict";

// Engine.IO over HTTP long-polling when the client misbehaves: overlapping, aborted, oversize and
// undecodable requests. In every case the other client of the server must not notice.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { RS, startHostile } = require("./support");

const PLAIN = { "Content-Type": "text/plain;charset=UTF-8" };

// In the reference a session that fails with no GET pending leaves a 30 s timer behind, which
// would keep this process alive: hence the held GET in cases that do not need it.
async function hostile(t, options) {
  const server = await startHostile(t, options);
  const client = await server.polling();
  await client.join();
  return { server, client };
}

/** The session ended with a transport error; `message` is that of the close event's error. */
async function assertTransportError(client, message) {
  const { reason, description } = await client.closed();
  assert.equal(reason, "transport error");
  assert.ok(description instanceof Error);
  assert.equal(description.message, message);
  assert.equal(await client.disconnected(), "transport error");
  await client.gone();
}

test("a second GET ends the session, and the first is told", async (t) => {
  const { server, client } = await hostile(t);
  const first = await client.hold();
  const second = await client.request();
  assert.deepEqual([second.status, second.text], [400, ""]);
  assert.equal(await first.text(), "1");
  await assertTransportError(client, "overlap from client");
  await server.undisturbed();
});

test("a second POST ends the session, and the first is dropped", async (t) => {
  const { server, client } = await hostile(t);
  const poll = await client.hold();
  const headers = { ...PLAIN, "Content-Length": 100 };
  const first = await client.begin({ method: "POST", headers, body: "42" });
  const second = await client.request({ method: "POST", headers: PLAIN, body: '42["log"]' });
  assert.deepEqual([second.status, second.text], [400, ""]);
  assert.equal(await poll.text(), "1");
  await first.wire.gone();
  await assertTransportError(client, "data request overlap from client");
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
});

test("a GET and a POST at once are no overlap", async (t) => {
  const { server, client } = await hostile(t);
  const poll = await client.hold();
  await client.post('421["echo"]');
  assert.equal(await poll.text(), "431[]");
  await server.undisturbed({ clients: 2 });
});

test("an aborted GET ends the session", async (t) => {
  const { server, client } = await hostile(t);
  const poll = await client.hold();
  poll.wire.destroy();
  await assertTransportError(client, "poll connection closed prematurely");
  await server.undisturbed();
});

test("an aborted POST ends the session and its part of a body is dropped", async (t) => {
  const { server, client } = await hostile(t);
  const poll = await client.hold();
  const headers = { ...PLAIN, "Content-Length": 100 };
  const post = await client.begin({ method: "POST", headers, body: '42["log"]' });
  post.wire.destroy();
  assert.equal(await poll.text(), "1");
  await assertTransportError(client, "data request connection closed prematurely");
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
});

test("a body without end, aborted, ends the session", async (t) => {
  const { server, client } = await hostile(t);
  const poll = await client.hold();
  const headers = { ...PLAIN, "Transfer-Encoding": "chunked" };
  const post = await client.begin({ method: "POST", headers });
  post.wire.write('9\r\n42["log"]\r\n');
  post.wire.end();
  assert.equal(await poll.text(), "1");
  await assertTransportError(client, "data request connection closed prematurely");
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
});

test("a binary POST ends the session", async (t) => {
  const { server, client } = await hostile(t);
  const poll = await client.hold();
  const headers = { "Content-Type": "application/octet-stream" };
  const response = await client.request({ method: "POST", headers, body: '42["log"]' });
  assert.deepEqual([response.status, response.text], [400, ""]);
  assert.equal(await poll.text(), "1");
  await assertTransportError(client, "invalid content");
  await server.undisturbed();
});

const LIMIT = { maxHttpBufferSize: 100 };

/** An echo event of exactly `bytes` bytes. */
const eventOf = (bytes) => `427["echo","${"x".repeat(bytes - 14)}"]`;

test("a POST of exactly the limit is accepted", async (t) => {
  const { server, client } = await hostile(t, LIMIT);
  assert.equal(eventOf(100).length, 100);
  await client.post(eventOf(100));
  assert.match(await client.get(), /^437\["x+"\]$/);
  await server.undisturbed({ clients: 2 });
});

test("a POST over the limit is refused and the session goes on", async (t) => {
  const { server, client } = await hostile(t, LIMIT);
  const response = await client.request({ method: "POST", headers: PLAIN, body: eventOf(101) });
  assert.deepEqual([response.status, response.text], [413, ""]);
  await client.echo();
  await server.undisturbed({ clients: 2 });
});

test("the limit counts bytes, not characters", async (t) => {
  const { server, client } = await hostile(t, LIMIT);
  const body = `42["log","${"€".repeat(40)}"]`;
  assert.ok(body.length < 100);
  const response = await client.request({ method: "POST", headers: PLAIN, body });
  assert.equal(response.status, 413);
  await client.echo();
  assert.deepEqual(client.record().log, []);
  await server.undisturbed({ clients: 2 });
});

test("a chunked POST is refused as soon as it passes the limit", async (t) => {
  const { server, client } = await hostile(t, LIMIT);
  const headers = { ...PLAIN, "Transfer-Encoding": "chunked" };
  const post = await client.begin({ method: "POST", headers });
  post.wire.write(`3c\r\n${"x".repeat(60)}\r\n`);
  post.wire.write(`3c\r\n${"x".repeat(60)}\r\n`);
  const response = await post.response();
  assert.deepEqual([response.status, response.text], [413, ""]);
  await client.echo();
  await server.undisturbed({ clients: 2 });
});

test("a POST that declares too much is refused before it is sent whole", async (t) => {
  const { server, client } = await hostile(t, LIMIT);
  const headers = { ...PLAIN, "Content-Length": 1_000_000_000 };
  const body = "x".repeat(101);
  const post = await client.begin({ method: "POST", headers, body });
  const response = await post.response();
  assert.deepEqual([response.status, response.text], [413, ""]);
  await client.echo();
  await server.undisturbed({ clients: 2 });
});

// The reference answers "ok" although the session is closed while the body is read.
for (const [title, body] of [
  ["an empty body", ""],
  ["an unknown packet type", "9"],
  ["a letter", "x"],
  ["an empty packet at the start", `${RS}42["log",1]`],
  ["an empty packet at the end", `42["log",1]${RS}`],
  ["a lone separator", RS],
  ["a bad packet after a good one", `42["log",1]${RS}xyz`],
  ["JSON", '{"hello":1}'],
  ["an upper-case B", "BAQID"],
  ["bytes that are not UTF-8", Buffer.from([0xff, 0xfe])],
  ["a NUL", "\0"],
]) {
  test(`a payload that does not decode ends the session: ${title}`, async (t) => {
    const { server, client } = await hostile(t);
    const poll = await client.hold();
    const response = await client.request({ method: "POST", headers: PLAIN, body });
    assert.deepEqual([response.status, response.text], [200, "ok"]);
    assert.equal(await poll.text(), "1");
    assert.deepEqual(await client.ending(), {
      conn: "parse error",
      socket: "parse error",
      errors: [],
    });
    assert.deepEqual(client.record().log, []);
    await client.gone();
    await server.undisturbed();
  });
}

test("a ping from the client ends the session", async (t) => {
  const { server, client } = await hostile(t);
  const poll = await client.hold();
  await client.post("2");
  assert.equal(await poll.text(), "1");
  await assertTransportError(client, "invalid heartbeat direction");
  await server.undisturbed();
});

for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]) {
  test(`${method} with a good sid is answered 500 and the session goes on`, async (t) => {
    const { server, client } = await hostile(t);
    const response = await client.request({ method });
    assert.deepEqual([response.status, response.text], [500, ""]);
    await client.echo();
    await server.undisturbed({ clients: 2 });
  });
}

test("a request that HTTP forbids harms nobody", async (t) => {
  const { server, client } = await hostile(t);
  const opened = await server.wire();
  opened.write("GET /socket.io/?EIO=4&transport=polling HTTP/9.9\r\nbad header\r\n\r\n");
  assert.match((await opened.rest()).toString(), /^HTTP\/1\.1 400 /);
  await client.echo();
  await server.undisturbed({ clients: 2 });
});

test("a POST that never ends does not hold up the session's GET", async (t) => {
  const { server, client } = await hostile(t);
  const headers = { ...PLAIN, "Content-Length": 100 };
  await client.begin({ method: "POST", headers, body: "42" });
  const poll = await client.hold();
  client.socket().emit("news");
  assert.equal(await poll.text(), '42["news"]');
  await server.undisturbed({ clients: 2 });
});

test("packets in front of one that does not decode are engine messages", async (t) => {
  const { server, client } = await hostile(t);
  const poll = await client.hold();
  const messages = [];
  client.conn.on("message", (message) => messages.push(message));
  await client.post(['42["log",1]', "xyz", '42["log",2]'].join(RS));
  assert.equal(await poll.text(), "1");
  assert.equal((await client.closed()).reason, "parse error");
  assert.deepEqual(messages, ['2["log",1]']);
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
});
