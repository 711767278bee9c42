"use strict";

// Socket.IO v5 CONNECT, CONNECT_ERROR and DISCONNECT: auth, namespaces, several of them on one
// connection, middleware answers. Refused packets are in packets-refused.test.js.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { RS, event, startHostile, startServer } = require("./support");

for (const [packet, nsp, auth] of [
  ["0", "/", {}],
  ["0{}", "/", {}],
  ['0{"token":"x"}', "/", { token: "x" }],
  ["0/,", "/", {}],
  ['0/,{"token":"x"}', "/", { token: "x" }],
  ["0/admin,", "/admin", {}],
  ["0/admin", "/admin", {}],
  ["0/admin,{}", "/admin", {}],
  ['0/admin,{"a":{"b":[1,null,"€"]}}', "/admin", { a: { b: [1, null, "€"] } }],
  ['0 {"spaced": true}', "/", { spaced: true }],
]) {
  test(`CONNECT ${JSON.stringify(packet)} is accepted`, async (t) => {
    const server = await startServer(t);
    const client = await server.websocket();
    client.send(`4${packet}`);
    const answer = await client.text();
    const prefix = nsp === "/" ? "40" : `40${nsp},`;
    assert.ok(answer.startsWith(`${prefix}{"sid":"`), answer);
    const body = JSON.parse(answer.slice(prefix.length));
    assert.deepEqual(Object.keys(body), ["sid"]);
    assert.match(body.sid, /^[\w-]{20}$/);
    client.ids[nsp] = body.sid;
    assert.deepEqual(client.socket(nsp).handshake.auth, auth);
    assert.equal(client.socket(nsp).nsp.name, nsp);
    await client.echo(nsp);
  });
}

test("__proto__ in auth is a property like any other", async (t) => {
  const server = await startServer(t);
  const client = await server.websocket();
  client.send('40{"__proto__":{"admin":true},"constructor":1}');
  client.ids["/"] = JSON.parse((await client.text()).slice(2)).sid;
  const { auth } = client.socket().handshake;
  assert.deepEqual(Object.keys(auth), ["__proto__", "constructor"]);
  assert.equal(auth.admin, undefined);
  assert.equal({}.admin, undefined);
});

for (const name of ["/nope", "/admin?x=1", "/__proto__", "/admin/", "/€", "/a b"]) {
  test(`namespace ${name} is unknown: the client is told and may try another`, async (t) => {
    const server = await startServer(t);
    const client = await server.websocket();
    client.send(`40${name},{"a":1}`);
    assert.equal(await client.text(), `44${name},{"message":"Invalid namespace"}`);
    await client.join();
    await client.echo();
  });
}

test("an unknown namespace leaves a joined one alone", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  client.send("40/nope");
  assert.equal(await client.text(), '44/nope,{"message":"Invalid namespace"}');
  await client.echo();
});

for (const [title, fail, body] of [
  ["an error", (next) => next(new Error("not authorized")), '{"message":"not authorized"}'],
  [
    "an error with data",
    (next) => next(Object.assign(new Error("no"), { data: { code: 7, why: ["x"] } })),
    '{"message":"no","data":{"code":7,"why":["x"]}}',
  ],
  ["an empty message", (next) => next(new Error("")), '{"message":""}'],
]) {
  for (const nsp of ["/", "/admin"]) {
    test(`a middleware of ${nsp} that fails with ${title} answers CONNECT_ERROR`, async (t) => {
      const server = await startServer(t);
      server.io.of(nsp).use((socket, next) => (socket.handshake.auth.ok ? next() : fail(next)));
      const client = await server.websocket();
      const address = nsp === "/" ? "" : `${nsp},`;
      client.send(`40${address}`);
      assert.equal(await client.text(), `44${address}${body}`);
      assert.equal(server.io.of(nsp).sockets.size, 0);
      await client.join(nsp, { ok: true });
      await client.echo(nsp);
    });
  }
}

test("a dynamic namespace is created by its first CONNECT", async (t) => {
  const server = await startServer(t);
  const names = [];
  server.io.of(/^\/room-\d+$/).on("connection", (socket) => names.push(socket.nsp.name));
  const client = await server.websocket();
  client.send("40/room-1,");
  assert.match(await client.text(), /^40\/room-1,\{"sid":"/);
  client.send("40/room-x,");
  assert.equal(await client.text(), '44/room-x,{"message":"Invalid namespace"}');
  assert.deepEqual(names, ["/room-1"]);
});

test("a client may join a namespace without joining the main one", async (t) => {
  const server = await startServer(t);
  const client = await server.join("/admin");
  await client.echo("/admin");
  assert.equal(server.io.of("/").sockets.size, 0);
});

test("namespaces share a connection and keep their packets apart", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  await client.join("/admin");
  assert.notEqual(client.ids["/"], client.ids["/admin"]);
  client.send('42["log","main"]');
  client.send('42/admin,["log","admin"]');
  client.send('42/,["log","main again"]');
  await client.echo();
  await client.echo("/admin");
  assert.deepEqual(client.record("/").log, [["main"], ["main again"]]);
  assert.deepEqual(client.record("/admin").log, [["admin"]]);
  server.io.of("/admin").emit("to", "admin");
  server.io.emit("to", "main");
  const received = [await client.text(), await client.text()];
  assert.deepEqual(received.sort(), ['42/admin,["to","admin"]', '42["to","main"]']);
});

test("DISCONNECT leaves one namespace; the connection and the others stay", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  await client.join("/admin");
  client.send("41/admin,");
  assert.equal(await client.disconnected("/admin"), "client namespace disconnect");
  await client.echo();
  client.send("41");
  assert.equal(await client.disconnected("/"), "client namespace disconnect");
  assert.equal(client.conn.readyState, "open");
  assert.equal(server.io.of("/").sockets.size, 0);
  assert.equal(server.io.of("/admin").sockets.size, 0);
});

test("a namespace may be joined again after DISCONNECT, with a new id", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  const before = client.ids["/"];
  client.send("41");
  await client.disconnected();
  await client.join();
  assert.notEqual(client.ids["/"], before);
  await client.echo();
});

for (const [nsp, packet] of [
  ["/", "41"],
  ["/admin", "41/admin,"],
]) {
  test(`socket.disconnect() of ${nsp} sends ${packet} and keeps the connection`, async (t) => {
    const server = await startServer(t);
    const client = await server.join(nsp);
    client.socket(nsp).disconnect();
    assert.equal(await client.text(), packet);
    assert.equal(await client.disconnected(nsp), "server namespace disconnect");
    assert.equal(client.conn.readyState, "open");
    await client.join(nsp);
    await client.echo(nsp);
  });
}

test("what a connection listener emits follows CONNECT on the wire", async (t) => {
  const server = await startServer(t);
  server.io.on("connection", (socket) => {
    socket.emit("hello", 1);
    server.io.emit("hello", 2);
  });
  const client = await server.join();
  assert.equal(await client.text(), '42["hello",1]');
  assert.equal(await client.text(), '42["hello",2]');
});

test("over polling, CONNECT and DISCONNECT of several namespaces fit in one payload", async (t) => {
  const server = await startServer(t);
  const client = await server.polling();
  const both = Promise.all([
    event(server.io.of("/"), "connection"),
    event(server.io.of("/admin"), "connection"),
  ]);
  await client.post(["40", "40/admin,"].join(RS));
  await both;
  const packets = (await client.get()).split(RS);
  if (packets.length === 1) packets.push(...(await client.get()).split(RS));
  assert.match(packets[0], /^40\{"sid":"[\w-]{20}"\}$/);
  assert.match(packets[1], /^40\/admin,\{"sid":"[\w-]{20}"\}$/);
  await client.post(["41", "41/admin,"].join(RS));
  await client.post("1");
  assert.equal((await client.closed()).reason, "transport close");
});

test("a CONNECT whose middleware never answers is dropped with its connection", async (t) => {
  const server = await startHostile(t);
  let entered;
  const inside = new Promise((resolve) => (entered = resolve));
  server.io.of("/admin").use(() => entered());
  const client = await server.websocket();
  client.send("40/admin,");
  await inside;
  client.wire.end();
  await client.closed();
  assert.equal(server.io.of("/admin").sockets.size, 0);
  await server.undisturbed();
});

test("a packet for a namespace still in middleware closes the connection", async (t) => {
  const server = await startHostile(t);
  let entered;
  const inside = new Promise((resolve) => (entered = resolve));
  server.io.of("/admin").use(() => entered());
  const client = await server.websocket();
  client.send("40/admin,");
  await inside;
  client.send('42/admin,["log"]');
  assert.equal(await client.closeHandshake(), undefined);
  assert.equal((await client.closed()).reason, "forced close");
  await server.undisturbed();
});

test("a second CONNECT during the middleware of the first makes a second socket", async (t) => {
  const server = await startServer(t);
  const waiting = [];
  server.io.of("/admin").use((socket, next) => waiting.push(next));
  const client = await server.websocket();
  client.send("40/admin,");
  client.send("40/admin,");
  await client.join();
  assert.equal(waiting.length, 2);
  for (const next of waiting) next();
  const ids = [await client.text(), await client.text()].map(
    (text) => JSON.parse(text.slice("40/admin,".length)).sid,
  );
  assert.notEqual(ids[0], ids[1]);
  assert.deepEqual([...server.io.of("/admin").sockets.keys()], ids);
  // The later one is the one that hears.
  client.ids["/admin"] = ids[1];
  client.send('42/admin,["log",1]');
  await client.echo("/admin");
  assert.deepEqual(client.record("/admin").log, [[1]]);
  assert.deepEqual(server.sockets.get(ids[0]).log, []);
});
