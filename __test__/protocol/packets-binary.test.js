"use strict";

// Socket.IO v5 BINARY_EVENT and BINARY_ACK from the client: attachments in all orders, shared,
// unused, too many, missing, misplaced. Binary the other way is in packets-encoding.test.js.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { RS, startHostile, startServer } = require("./support");
const { OPCODE, frame } = require("./wire");

const slot = (num) => `{"_placeholder":true,"num":${num}}`;
const bytes = (...values) => Buffer.from(values);

async function joined(t, nsp) {
  const server = await startServer(t);
  return server.join(nsp);
}

test("attachments take the places of their placeholders", async (t) => {
  const client = await joined(t);
  client.send(`453-["log",${slot(2)},{"a":[${slot(0)}],"b":{"c":${slot(1)}}},"text"]`);
  for (const attachment of [bytes(0), bytes(1, 1), bytes(2, 2, 2)]) client.sendBinary(attachment);
  await client.echo();
  assert.deepEqual(client.record().log, [
    [bytes(2, 2, 2), { a: [bytes(0)], b: { c: bytes(1, 1) } }, "text"],
  ]);
  assert.ok(Buffer.isBuffer(client.record().log[0][0]));
});

test("an attachment placed twice is the same buffer", async (t) => {
  const client = await joined(t);
  client.send(`451-["log",${slot(0)},[${slot(0)}]]`);
  client.sendBinary(bytes(7));
  await client.echo();
  const [[first, [second]]] = client.record().log;
  assert.deepEqual(first, bytes(7));
  assert.equal(first, second);
});

test("an attachment that is placed nowhere is dropped", async (t) => {
  const client = await joined(t);
  client.send(`452-["log",${slot(1)}]`);
  client.sendBinary(bytes(1));
  client.sendBinary(bytes(2));
  client.send('451-["log","none"]');
  client.sendBinary(bytes(3));
  await client.echo();
  assert.deepEqual(client.record().log, [[bytes(2)], ["none"]]);
});

test("a placeholder needs the flag to be true", async (t) => {
  const client = await joined(t);
  const text = '{"_placeholder":1,"num":0},{"_placeholder":"true","num":0},{"num":0}';
  client.send(`451-["log",${text},${slot(0)}]`);
  client.sendBinary(bytes(5));
  await client.echo();
  assert.deepEqual(client.record().log, [[...JSON.parse(`[${text}]`), bytes(5)]]);
});

test("other keys of a placeholder are lost", async (t) => {
  const client = await joined(t);
  client.send('451-["log",{"x":[1],"num":0,"_placeholder":true}]');
  client.sendBinary(bytes(5));
  await client.echo();
  assert.deepEqual(client.record().log, [[bytes(5)]]);
});

test("ten attachments are accepted", async (t) => {
  const client = await joined(t);
  const slots = Array.from({ length: 10 }, (_, i) => slot(9 - i));
  client.send(`4510-["log",${slots.join()}]`);
  for (let i = 0; i < 10; i++) client.sendBinary(bytes(i));
  await client.echo();
  assert.deepEqual(client.record().log, [Array.from({ length: 10 }, (_, i) => bytes(9 - i))]);
});

test("engine packets and control frames may come between the attachments", async (t) => {
  const client = await joined(t);
  client.send(`452-["log",${slot(0)},${slot(1)}]`);
  client.send("3");
  client.sendFrame(OPCODE.ping, "between");
  client.sendBinary(bytes(1));
  client.send("6");
  client.sendFrame(OPCODE.pong, "");
  client.sendFrame(OPCODE.binary, bytes(2), { fin: false });
  client.sendFrame(OPCODE.continuation, bytes(3));
  assert.equal((await client.frame()).opcode, OPCODE.pong);
  await client.echo();
  assert.deepEqual(client.record().log, [[bytes(1), bytes(2, 3)]]);
});

test("a binary event in a namespace with an ack id is answered in binary", async (t) => {
  const client = await joined(t, "/admin");
  client.send(`451-/admin,12["echo",${slot(0)},"x"]`);
  client.sendBinary(bytes(9, 8));
  assert.equal(await client.text(), `461-/admin,12[${slot(0)},"x"]`);
  assert.deepEqual(await client.binary(), bytes(9, 8));
});

test("binary acknowledgements reach the callback", async (t) => {
  const client = await joined(t);
  const answers = [];
  client.socket().emit("q", (...args) => answers.push(args));
  assert.equal(await client.text(), '420["q"]');
  client.send(`462-0[${slot(1)},{"a":${slot(0)}}]`);
  client.sendBinary(bytes(1));
  client.sendBinary(bytes(2));
  await client.echo();
  assert.deepEqual(answers, [[bytes(2), { a: bytes(1) }]]);
});

test("a binary acknowledgement nobody asked for is ignored", async (t) => {
  const client = await joined(t);
  client.send(`461-77[${slot(0)}]`);
  client.sendBinary(bytes(1));
  await client.echo();
});

test("binary events may follow each other in one segment", async (t) => {
  const client = await joined(t);
  const parts = [];
  for (let i = 0; i < 100; i++) {
    parts.push(frame(OPCODE.text, `451-["log",${slot(0)},${i}]`));
    parts.push(frame(OPCODE.binary, bytes(i)));
  }
  client.wire.write(Buffer.concat(parts));
  await client.echo();
  const expected = Array.from({ length: 100 }, (_, i) => [bytes(i), i]);
  assert.deepEqual(client.record().log, expected);
});

test("__proto__ beside an attachment sets no prototype", async (t) => {
  const client = await joined(t);
  client.send(`451-["log",{"a":${slot(0)},"b":{"constructor":{"prototype":{"polluted":1}}}}]`);
  client.sendBinary(bytes(1));
  await client.echo();
  assert.equal({}.polluted, undefined);
  assert.deepEqual(client.record().log[0][0].a, bytes(1));
});

for (const [title, leave] of [
  ["a close frame", (client) => client.sendFrame(OPCODE.close, "")],
  ["a FIN", (client) => client.wire.end()],
]) {
  test(`an event whose attachments never come goes with ${title}`, async (t) => {
    const server = await startHostile(t);
    const client = await server.join();
    client.send(`452-["log",${slot(0)},${slot(1)}]`);
    client.sendBinary(bytes(1));
    leave(client);
    const reason = "transport close";
    assert.deepEqual(await client.ending(), { conn: reason, socket: reason, errors: [] });
    assert.deepEqual(client.record().log, []);
    await server.undisturbed();
  });
}

test("the server may send to a client whose attachments are outstanding", async (t) => {
  const client = await joined(t);
  client.send(`451-["log",${slot(0)}]`);
  client.socket().emit("news", bytes(4));
  assert.equal(await client.text(), `451-["news",${slot(0)}]`);
  assert.deepEqual(await client.binary(), bytes(4));
  client.sendBinary(bytes(5));
  await client.echo();
  assert.deepEqual(client.record().log, [[bytes(5)]]);
});

const TEXT_BETWEEN = "got plaintext data when reconstructing a packet";
const BINARY_ALONE = "got binary data when not reconstructing a packet";

/** What the client sends (a string is a text frame, a Buffer a binary one), and the error. */
const FAULTS = [
  ["Illegal attachments", ["45"]],
  ["Illegal attachments", ["45-"]],
  ["Illegal attachments", ['450-["log"]']],
  ["Illegal attachments", ['45-1["log"]']],
  ["Illegal attachments", ['45--1-["log"]']],
  ["Illegal attachments", ['451.5-["log"]']],
  ["Illegal attachments", ['451["log"]']],
  ["Illegal attachments", ["451"]],
  ["Illegal attachments", ['45x-["log"]']],
  ["Illegal attachments", ['45/admin,1-["log"]']],
  ["Illegal attachments", ['45["log"]']],
  ["Illegal attachments", ["46"]],
  ["Illegal attachments", ["460-1[]"]],
  ["too many attachments", ['4511-["log"]']],
  ["too many attachments", ['4599999999999-["log"]']],
  ["too many attachments", ['451e3-["log"]']],
  ["too many attachments", ["4611-1[]"]],
  ["invalid payload", [`451-["log",${slot(0)}`]],
  ["invalid payload", [`451-{"log":${slot(0)}}`]],
  ["invalid payload", [`451-[${slot(0)}]`]],
  ["invalid payload", ["451-[]"]],
  ["invalid payload", [`451-["connect",${slot(0)}]`]],
  ["invalid payload", [`461-1{"a":${slot(0)}}`]],
  [TEXT_BETWEEN, [`451-["log",${slot(0)}]`, '42["log"]']],
  [TEXT_BETWEEN, [`451-["log",${slot(0)}]`, "41"]],
  [TEXT_BETWEEN, [`451-["log",${slot(0)}]`, "40/admin,"]],
  [TEXT_BETWEEN, [`452-["log",${slot(0)},${slot(1)}]`, bytes(1), `451-["log",${slot(0)}]`]],
  [TEXT_BETWEEN, [`451-/elsewhere,["log",${slot(0)}]`, '42["log"]']],
  [TEXT_BETWEEN, [`461-["no id",${slot(0)}]`, '42["log"]']],
  [BINARY_ALONE, [bytes(1)]],
  [BINARY_ALONE, [bytes()]],
  [BINARY_ALONE, ["bAQID"]],
  [BINARY_ALONE, [`451-["unheard",${slot(0)}]`, bytes(1), bytes(2)]],
  ["illegal attachments", [`451-["log",${slot(1)}]`, bytes(1)]],
  ["illegal attachments", [`451-["log",${slot(-1)}]`, bytes(1)]],
  ["illegal attachments", [`451-["log",${slot(1e9)}]`, bytes(1)]],
  ["illegal attachments", [`451-["log",${slot('"0"')}]`, bytes(1)]],
  ["illegal attachments", [`451-["log",${slot("null")}]`, bytes(1)]],
  ["illegal attachments", [`451-["log",${slot('"length"')}]`, bytes(1)]],
  ["illegal attachments", ['451-["log",{"_placeholder":true}]', bytes(1)]],
  ["illegal attachments", [`451-["log",[[{"a":${slot(2)}}]]]`, bytes(1)]],
  ["illegal attachments", [`461-0[${slot(1)}]`, bytes(1)]],
];

for (const [message, sent] of FAULTS) {
  const shown = sent.map((part) => (typeof part === "string" ? part : `<${part.length} bytes>`));

  test(`"${message}": ${shown.join(" ")}`, async (t) => {
    const server = await startHostile(t);
    const client = await server.join();
    for (const part of sent) {
      if (typeof part === "string") client.send(part);
      else client.sendBinary(part);
    }
    assert.equal(await client.closeHandshake(), undefined);
    assert.deepEqual(await client.ending(), {
      conn: "forced close",
      socket: "forced close",
      errors: [message],
    });
    assert.deepEqual(client.record().log, []);
    await server.undisturbed();
  });
}

test("a misplaced attachment over polling closes at the next GET", async (t) => {
  const server = await startHostile(t);
  const client = await server.polling();
  await client.join();
  await client.post(`451-["log",${slot(0)}]${RS}42["log"]${RS}bAQID`);
  assert.equal(await client.get(), `6${RS}1`);
  const { conn, socket, errors } = await client.ending();
  assert.deepEqual([conn, socket, errors[0]], ["forced close", "forced close", TEXT_BETWEEN]);
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
});
