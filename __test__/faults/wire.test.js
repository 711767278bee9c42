"use strict";

// Peers that break off in the middle of something, and peers that take very long for it.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { startHostile } = require("../protocol/support");
const { OPCODE, frame, requestBytes, upgradeHeaders, readResponse } = require("../protocol/wire");

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Sends the bytes one by one, each in a packet and a turn of its own. */
async function dribble(wire, bytes) {
  for (const byte of Buffer.from(bytes)) {
    wire.write(Buffer.from([byte]));
    await turn();
  }
}

test("a reset in the middle of a WebSocket frame", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  client.wire.write(frame(OPCODE.text, '42["log","never whole"]').subarray(0, 12));
  // The part has to be there before the reset drops what was not read.
  await server.bystander.echo();
  client.wire.reset();
  assert.match(await client.disconnected(), /^transport (close|error)$/);
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
});

test("a reset in the middle of a POST", async (t) => {
  const server = await startHostile(t);
  const client = await server.polling();
  await client.join();
  const { wire } = await client.begin({
    method: "POST",
    headers: { "Content-Type": "text/plain", "Content-Length": "100" },
    body: '42["log",1]\x1e42["lo',
  });
  await server.bystander.echo();
  wire.reset();
  assert.match(await client.disconnected(), /^transport (close|error)$/);
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
});

test("everything byte by byte over WebSocket", async (t) => {
  const server = await startHostile(t);
  const wire = await server.wire();
  const path = server.path({ transport: "websocket" });
  await dribble(wire, requestBytes({ path, headers: upgradeHeaders() }));
  assert.equal((await readResponse(wire)).status, 101);
  const client = await server.join();
  await dribble(client.wire, frame(OPCODE.text, '42["log","slow",1]'));
  await client.echo();
  assert.deepEqual(client.record().log, [["slow", 1]]);
  await server.undisturbed({ clients: 3 });
});

test("everything byte by byte over polling", async (t) => {
  const server = await startHostile(t);
  const client = await server.polling();
  await client.join();
  const wire = await server.wire();
  const body = '42["log","slow",2]';
  await dribble(
    wire,
    requestBytes({
      method: "POST",
      path: server.path({ transport: "polling", sid: client.sid }),
      headers: { "Content-Type": "text/plain;charset=UTF-8", "Content-Length": body.length },
      body,
    }),
  );
  assert.equal((await readResponse(wire, "POST")).status, 200);
  await client.echo();
  assert.deepEqual(client.record().log, [["slow", 2]]);
  await server.undisturbed({ clients: 2 });
});

test("a peer that sends a batch and closes is heard to the end, then gone", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  const batch = Array.from({ length: 100 }, (_, i) => frame(OPCODE.text, `42["log",${i}]`));
  client.wire.write(Buffer.concat(batch));
  client.wire.end();
  assert.equal(await client.disconnected(), "transport close");
  assert.deepEqual(
    client.record().log,
    batch.map((_, i) => [i]),
  );
  await server.undisturbed();
});

test("a listener that disconnects its socket hears nothing more of the same batch", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  const heard = [];
  const socket = client.socket();
  socket.on("log", (number) => {
    heard.push(number);
    if (number === 3) {
      socket.disconnect(true);
    }
  });
  const batch = Array.from({ length: 10 }, (_, i) => frame(OPCODE.text, `42["log",${i}]`));
  client.wire.write(Buffer.concat(batch));
  assert.equal(await client.disconnected(), "server namespace disconnect");
  await server.bystander.echo();
  assert.deepEqual(heard, [0, 1, 2, 3]);
  await server.undisturbed();
});
