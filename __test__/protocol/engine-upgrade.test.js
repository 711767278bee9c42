"use strict";

// The upgrade of a session from polling to WebSocket: the probe, the switch, what is delivered
// where, and every way in which an attempt may fail without harm to the session.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { RS, event, startHostile, startServer } = require("./support");
const { OPCODE, frame } = require("./wire");

async function joined(t, options) {
  const server = await startHostile(t, options);
  const polling = await server.polling();
  await polling.join();
  return { server, polling };
}

/** A WebSocket of the polling client's session. After the switch it speaks for the session. */
async function attempt(server, polling, options) {
  const websocket = await server.websocketOf({ query: { sid: polling.sid }, ...options });
  websocket.sid = polling.sid;
  websocket.ids = polling.ids;
  return websocket;
}

async function probe(server, polling) {
  const websocket = await attempt(server, polling);
  websocket.send("2probe");
  assert.equal(await websocket.text(), "3probe");
  return websocket;
}

async function upgrade(server, polling) {
  const websocket = await probe(server, polling);
  const upgraded = event(polling.conn, "upgrade");
  websocket.send("5");
  await upgraded;
  return websocket;
}

test("an upgrade: probe, noop to the held GET, upgrade packet, WebSocket", async (t) => {
  const { server, polling } = await joined(t);
  const { conn } = polling;
  const poll = await polling.hold();
  const upgrading = event(conn, "upgrading");
  const websocket = await probe(server, polling);
  await upgrading;
  assert.deepEqual([conn.upgrading, conn.upgraded, conn.transport.name], [true, false, "polling"]);
  assert.equal(await poll.text(), "6");
  const upgraded = event(conn, "upgrade");
  websocket.send("5");
  const [transport] = await upgraded;
  assert.equal(transport.name, "websocket");
  assert.equal(conn.transport, transport);
  assert.deepEqual([conn.upgrading, conn.upgraded], [false, true]);
  await websocket.echo();
  assert.equal(server.io.engine.clientsCount, 2);
  await server.undisturbed({ clients: 2 });
});

test("a GET that comes during the probe is released by a noop", async (t) => {
  const { server, polling } = await joined(t);
  const websocket = await probe(server, polling);
  const poll = await polling.hold();
  assert.equal(await poll.text(), "6");
  const again = await polling.hold();
  assert.equal(await again.text(), "6");
  websocket.send("5");
  await websocket.echo();
});

test("probe and upgrade packet may come in one segment", async (t) => {
  const { server, polling } = await joined(t);
  const websocket = await attempt(server, polling);
  const seen = [];
  for (const name of ["upgrading", "upgrade", "message"]) {
    polling.conn.on(name, () => seen.push(name));
  }
  const parts = ["2probe", "5", '429["echo"]'].map((text) => frame(OPCODE.text, text));
  websocket.wire.write(Buffer.concat(parts));
  assert.equal(await websocket.text(), "3probe");
  assert.equal(await websocket.text(), "439[]");
  assert.deepEqual(seen, ["upgrading", "upgrade", "message"]);
});

test("a probe sent together with the upgrade request is answered", async (t) => {
  const { server, polling } = await joined(t);
  const head = frame(OPCODE.text, "2probe");
  const websocket = await attempt(server, polling, { head });
  assert.equal(await websocket.text(), "3probe");
  websocket.send("5");
  await websocket.echo();
});

test("a probe whose first half comes with the upgrade request is answered", async (t) => {
  const { server, polling } = await joined(t);
  const bytes = frame(OPCODE.text, "2probe");
  const websocket = await attempt(server, polling, { head: bytes.subarray(0, 5) });
  websocket.wire.write(bytes.subarray(5));
  assert.equal(await websocket.text(), "3probe");
});

test("nothing emitted around the switch is lost, doubled or reordered", async (t) => {
  const { server, polling } = await joined(t);
  const { conn } = polling;
  let count = 0;
  const emit = () => polling.socket().emit("n", count++);
  const received = [];
  const keep = (payload) => received.push(...payload.split(RS).filter((packet) => packet !== "6"));
  conn.on("upgrading", emit);
  conn.on("upgrade", emit);

  emit();
  emit();
  keep(await polling.get());
  const websocket = await probe(server, polling);
  emit();
  keep(await polling.get());
  const poll = await polling.hold();
  emit();
  keep(await poll.text());
  emit();
  emit();
  websocket.send("5");
  websocket.send('429["echo"]');
  emit();
  for (let text = ""; text !== "439[]";) {
    text = await websocket.text();
    if (text !== "439[]") keep(text);
  }
  emit();
  keep(await websocket.text());

  assert.equal(count, 10);
  const expected = Array.from({ length: count }, (_, n) => `42["n",${n}]`);
  assert.deepEqual(received, expected);
});

test("packets that wait for a GET are flushed over WebSocket, attachments included", async (t) => {
  const { server, polling } = await joined(t);
  const websocket = await probe(server, polling);
  polling.socket().emit("b", Buffer.from([1, 2]), Buffer.from([3]));
  polling.socket().emit("after");
  websocket.send("5");
  const header = '452-["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]';
  assert.equal(await websocket.text(), header);
  assert.deepEqual(await websocket.binary(), Buffer.from([1, 2]));
  assert.deepEqual(await websocket.binary(), Buffer.from([3]));
  assert.equal(await websocket.text(), '42["after"]');
});

test("messages from the client go over polling until it sends the upgrade packet", async (t) => {
  const { server, polling } = await joined(t);
  await polling.post('42["log",1]');
  const websocket = await probe(server, polling);
  await polling.post('42["log",2]');
  websocket.send("5");
  websocket.send('42["log",3]');
  await websocket.echo();
  assert.deepEqual(polling.record().log, [[1], [2], [3]]);
});

test("a GET still held at the switch is answered", async (t) => {
  const { server, polling } = await joined(t);
  const websocket = await probe(server, polling);
  const poll = await polling.hold();
  websocket.send("5");
  // A noop if its interval came first, else the close packet of the old transport.
  assert.match(await poll.text(), /^[16]$/);
  await websocket.echo();
});

test("a POST still open at the switch is dropped and the session goes on", async (t) => {
  const { server, polling } = await joined(t);
  const websocket = await probe(server, polling);
  const headers = { "Content-Length": 100 };
  const post = await polling.begin({ method: "POST", headers, body: '42["log",1]' });
  websocket.send("5");
  await post.wire.gone();
  await websocket.echo();
  assert.deepEqual(polling.record().log, []);
  assert.equal(polling.conn.readyState, "open");
});

test("polling is refused once the session is upgraded", async (t) => {
  const { server, polling } = await joined(t);
  const websocket = await upgrade(server, polling);
  for (const method of ["GET", "POST"]) {
    const response = await polling.request({ method });
    assert.equal(response.status, 400);
    assert.equal(response.text, '{"code":3,"message":"Bad request"}');
  }
  const [{ code, context }] = server.refusals;
  assert.deepEqual(
    [code, context.name, context.previousTransport],
    [3, "TRANSPORT_MISMATCH", "websocket"],
  );
  await websocket.echo();
});

test("an upgraded session ends with its WebSocket", async (t) => {
  const { server, polling } = await joined(t);
  const websocket = await upgrade(server, polling);
  websocket.wire.end();
  const reason = "transport close";
  assert.deepEqual(await websocket.ending(), { conn: reason, socket: reason, errors: [] });
  await server.undisturbed();
});

const WRONG_PROBES = {
  "a ping without data": (websocket) => websocket.send("2"),
  "another ping": (websocket) => websocket.send("2prob"),
  "a pong": (websocket) => websocket.send("3probe"),
  "a message": (websocket) => websocket.send('42["log",1]'),
  "an undecodable packet": (websocket) => websocket.send("xyz"),
  "an empty packet": (websocket) => websocket.send(""),
  binary: (websocket) => websocket.sendBinary("2probe"),
};

for (const [title, send] of Object.entries(WRONG_PROBES)) {
  test(`a probe that is ${title} closes the WebSocket only`, async (t) => {
    const { server, polling } = await joined(t);
    const websocket = await attempt(server, polling);
    send(websocket);
    assert.equal(await websocket.closeHandshake(), undefined);
    await polling.echo();
    assert.deepEqual(polling.record().log, []);
    const next = await upgrade(server, polling);
    await next.echo();
    await server.undisturbed({ clients: 2 });
  });
}

test("a message between probe and upgrade packet closes the WebSocket only", async (t) => {
  const { server, polling } = await joined(t);
  const websocket = await probe(server, polling);
  websocket.send('42["log",1]');
  assert.equal(await websocket.closeHandshake(), undefined);
  await polling.echo();
  assert.deepEqual(polling.record().log, []);
  await server.undisturbed({ clients: 2 });
});

test("a frame error during the probe closes the WebSocket only", async (t) => {
  const { server, polling } = await joined(t);
  const websocket = await probe(server, polling);
  websocket.sendFrame(OPCODE.text, "5", { masked: false });
  assert.equal(await websocket.closeHandshake(), 1002);
  await polling.echo();
  await server.undisturbed({ clients: 2 });
});

for (const [title, leave] of [
  ["a FIN", (websocket) => websocket.wire.end()],
  ["a reset", (websocket) => websocket.wire.reset()],
  ["a close frame", (websocket) => websocket.sendFrame(OPCODE.close, "")],
]) {
  test(`a probe that goes with ${title} leaves the session free to try again`, async (t) => {
    const { server, polling } = await joined(t);
    const upgrading = event(polling.conn, "upgrading");
    const websocket = await probe(server, polling);
    const [transport] = await upgrading;
    const closed = event(transport, "close");
    leave(websocket);
    await closed;
    await polling.echo();
    const next = await upgrade(server, polling);
    await next.echo();
    await server.undisturbed({ clients: 2 });
  });
}

for (const [title, begin] of [
  ["no probe at all", attempt],
  ["no upgrade packet", probe],
]) {
  test(`the WebSocket is closed after the upgrade timeout: ${title}`, async (t) => {
    const { server, polling } = await joined(t, { upgradeTimeout: 1_000 });
    const websocket = await begin(server, polling);
    assert.equal(await websocket.closeHandshake(), undefined);
    await polling.echo();
    assert.deepEqual([polling.conn.upgrading, polling.conn.upgraded], [false, false]);
    await server.undisturbed({ clients: 2 });
  });
}

test("a second attempt during an upgrade is closed and the first may go on", async (t) => {
  const { server, polling } = await joined(t);
  const first = await probe(server, polling);
  const second = await attempt(server, polling);
  assert.equal(await second.closeHandshake(), undefined);
  first.send("5");
  await first.echo();
  await server.undisturbed({ clients: 2 });
});

test("an upgraded session cannot be upgraded again", async (t) => {
  const { server, polling } = await joined(t);
  const first = await upgrade(server, polling);
  const second = await attempt(server, polling);
  assert.equal(await second.closeHandshake(), undefined);
  await first.echo();
  await server.undisturbed({ clients: 2 });
});

test("a session that closes during the probe closes the probing WebSocket", async (t) => {
  const { server, polling } = await joined(t);
  const websocket = await probe(server, polling);
  const poll = await polling.hold();
  polling.conn.close();
  assert.match(await poll.text(), /^(1|6)$/);
  // Had a noop taken the held GET, the close packet waits for the next one.
  await polling.request();
  assert.deepEqual(await polling.ending(), {
    conn: "forced close",
    socket: "forced close",
    errors: [],
  });
  assert.equal(await websocket.closeHandshake(), undefined);
  await server.undisturbed();
});

test("a session that closes while the client polls no more ends when it switches", async (t) => {
  const { server, polling } = await joined(t);
  const poll = await polling.hold();
  const websocket = await probe(server, polling);
  assert.equal(await poll.text(), "6");
  polling.conn.close();
  assert.equal(polling.conn.readyState, "closing");
  websocket.send("5");
  assert.deepEqual(await polling.ending(), {
    conn: "forced close",
    socket: "forced close",
    errors: [],
  });
  assert.equal(await websocket.closeHandshake(), undefined);
  await server.undisturbed();
});

test("a close packet over polling during the probe closes the probing WebSocket", async (t) => {
  const { server, polling } = await joined(t);
  const websocket = await probe(server, polling);
  await polling.post("1");
  assert.equal((await polling.closed()).reason, "transport close");
  assert.equal(await websocket.closeHandshake(), undefined);
  await server.undisturbed();
});

test("upgrades of many sessions at once do not mix", async (t) => {
  const server = await startServer(t);
  const upgraded = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const polling = await server.polling();
      await polling.join();
      polling.socket().emit("you", n);
      const websocket = await probe(server, polling);
      websocket.send("5");
      assert.equal(await websocket.text(), `42["you",${n}]`);
      return websocket;
    }),
  );
  for (const websocket of upgraded) await websocket.echo();
});
