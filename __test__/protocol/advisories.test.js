"use strict";

// One test for each advisory that was published for socket.io, engine.io, socket.io-parser or ws,
// whether or not this code could ever have had the fault. Each ends with a client that goes on to
// be served: the process is alive and nobody else was disturbed.

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const { test } = require("node:test");
const { startHostile, startServer } = require("./support");
const { OPCODE, frame, requestBytes, upgradeHeaders } = require("./wire");

const { text, binary, continuation, pong } = OPCODE;

test("CVE-2016-10518: a ping with a number does not send that much memory of the process", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  client.conn.transport.socket.ping(100);
  const { opcode, payload } = await client.frame();
  assert.equal(opcode, OPCODE.ping);
  assert.ok(payload.length <= 3, `${payload.length} bytes`);
  await server.undisturbed({ clients: 2 });
});

test("CVE-2016-10542: the announced length of a message is limited before it arrives", async (t) => {
  const server = await startHostile(t);
  const client = await server.websocket();
  client.sendFrame(text, "4", { lengthBytes: 8, length: 2 ** 40 });
  assert.equal(await client.closeCode(), 1009);
  await server.undisturbed();
});

test("CVE-2017-16031: ids do not come from a predictable generator", async (t) => {
  const server = await startServer(t);
  t.mock.method(Math, "random", () => 0.5);
  const ids = new Set();
  for (let i = 0; i < 20; i++) {
    const client = await server.join();
    assert.match(client.sid, /^[\w-]{20}$/);
    ids.add(client.sid).add(client.socket().id);
  }
  assert.equal(ids.size, 40);
  // The last characters may count up; the others must differ everywhere.
  const starts = [...ids].map((id) => id.slice(0, 10));
  assert.equal(new Set(starts).size, 40);
});

test("CVE-2020-28481: other origins are not let in unless cors says so", async (t) => {
  const server = await startServer(t);
  const headers = { Origin: "https://elsewhere.example" };
  const response = await server.request({ query: { transport: "polling" }, headers });
  assert.equal(response.status, 200);
  assert.equal(response.headers["access-control-allow-origin"], undefined);
});

test("CVE-2020-36048: a POST over the limit is refused while it arrives", async (t) => {
  const server = await startHostile(t, { maxHttpBufferSize: 1000 });
  const client = await server.polling();
  const body = `4${"x".repeat(5000)}`;
  const response = await client.request({ method: "POST", body });
  assert.equal(response.status, 413);
  await server.undisturbed({ clients: 2 });
});

for (const [name, packet] of [
  ["many digits of attachments", `5${"1".repeat(100_000)}-["a"]`],
  ["many digits of an id", `2${"1".repeat(100_000)}["a"]`],
  ["a namespace without end", `2/${"x".repeat(100_000)}`],
]) {
  test(`CVE-2020-36049: ${name} cost no more than reading them`, async (t) => {
    const server = await startHostile(t);
    const client = await server.join();
    client.send(`4${packet}`);
    await server.bystander.echo();
  });
}

test("CVE-2021-32640: white space in Sec-WebSocket-Protocol takes no time to skip", async (t) => {
  const server = await startHostile(t);
  const headers = { "Sec-WebSocket-Protocol": `a${" ".repeat(15_000)}b` };
  const { response } = await server.upgrade({ headers });
  assert.ok([101, 400].includes(response.status), response.statusLine);
  await server.bystander.echo();
});

test("CVE-2022-2421: the number of a placeholder is checked", async (t) => {
  for (const num of ['"splice"', '"__proto__"', "-1", "7", "1.5", "null", "{}"]) {
    const server = await startHostile(t);
    const client = await server.join();
    client.send(`451-["log",{"_placeholder":true,"num":${num}}]`);
    client.sendBinary(Buffer.from([1]));
    const { conn: reason } = await client.ending();
    assert.equal(reason, "forced close", num);
    await server.undisturbed();
  }
});

test("CVE-2022-21676: an invalid frame right behind the upgrade request is no uncaught exception", async (t) => {
  const server = await startHostile(t);
  const client = await server.websocketOf({ head: frame(text, "4", { rsv: 7 }) });
  await client.wire.gone();
  await server.undisturbed();
});

test("CVE-2022-41940: a reset while an upgrade is being decided is no uncaught exception", async (t) => {
  const server = await startHostile(t);
  let decide;
  const asked = new Promise((resolve) => {
    server.io.engine.opts.allowRequest = (req, fn) => resolve((decide = () => fn(null, true)));
  });
  const wire = await server.wire();
  const path = server.path({ transport: "websocket" });
  wire.write(requestBytes({ path, headers: upgradeHeaders() }));
  await asked;
  wire.reset();
  await wire.gone();
  decide();
  server.io.engine.opts.allowRequest = undefined;
  await server.undisturbed();
});

for (const transport of ["polling", "webtransport", "constructor", "__proto__", "toString", ""]) {
  test(`CVE-2023-31125: an upgrade to "${transport}" is refused or closed`, async (t) => {
    const server = await startHostile(t);
    const { wire, response } = await server.upgrade({ query: { transport } });
    assert.ok([101, 400].includes(response.status), response.statusLine);
    // One that is accepted is closed with a frame, which waits for our own.
    wire.destroy();
    await server.undisturbed();
  });
}

for (const name of ['{"toString":"foo"}', "[]", "null", "true", '{"__proto__":null}']) {
  test(`CVE-2023-32695: ${name} as the name of an event ends the connection, not the process`, async (t) => {
    const server = await startHostile(t);
    const client = await server.join();
    client.send(`42[${name}]`);
    const { conn: reason } = await client.ending();
    assert.equal(reason, "forced close");
    await server.undisturbed();
  });
}

test("CVE-2024-37890: more headers than the server counts do not hide the upgrade", async (t) => {
  const server = await startHostile(t);
  server.httpServer.maxHeadersCount = 10;
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`X-${i}`, "x"]));
  const wire = await server.wire();
  const path = server.path({ transport: "websocket" });
  wire.write(requestBytes({ path, headers: { ...many, ...upgradeHeaders() } }));
  await wire.gone().catch(() => wire.destroy());
  server.httpServer.maxHeadersCount = null;
  await server.bystander.echo();
});

test("CVE-2024-38355: an error of a socket without listeners is no uncaught exception", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  client.send("42[");
  const { conn: reason } = await client.ending();
  assert.equal(reason, "forced close");
  await server.undisturbed();
});

for (const count of ["11", "99999999", "1e9", "-1", "0"]) {
  test(`CVE-2026-33151: a packet that announces ${count} attachments is refused at once`, async (t) => {
    const server = await startHostile(t);
    const client = await server.join();
    client.send(`45${count}-["log",{"_placeholder":true,"num":0}]`);
    const { conn: reason } = await client.ending();
    assert.equal(reason, "forced close");
    await server.undisturbed();
  });
}

test("CVE-2026-45736: a typed array as the reason of a close sends its own bytes or is refused", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  const reason = new Uint16Array([0x4141, 0x4242]);
  let refused = false;
  try {
    client.conn.transport.socket.close(1000, reason);
  } catch {
    refused = true;
  }
  if (!refused) {
    const { payload } = await client.frame();
    assert.ok(["", "AABB", "AB"].includes(payload.subarray(2).toString()), payload.toString("hex"));
  }
  client.wire.destroy();
  await client.closed();
  await server.undisturbed();
});

test("CVE-2026-48779: a message in ever so many tiny fragments is given up", async (t) => {
  const server = await startHostile(t);
  const client = await server.websocket();
  const piece = frame(continuation, "", { fin: false });
  const many = Buffer.concat(Array.from({ length: 10_000 }, () => piece));
  client.wire.write(frame(text, "4", { fin: false }));
  for (let i = 0; i < 20; i++) {
    client.wire.write(many);
  }
  assert.ok([1008, 1009].includes(await client.closeCode()));
  await server.undisturbed();
});

test("control frames in the middle of it change nothing", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  const noise = crypto.randomBytes(50);
  client.wire.write(frame(binary, noise.subarray(0, 10), { fin: false }));
  client.wire.write(frame(pong, noise.subarray(0, 20)));
  client.wire.write(frame(continuation, noise.subarray(10)));
  const { conn: reason } = await client.ending();
  assert.equal(reason, "forced close");
  await server.undisturbed();
});
