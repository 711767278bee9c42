"use strict";

// WebSocket frames that RFC 6455 allows, however unusual: fragments, control frames in between,
// every length form, any cut of the byte stream. Forbidden frames are in websocket-faults.test.js.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { startServer } = require("./support");
const { OPCODE, frame } = require("./wire");

async function joined(t, options) {
  const server = await startServer(t, options);
  return server.join();
}

const ECHO = '427["echo","€😀",{"a":[1,2]}]';
const ANSWER = '437["€😀",{"a":[1,2]}]';

/** Cuts `bytes` into pieces of `size`. */
function pieces(bytes, size) {
  const cut = [];
  for (let at = 0; at < bytes.length; at += size) cut.push(bytes.subarray(at, at + size));
  return cut;
}

/** Sends `payload` as one message in fragments of `size` bytes, calling `between` after each. */
function sendFragments(client, opcode, payload, size, between = () => {}) {
  const parts = pieces(Buffer.from(payload), size);
  parts.forEach((part, i) => {
    const last = i === parts.length - 1;
    client.sendFrame(i === 0 ? opcode : OPCODE.continuation, part, { fin: last });
    if (!last) between(i);
  });
}

for (const size of [1, 2, 3, 7, 30]) {
  test(`a text message in fragments of ${size} bytes is put together`, async (t) => {
    const client = await joined(t);
    // At most of these cuts a character is divided between two fragments.
    sendFragments(client, OPCODE.text, ECHO, size);
    assert.equal(await client.text(), ANSWER);
  });
}

test("a binary message in fragments is put together", async (t) => {
  const client = await joined(t);
  client.send('451-7["echo",{"_placeholder":true,"num":0}]');
  const bytes = Buffer.from(Array.from({ length: 200 }, (_, i) => i));
  sendFragments(client, OPCODE.binary, bytes, 9);
  assert.equal(await client.text(), '461-7[{"_placeholder":true,"num":0}]');
  assert.deepEqual(await client.binary(), bytes);
});

test("empty fragments count for nothing", async (t) => {
  const client = await joined(t);
  const half = Buffer.from(ECHO).subarray(0, 8);
  const rest = Buffer.from(ECHO).subarray(8);
  client.sendFrame(OPCODE.text, "", { fin: false });
  client.sendFrame(OPCODE.continuation, half, { fin: false });
  client.sendFrame(OPCODE.continuation, "", { fin: false });
  client.sendFrame(OPCODE.continuation, rest, { fin: false });
  client.sendFrame(OPCODE.continuation, "");
  assert.equal(await client.text(), ANSWER);
});

test("an empty binary message is an empty attachment", async (t) => {
  const client = await joined(t);
  client.send('451-7["echo",{"_placeholder":true,"num":0}]');
  client.sendBinary("");
  assert.equal(await client.text(), '461-7[{"_placeholder":true,"num":0}]');
  assert.equal((await client.binary()).length, 0);
});

test("pings between fragments are answered at once, in order", async (t) => {
  const client = await joined(t);
  let pings = 0;
  sendFragments(client, OPCODE.text, ECHO, 10, (i) => {
    client.sendFrame(OPCODE.ping, `p${i}`);
    client.sendFrame(OPCODE.pong, "unasked");
    pings++;
  });
  for (let i = 0; i < pings; i++) {
    const { opcode, payload } = await client.frame();
    assert.deepEqual([opcode, payload.toString()], [OPCODE.pong, `p${i}`]);
  }
  assert.ok(pings >= 3);
  assert.equal(await client.text(), ANSWER);
});

for (const payload of ["", "x", Buffer.from([0, 255, 128]), "y".repeat(125)]) {
  test(`a ping of ${payload.length} bytes is answered with the same payload`, async (t) => {
    const client = await joined(t);
    client.sendFrame(OPCODE.ping, payload);
    const pong = await client.frame();
    assert.deepEqual([pong.fin, pong.opcode], [true, OPCODE.pong]);
    assert.deepEqual(pong.payload, Buffer.from(payload));
    await client.echo();
  });
}

test("unasked pongs are ignored", async (t) => {
  const client = await joined(t);
  client.sendFrame(OPCODE.pong, "");
  client.sendFrame(OPCODE.pong, "z".repeat(125));
  await client.echo();
});

for (const size of [1, 2, 3, 5, 11]) {
  test(`frames may arrive ${size} bytes at a time`, async (t) => {
    const client = await joined(t);
    const bytes = Buffer.concat([
      frame(OPCODE.text, ECHO),
      frame(OPCODE.ping, "hi"),
      frame(OPCODE.text, '451-8["echo",{"_placeholder":true,"num":0}]'),
      frame(OPCODE.binary, Buffer.alloc(300, 7), { lengthBytes: 2 }),
      frame(OPCODE.text, ECHO, { lengthBytes: 8 }),
    ]);
    for (const part of pieces(bytes, size)) client.wire.write(part);
    const frames = [];
    while (frames.length < 5) frames.push(await client.frame());
    // The pong need not wait for the application's answers.
    const [pong] = frames.splice(
      frames.findIndex(({ opcode }) => opcode === OPCODE.pong),
      1,
    );
    assert.equal(pong.payload.toString(), "hi");
    const { text, binary } = OPCODE;
    assert.deepEqual(
      frames.map(({ opcode }) => opcode),
      [text, text, binary, text],
    );
    const payloads = frames.map(({ payload }) => payload);
    assert.equal(payloads[0].toString(), ANSWER);
    assert.equal(payloads[1].toString(), '461-8[{"_placeholder":true,"num":0}]');
    assert.deepEqual(payloads[2], Buffer.alloc(300, 7));
    assert.equal(payloads[3].toString(), ANSWER);
  });
}

test("many frames in one segment are all taken, in order", async (t) => {
  const client = await joined(t);
  const count = 500;
  const frames = Array.from({ length: count }, (_, n) => frame(OPCODE.text, `42${n}["echo",${n}]`));
  client.wire.write(Buffer.concat(frames));
  for (let n = 0; n < count; n++) assert.equal(await client.text(), `43${n}[${n}]`);
});

for (const length of [124, 125, 126, 127, 128, 65535, 65536, 65537, 200_000]) {
  test(`a message of ${length} bytes is received and answered whole`, async (t) => {
    const client = await joined(t);
    const text = "x".repeat(length - '427["echo",""]'.length);
    client.send(`427["echo","${text}"]`);
    assert.equal(await client.text(), `437["${text}"]`);
    await client.echo();
  });
}

for (const length of [125, 126, 65535, 65536]) {
  test(`the server frames a message of ${length} bytes in the shortest form`, async (t) => {
    const client = await joined(t);
    const text = "y".repeat(length - '42["w",""]'.length);
    client.socket().emit("w", text);
    const [, second] = await client.wire.take(2);
    assert.equal(second, length < 126 ? length : length < 65536 ? 126 : 127);
    const size = length < 126 ? 0 : length < 65536 ? 2 : 8;
    await client.wire.take(size);
    assert.equal((await client.wire.take(length)).toString(), `42["w","${text}"]`);
  });
}

for (const lengthBytes of [2, 8]) {
  test(`a length of ${lengthBytes} bytes may be longer than needed`, async (t) => {
    const client = await joined(t);
    client.sendFrame(OPCODE.text, ECHO, { lengthBytes });
    assert.equal(await client.text(), ANSWER);
  });
}

test("any masking key works, zero included", async (t) => {
  const client = await joined(t);
  for (const key of [
    [0, 0, 0, 0],
    [255, 255, 255, 255],
    [1, 0, 0, 0],
    [0, 0, 0, 9],
  ]) {
    client.sendFrame(OPCODE.text, ECHO, { key });
    assert.equal(await client.text(), ANSWER);
  }
});

test("a message of exactly the limit is accepted, in one frame and in fragments", async (t) => {
  const client = await joined(t, { maxHttpBufferSize: 300 });
  const text = "x".repeat(300 - '427["echo",""]'.length);
  client.send(`427["echo","${text}"]`);
  assert.equal(await client.text(), `437["${text}"]`);
  sendFragments(client, OPCODE.text, `427["echo","${text}"]`, 100);
  assert.equal(await client.text(), `437["${text}"]`);
});

test("a session that does not read holds up no other", async (t) => {
  const server = await startServer(t);
  const [deaf, other] = [await server.join(), await server.join()];
  deaf.wire.socket.pause();
  const word = "w".repeat(100_000);
  for (let n = 0; n < 50; n++) deaf.socket().emit("n", n, word);
  await other.echo();
  deaf.wire.socket.resume();
  for (let n = 0; n < 50; n++) assert.equal(await deaf.text(), `42["n",${n},"${word}"]`);
});

for (const [title, text, bytes] of [
  ["base64 text is binary", "bAQIDBA==", [1, 2, 3, 4]],
  ["base64 text need not be padded", "bAQIDBA", [1, 2, 3, 4]],
  ["base64 of nothing is empty", "b", []],
]) {
  test(`a frame of ${title}`, async (t) => {
    const client = await joined(t);
    client.send('451-["log",{"_placeholder":true,"num":0}]');
    client.send(text);
    await client.echo();
    assert.deepEqual(client.record().log, [[Buffer.from(bytes)]]);
  });
}

for (const packet of ["0", "1", "5", "6", "0{}", "1x", "5probe", "6x"]) {
  test(`packet "${packet}" of an open session is ignored`, async (t) => {
    const client = await joined(t);
    client.send(packet);
    await client.echo();
    assert.equal(client.conn.readyState, "open");
  });
}

test("what the application sends is a text or a binary frame, a number is text", async (t) => {
  const client = await joined(t);
  client.conn.send("");
  client.conn.send(5);
  client.conn.send("text");
  client.conn.send(Buffer.from([1, 2]));
  for (const packet of ["4", "45", "4text"]) assert.equal(await client.text(), packet);
  assert.deepEqual(await client.binary(), Buffer.from([1, 2]));
});
