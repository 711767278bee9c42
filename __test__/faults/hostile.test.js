"use strict";

// Clients that mean harm: floods, names that mean something to JavaScript, values without end, and
// requests that two parsers could read differently.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { settle } = require("../support/events");
const { serve } = require("../support/app");
const { eachTransport } = require("../support/scenario");
const { isReference } = require("../support/target");
const { startHostile } = require("../protocol/support");
const { OPCODE, frame } = require("../protocol/wire");

const NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "prototype"];

test("a flood does not keep the events of others waiting", async (t) => {
  const server = await startHostile(t);
  const flooder = await server.join();
  const event = frame(OPCODE.text, `42["flood","${"x".repeat(1000)}"]`);
  const burst = Buffer.concat(Array(1000).fill(event));
  let handled = 0;
  let stopped = false;
  flooder.socket().on("flood", () => handled++);
  // The next burst is on its way before the last was read: there is always more to come.
  (function flood() {
    if (!stopped && !flooder.wire.socket.destroyed) {
      flooder.wire.socket.write(burst, flood);
    }
  })();
  for (let i = 0; i < 20; i++) {
    const before = handled;
    await server.bystander.echo();
    // What one client may have waiting, several times over, is far less than it sends meanwhile.
    assert.ok(handled - before < 5_000, `${handled - before} events came before the answer`);
  }
  assert.ok(handled > 0);
  stopped = true;
});

eachTransport("events and rooms may have any name", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const { client: other, socket: outsider } = await app.connect();
  for (const name of NAMES) {
    let told;
    socket.once(name, (value) => (told = value));
    client.emit(name, { [name]: 1 });
    await settle(client, socket);
    assert.deepEqual(told, JSON.parse(`{"${name}":1}`));
    const heard = [];
    client.on(name, (value) => heard.push(value));
    other.on(name, () => assert.fail("not in the room"));
    socket.join(name);
    assert.ok(socket.rooms.has(name));
    app.io.to(name).emit(name, "to the room");
    app.io.except(name).emit("else");
    await settle(client, socket);
    await settle(other, outsider);
    assert.deepEqual(heard, ["to the room"]);
    socket.leave(name);
    assert.ok(!app.io.of("/").adapter.rooms.has(name));
    // An event that nobody listens to reaches nothing that all objects have.
    client.emit(name, () => {});
  }
  await settle(client, socket);
  assert.equal({}.polluted, undefined);
});

test("namespaces that are none are refused by any name", async (t) => {
  const server = await startHostile(t);
  for (const name of NAMES) {
    const client = await server.websocket();
    client.send(`40/${name},`);
    assert.equal(await client.text(), `44/${name},{"message":"Invalid namespace"}`);
  }
  await server.bystander.echo();
});

for (const [title, value] of [
  ["arrays", "[".repeat(100_000) + "]".repeat(100_000)],
  ["objects", '{"a":'.repeat(100_000) + "1" + "}".repeat(100_000)],
]) {
  test(`${title} a hundred thousand deep are an event like any other`, async (t) => {
    const server = await startHostile(t);
    const client = await server.join();
    const seen = new Promise((resolve) => client.socket().once("deep", resolve));
    client.send(`42["deep",${value}]`);
    let depth = 0;
    for (let at = await seen; at !== undefined && typeof at === "object"; depth++) {
      at = Array.isArray(at) ? at[0] : at.a;
    }
    assert.equal(depth, 100_000);
    await client.echo();
    await server.undisturbed({ clients: 2 });
  });
}

/** Heads that leave room for doubt about where the body ends. */
const SMUGGLED = {
  "a length and chunks": "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
  "two lengths": "Content-Length: 6\r\nContent-Length: 2\r\n",
  "a length with a sign": "Content-Length: +2\r\n",
  "a list of lengths": "Content-Length: 2, 6\r\n",
  "chunks that are none": "Transfer-Encoding: xchunked\r\n",
  "a length behind a space": "Content-Length : 2\r\n",
  "a folded header": "X: a\r\n Content-Length: 2\r\n",
};

const ACCEPTORS = isReference ? ["node"] : ["node", "native"];

for (const acceptor of ACCEPTORS) {
  for (const [title, headers] of Object.entries(SMUGGLED)) {
    test(`a request in the body of another is not served: ${title}, acceptor ${acceptor}`, async (t) => {
      const server = await startHostile(t, { acceptor });
      const victim = await server.polling();
      await victim.join();
      const wire = await server.wire();
      const path = server.path({ transport: "polling", sid: victim.sid });
      const hidden = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n42["log",1]`;
      wire.write(`POST ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n0\r\n\r\n${hidden}`);
      const answer = (await wire.rest()).toString("latin1");
      assert.match(answer, /^HTTP\/1\.1 400 /);
      assert.equal(answer.match(/HTTP\/1\.1/g).length, 1, answer);
      await server.bystander.echo();
      assert.deepEqual(victim.record().log, []);
    });
  }
}

test("an answer that reflects what was asked holds no header of the client's", async (t) => {
  const server = await startHostile(t, { cors: { origin: true, credentials: true } });
  for (const origin of ["http://a\x0bSet-Cookie: b=1", "http://a\x7f", "http://a\x00"]) {
    const response = await server.request({
      query: { transport: "polling" },
      headers: { Origin: origin },
    });
    assert.equal(response.status, 400);
    assert.equal(response.headers["set-cookie"], undefined);
  }
  await server.undisturbed();
});
