"use strict";

// Packages that end an http server, which has to end the connections of its sockets too:
// http-terminator and stoppable. And supertest, which asks it.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { next } = require("../support/events");
const { load, serve } = require("./installed");

eachTransport("http-terminator ends a server with clients connected", async (t, transport) => {
  const app = await serve(t, { transport });
  const { createHttpTerminator } = load("http-terminator");
  const terminator = createHttpTerminator({
    server: app.httpServer,
    gracefulTerminationTimeout: 100,
  });
  const { client } = await app.connect();
  const gone = next(client, "disconnect");
  await terminator.terminate();
  assert.match((await gone)[0], /^transport (close|error)$/);
  assert.equal(app.httpServer.listening, false);
});

eachTransport("stoppable ends a server with clients connected", async (t, transport) => {
  const app = await serve(t, { transport, prepare: (io) => load("stoppable")(io.httpServer, 0) });
  const { client } = await app.connect();
  const gone = next(client, "disconnect");
  await new Promise((resolve, reject) => {
    app.httpServer.stop((error) => (error ? reject(error) : resolve()));
  });
  assert.match((await gone)[0], /^transport (close|error)$/);
});

test("supertest makes a handshake", async (t) => {
  const app = await serve(t);
  const request = load("supertest")(app.httpServer);
  const answer = await request.get("/socket.io/?EIO=4&transport=polling").expect(200);
  assert.equal(JSON.parse(answer.text.slice(1)).sid.length, 20);
  await request.get("/socket.io/?EIO=4&transport=carrier-pigeon").expect(400);
});
