"use strict";

// A server of node:http2 that also speaks HTTP/1.1: WebSockets and ordinary clients come over
// HTTP/1.1, browsers poll over HTTP/2.

const assert = require("node:assert/strict");
const http2 = require("node:http2");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { next } = require("../support/events");
const { selfSigned } = require("../support/certificate");

const { key, cert } = selfSigned();

async function serveBoth(t, setup = {}) {
  const httpServer = http2.createSecureServer({ key, cert, allowHTTP1: true }, (req, res) => {
    res.end("application");
  });
  const app = await serve(t, { ...setup, httpServer });
  // It has no closeAllConnections().
  httpServer.on("secureConnection", (stream) => atEnd(t, () => stream.destroy()));
  const url = `https://127.0.0.1:${app.port}`;
  Object.defineProperty(app, "url", { value: url });
  const { connect } = app;
  app.connect = (namespace, options) => connect.call(app, namespace, { ca: cert, ...options });
  return app;
}

eachTransport("clients over HTTP/1.1 are served by an http2 server", async (t, transport) => {
  const app = await serveBoth(t, { transport });
  const { client, socket } = await app.connect();
  socket.on("question", (value, answer) => answer(value, Buffer.from([2])));
  assert.deepEqual(await client.emitWithAck("question", "é"), "é");
  client.on("question", (value, answer) => answer([value]));
  assert.deepEqual(await socket.emitWithAck("question", Buffer.from([1])), [Buffer.from([1])]);
  assert.equal(socket.handshake.secure, true);
  const gone = next(socket, "disconnect");
  client.disconnect();
  assert.deepEqual((await gone)[0], "client namespace disconnect");
});

test("a session polls over HTTP/2", async (t) => {
  const app = await serveBoth(t);
  const session = http2.connect(app.url, { ca: cert });
  atEnd(t, () => session.destroy());
  const path = "/socket.io/?EIO=4&transport=polling";
  assert.equal((await ask(session, { ":path": "/" })).text, "application");
  const open = await ask(session, { ":path": path });
  assert.deepEqual([open.status, open.text[0]], [200, "0"]);
  const { sid } = JSON.parse(open.text.slice(1));
  const joined = next(app.io, "connection");
  const own = `${path}&sid=${sid}`;
  const answers = await Promise.all([
    ask(session, { ":path": own, ":method": "POST", "content-type": "text/plain" }, "40"),
    ask(session, { ":path": own }),
  ]);
  assert.deepEqual(answers[0], { status: 200, text: "ok" });
  const [socket] = await joined;
  assert.deepEqual(answers[1], { status: 200, text: `40{"sid":"${socket.id}"}` });
  const poll = ask(session, { ":path": own });
  socket.emit("late", "é");
  assert.deepEqual(await poll, { status: 200, text: '42["late","é"]' });
  const unknown = await ask(session, { ":path": `${path}&sid=nobody` });
  assert.deepEqual(unknown, { status: 400, text: '{"code":1,"message":"Session ID unknown"}' });
});

/** One request on an HTTP/2 session. */
async function ask(session, headers, body) {
  const stream = session.request(headers);
  stream.setEncoding("utf8");
  const response = next(stream, "response");
  stream.end(body);
  let text = "";
  for await (const chunk of stream) text += chunk;
  return { status: (await response)[0][":status"], text };
}
