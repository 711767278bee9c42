"use strict";

// Engine.IO over HTTP long-polling when all goes well: requests, payloads, headers, compression.
// What goes wrong is in engine-polling-faults.test.js.

const assert = require("node:assert/strict");
const zlib = require("node:zlib");
const { test } = require("node:test");
const { RS, startServer } = require("./support");
const wire = require("./wire");

const PLAIN = { "Content-Type": "text/plain;charset=UTF-8" };

async function joined(t, options) {
  const server = await startServer(t, options);
  const client = await server.polling();
  await client.join();
  return { server, client };
}

test("a GET is answered in UTF-8 text with its length, never cached", async (t) => {
  const { client } = await joined(t);
  client.socket().emit("word", "€😀");
  const { status, headers, text, body } = await client.request();
  assert.equal(status, 200);
  assert.equal(text, '42["word","€😀"]');
  assert.equal(headers["content-type"], "text/plain; charset=UTF-8");
  assert.equal(headers["content-length"], String(body.length));
  assert.equal(headers["cache-control"], "no-store");
});

test("a POST is answered ok", async (t) => {
  const { client } = await joined(t);
  const response = await client.request({ method: "POST", headers: PLAIN, body: '42["log",1]' });
  assert.equal(response.status, 200);
  assert.equal(response.text, "ok");
  assert.equal(response.headers["content-type"], "text/html");
  assert.equal(response.headers["content-length"], "2");
  assert.equal(response.headers["cache-control"], "no-store");
});

for (const type of [
  undefined,
  "text/plain",
  "text/plain;charset=UTF-8",
  "application/json",
  "application/x-www-form-urlencoded",
  "application/octet-stream; charset=binary",
]) {
  test(`a POST with content type ${type} is accepted`, async (t) => {
    const { client } = await joined(t);
    await client.post('427["echo",1]', type === undefined ? {} : { "Content-Type": type });
    assert.equal(await client.get(), "437[1]");
  });
}

test("several packets of one payload are taken in order", async (t) => {
  const { client } = await joined(t);
  const events = [0, 1, 2, 3, 4].map((n) => `42["log",${n}]`);
  await client.post([...events, '429["echo"]'].join(RS));
  assert.equal(await client.get(), "439[]");
  assert.deepEqual(client.record().log, [[0], [1], [2], [3], [4]]);
});

test("packets that wait for a GET leave in one payload, in order", async (t) => {
  const { client } = await joined(t);
  for (let i = 0; i < 3; i++) client.socket().emit("n", i);
  assert.equal(await client.get(), ['42["n",0]', '42["n",1]', '42["n",2]'].join(RS));
});

test("a held GET is answered by the first packet, the next GET by the others", async (t) => {
  const { client } = await joined(t);
  const poll = await client.hold();
  for (let i = 0; i < 3; i++) client.socket().emit("n", i);
  const packets = (await poll.text()).split(RS);
  if (packets.length < 3) packets.push(...(await client.get()).split(RS));
  assert.deepEqual(packets, ['42["n",0]', '42["n",1]', '42["n",2]']);
});

test("binary goes both ways in base64", async (t) => {
  const { client } = await joined(t);
  await client.post(`451-7["echo",{"_placeholder":true,"num":0}]${RS}bAQIDBA==`);
  assert.equal(await client.get(), `461-7[{"_placeholder":true,"num":0}]${RS}bAQIDBA==`);
});

test("incoming base64 need not be padded", async (t) => {
  const { client } = await joined(t);
  await client.post(`451-["log",{"_placeholder":true,"num":0}]${RS}bAQIDBA${RS}428["echo"]`);
  assert.equal(await client.get(), "438[]");
  assert.deepEqual(client.record().log, [[Buffer.from([1, 2, 3, 4])]]);
});

test("outgoing base64 uses the standard alphabet, padded", async (t) => {
  const { client } = await joined(t);
  client.socket().emit("b", Buffer.from([0xfb, 0xef, 0xff, 0xfe]));
  assert.equal(await client.get(), `451-["b",{"_placeholder":true,"num":0}]${RS}b++///g==`);
});

test("a binary event may be spread over several POSTs", async (t) => {
  const { client } = await joined(t);
  await client.post('452-5["echo",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]');
  await client.post("bAA==");
  await client.post("b/w==");
  const text = '462-5[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]';
  assert.equal(await client.get(), [text, "b/w==", "bAA=="].join(RS));
});

test("a body split inside a character, or sent in chunks, is put together", async (t) => {
  const { client } = await joined(t);
  const body = Buffer.from('426["echo","€😀é"]');
  for (const headers of [
    { ...PLAIN, "Content-Length": body.length },
    { ...PLAIN, "Transfer-Encoding": "chunked" },
  ]) {
    const chunked = "Transfer-Encoding" in headers;
    const post = await client.begin({ method: "POST", headers });
    for (const byte of body) {
      const part = Buffer.from([byte]);
      post.wire.write(chunked ? Buffer.concat([Buffer.from("1\r\n"), part, CRLF]) : part);
    }
    if (chunked) post.wire.write("0\r\n\r\n");
    assert.equal((await post.response()).text, "ok");
    assert.equal(await client.get(), '436["€😀é"]');
  }
});

const CRLF = Buffer.from("\r\n");

test("requests written back to back on one connection are all answered in order", async (t) => {
  const { server, client } = await joined(t);
  const path = server.path({ transport: "polling", sid: client.sid });
  const opened = await server.wire();
  const post = { method: "POST", path, headers: PLAIN, body: '424["echo"]' };
  opened.write(
    Buffer.concat([
      wire.requestBytes(post),
      wire.requestBytes({ path }),
      wire.requestBytes({ path: "/elsewhere" }),
    ]),
  );
  assert.equal((await wire.readResponse(opened)).text, "ok");
  assert.equal((await wire.readResponse(opened)).text, "434[]");
  assert.equal((await wire.readResponse(opened)).text, "application");
});

test("a connection is kept alive unless the client asks to close it", async (t) => {
  const { server } = await joined(t);
  const path = server.path({ transport: "polling" });
  const opened = await server.wire();
  opened.write(wire.requestBytes({ path }));
  const kept = await wire.readResponse(opened);
  assert.notEqual(kept.headers.connection, "close");
  opened.write(wire.requestBytes({ path, headers: { Connection: "close" } }));
  const last = await wire.readResponse(opened);
  assert.equal(last.headers.connection, "close");
  assert.equal((await opened.rest()).length, 0);
});

for (const packet of ["0", "5", "6", "3", "3data", "0{}", "5x", "6x"]) {
  test(`packet "${packet}" from the client is ignored`, async (t) => {
    const { client } = await joined(t);
    await client.post(packet);
    await client.post(`${packet}${RS}422["echo"]${RS}${packet}`);
    assert.equal(await client.get(), "432[]");
  });
}

for (const agent of ["Mozilla/4.0 (compatible;MSIE 8.0)", "Mozilla/5.0 (Trident/7.0)"]) {
  test(`XSS protection is switched off for ${agent}`, async (t) => {
    const { client } = await joined(t);
    const headers = { "User-Agent": agent };
    const body = '421["echo"]';
    const post = await client.request({ method: "POST", headers, body });
    const get = await client.request({ headers });
    for (const response of [post, get]) {
      assert.equal(response.headers["x-xss-protection"], "0");
    }
    await client.post('422["echo"]');
    const plain = await client.request({ headers: { "User-Agent": "Mozilla/5.0" } });
    assert.equal(plain.headers["x-xss-protection"], undefined);
  });
}

const DECODERS = { gzip: zlib.gunzipSync, deflate: zlib.inflateSync };

for (const [accepted, encoding] of [
  ["gzip, deflate", "gzip"],
  ["deflate", "deflate"],
  ["gzip;q=0.5, deflate", "deflate"],
  ["*", "gzip"],
]) {
  test(`a long payload is sent as ${encoding} when "${accepted}" is accepted`, async (t) => {
    const { client } = await joined(t);
    const word = "€".repeat(400);
    client.socket().emit("word", word);
    const response = await client.request({ headers: { "Accept-Encoding": accepted } });
    assert.equal(response.headers["content-encoding"], encoding);
    assert.equal(response.headers["content-type"], "text/plain; charset=UTF-8");
    const text = DECODERS[encoding](response.body).toString("utf8");
    assert.equal(text, `42["word","${word}"]`);
    await client.echo();
  });
}

for (const { title, accepted = "gzip", length = 2000, options, compress = true } of [
  { title: "it is shorter than the threshold", length: 900 },
  { title: "nothing is accepted", accepted: null },
  { title: "gzip is refused", accepted: "gzip;q=0, identity" },
  { title: "only br is accepted", accepted: "br" },
  { title: "httpCompression is off", options: { httpCompression: false } },
  { title: "the threshold is higher", options: { httpCompression: { threshold: 4000 } } },
  { title: "the packet asks for none", compress: false },
]) {
  test(`a payload is not compressed when ${title}`, async (t) => {
    const { client } = await joined(t, options);
    const word = "x".repeat(length);
    client.socket().compress(compress).emit("word", word);
    const headers = accepted === null ? {} : { "Accept-Encoding": accepted };
    const response = await client.request({ headers });
    assert.equal(response.headers["content-encoding"], undefined);
    assert.equal(response.text, `42["word","${word}"]`);
  });
}

test("a lower threshold compresses short payloads", async (t) => {
  const { client } = await joined(t, { httpCompression: { threshold: 10 } });
  client.socket().emit("word", "short");
  const response = await client.request({ headers: { "Accept-Encoding": "gzip" } });
  assert.equal(response.headers["content-encoding"], "gzip");
  assert.equal(zlib.gunzipSync(response.body).toString(), '42["word","short"]');
});
