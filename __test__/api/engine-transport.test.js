"use strict";

// conn.transport of both kinds, and transport.socket as applications use it.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, deferred, next, settle, until } = require("../support/events");
const { openPolling, request } = require("../support/request");

async function overWebSocket(t) {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", { transports: ["websocket"] });
  await settle(client, socket);
  const peer = client.io.engine.transport.ws;
  return { app, client, socket, peer, conn: socket.conn, ws: socket.conn.transport.socket };
}

test("transport.socket knows the connection below it", async (t) => {
  const { app, conn, ws } = await overWebSocket(t);
  assert.equal(conn.transport.socket, ws);
  assert.equal(ws.readyState, 1);
  assert.deepEqual([ws.CONNECTING, ws.OPEN, ws.CLOSING, ws.CLOSED], [0, 1, 2, 3]);
  assert.equal(ws.extensions, "");
  assert.equal(ws._extensions["permessage-deflate"], undefined);
  assert.equal(ws.protocol, "");
  assert.equal(ws.binaryType, "nodebuffer");
  assert.equal(ws._socket.remoteAddress, "127.0.0.1");
  assert.equal(ws._socket.localPort, app.port);
  assert.equal(typeof ws._socket.remotePort, "number");
  ws._socket.setNoDelay(true);
  ws._socket.setKeepAlive(true, 1000);
  ws._socket.setTimeout(0);
  await until(() => ws.bufferedAmount === 0);
  assert.equal(conn.request.websocket, ws);
});

test("transport.socket sends messages past Engine.IO", async (t) => {
  const { client, peer, ws } = await overWebSocket(t);
  const texts = collect(client.io.engine, "data", 1);
  const sent = deferred();
  ws.send('42["event"]', (err) => sent.resolve(err));
  assert.deepEqual(await texts, [['2["event"]']]);
  assert.ok(!(await sent.promise));
  const frames = collect(peer, "message", 2);
  ws.send(Buffer.from([1, 2, 3]));
  ws.send(new Uint8Array([4]), { binary: true });
  assert.deepEqual(
    (await frames).map(([data, binary]) => [[...data], binary]),
    [
      [[1, 2, 3], true],
      [[4], true],
    ],
  );
});

test("transport.socket pings, and hears pings and pongs", async (t) => {
  const { peer, ws } = await overWebSocket(t);
  const pong = next(ws, "pong");
  const pinged = next(peer, "ping");
  ws.ping("are you there");
  assert.equal(String((await pinged)[0]), "are you there");
  assert.equal(String((await pong)[0]), "are you there");
  const ping = next(ws, "ping");
  peer.ping("hello");
  assert.equal(String((await ping)[0]), "hello");
  const unasked = next(peer, "pong");
  ws.pong("unasked");
  // The answer to the ping above may come first.
  assert.ok(["hello", "unasked"].includes(String((await unasked)[0])));
});

test("transport.socket hears messages as they come", async (t) => {
  const { client, ws } = await overWebSocket(t);
  const messages = collect(ws, "message", 2);
  client.emit("event", Buffer.from([9]));
  const [[text, isBinary], [bytes, isBinaryToo]] = await messages;
  assert.equal(String(text), '451-["event",{"_placeholder":true,"num":0}]');
  assert.deepEqual([isBinary, [...bytes], isBinaryToo], [false, [9], true]);
});

test("transport.socket.close sends the code and the reason", async (t) => {
  const { conn, peer, ws } = await overWebSocket(t);
  const closed = next(conn, "close");
  const told = next(peer, "close");
  ws.close(4001, "go away");
  const [code, reason] = await told;
  assert.deepEqual([code, String(reason)], [4001, "go away"]);
  assert.equal((await closed)[0], "transport close");
  await until(() => ws.readyState === 3);
});

test("transport.socket.terminate drops the connection", async (t) => {
  const { socket, peer, ws } = await overWebSocket(t);
  const reason = next(socket, "disconnect");
  const told = next(peer, "close");
  const closed = next(ws, "close");
  ws.terminate();
  assert.equal((await reason)[0], "transport close");
  assert.equal((await told)[0], 1006);
  assert.equal((await closed)[0], 1006);
});

test("transport.socket hears with which code the client closes", async (t) => {
  const { peer, ws } = await overWebSocket(t);
  const closed = next(ws, "close");
  peer.close(4002, "bye");
  const [code, reason] = await closed;
  assert.deepEqual([code, String(reason)], [4002, "bye"]);
  const failed = deferred();
  ws.send("late", (err) => failed.resolve(err));
  assert.ok((await failed.promise) instanceof Error);
});

test("destroying the stream of transport.socket ends the connection", async (t) => {
  const { socket, ws } = await overWebSocket(t);
  const reason = next(socket, "disconnect");
  ws._socket.destroy();
  assert.equal((await reason)[0], "transport close");
});

eachTransport("the transport tells of packets, drain and close", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  await settle(client, socket);
  const used = socket.conn.transport;
  const packet = next(used, "packet");
  client.emit("event", 1);
  assert.deepEqual(await packet, [{ type: "message", data: '2["event",1]' }]);
  const drained = next(used, "drain");
  socket.emit("event", 1);
  await drained;
  const closed = next(used, "close");
  assert.equal(used.readyState, "open");
  client.disconnect();
  await closed;
  assert.equal(used.readyState, "closed");
});

test("a listener for the headers of a polling transport may change them", async (t) => {
  const app = await serve(t);
  app.io.engine.on("connection", (conn) => {
    conn.transport.once("headers", (headers) => {
      headers["X-Answer"] = "yes";
    });
    conn.send("now");
  });
  const connection = next(app.io.engine, "connection");
  const { open } = await openPolling(app.url);
  await connection;
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const { headers, text } = await request(url);
  assert.deepEqual([headers["x-answer"], text], ["yes", "4now"]);
});

test("the polling transport shows the requests that are under way", async (t) => {
  const app = await serve(t);
  const connection = next(app.io.engine, "connection");
  const { open } = await openPolling(app.url);
  const [{ transport }] = await connection;
  assert.equal(transport.name, "polling");
  await until(() => !transport.req);
  assert.equal(transport.writable, false);
  const url = `${app.url}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`;
  const answer = request(url);
  await until(() => transport.req);
  assert.equal(transport.writable, true);
  assert.equal(transport.req._query.sid, open.sid);
  assert.equal(transport.res.headersSent, false);
  const cleanups = [typeof transport.req.cleanup, transport.req.res];
  assert.deepEqual(cleanups, ["function", null]);
  app.io.engine.clients[open.sid].send("now");
  assert.equal((await answer).text, "4now");
  assert.ok(!transport.req && !transport.res);
  assert.equal(transport.closeTimeout, 30_000);
  assert.equal(transport.maxHttpBufferSize, 1e6);
  assert.deepEqual(transport.httpCompression, { threshold: 1024 });
  app.io.engine.clients[open.sid].close(true);
});

test("onDataRequest may be replaced, and wraps the original", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", { transports: ["polling"] });
  const { transport } = socket.conn;
  const original = transport.onDataRequest;
  let requests = 0;
  transport.onDataRequest = function (req, res) {
    requests++;
    assert.equal(req.method, "POST");
    return original.call(this, req, res);
  };
  await settle(client, socket);
  assert.ok(requests > 0);
});

test("doWrite may be replaced, and sees the payload", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect("/", { transports: ["polling"] });
  const { transport } = socket.conn;
  const original = transport.doWrite;
  const payloads = [];
  transport.doWrite = function (data, options, done) {
    payloads.push(data);
    return original.call(this, data, options, done);
  };
  const received = next(client, "event");
  socket.emit("event", 1);
  await received;
  assert.ok(payloads.includes('42["event",1]'), JSON.stringify(payloads));
});

test("closeTimeout bounds how long a closing poll waits", async (t) => {
  const app = await serve(t);
  const connection = next(app.io.engine, "connection");
  await openPolling(app.url);
  const [conn] = await connection;
  conn.transport.closeTimeout = 20;
  const closed = next(conn, "close");
  conn.close();
  assert.equal(conn.readyState, "closing");
  assert.equal((await closed)[0], "forced close");
});

eachTransport("send of the transport may be replaced", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  await settle(client, socket);
  const used = socket.conn.transport;
  const original = used.send;
  const sent = [];
  used.send = function (packets) {
    sent.push(...packets.map(({ type, data }) => [type, data]));
    return original.call(this, packets);
  };
  const received = next(client, "event");
  app.io.emit("event", 1);
  await received;
  assert.deepEqual(
    sent.filter(([type]) => type === "message"),
    [["message", '2["event",1]']],
  );
});

test("onError of the transport closes the connection", async (t) => {
  const { conn } = await overWebSocket(t);
  const closed = next(conn, "close");
  conn.transport.onError("broken", { code: 1 });
  const [reason, error] = await closed;
  assert.equal(reason, "transport error");
  assert.equal(error.message, "broken");
  assert.deepEqual([error.type, error.description], ["TransportError", { code: 1 }]);
});

test("discard and close of the transport", async (t) => {
  const { conn } = await overWebSocket(t);
  conn.transport.discard();
  assert.equal(conn.transport.discarded, true);
  const closed = next(conn, "close");
  conn.transport.close();
  assert.equal(conn.transport.readyState, "closing");
  assert.equal((await closed)[0], "transport close");
});
