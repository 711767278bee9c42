"use strict";

// Several copies of the package in one process: loaded anew, in worker threads, in vm contexts.

const assert = require("node:assert/strict");
const http = require("node:http");
const vm = require("node:vm");
const { target, name } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { App, closeAtEnd, listen } = require("../support/app");
const { next } = require("../support/events");
const { startFixture } = require("../support/fixture");
const { loadInRealm } = require("../support/realm");

test("copies that are loaded anew work side by side and do not pile up", async (t) => {
  const rounds = 15;
  const fixture = startFixture(t, "reloading", rounds);
  const { distinct, alive, exitListeners } = await fixture.report();
  assert.equal(distinct, 2);
  // The latest may still be referred to by what it has started.
  assert.ok(alive <= 4, `${alive} objects of ${rounds} copies are still there`);
  assert.equal(exitListeners, 0);
  assert.deepEqual(await fixture.exited(), { code: 0, signal: null });
  assert.equal(fixture.stderr, "");
});

for (const [how, title] of [
  ["close", "close their servers"],
  ["exit", "exit with clients"],
  ["terminate", "are terminated with clients and under load"],
]) {
  test(`worker threads with servers ${title}`, async (t) => {
    const fixture = startFixture(t, "workers", how, 3);
    const reasons = await fixture.report();
    assert.equal(reasons.length, 8);
    assert.ok(
      reasons.every((reason) => /^transport (close|error)$/.test(reason)),
      `${reasons}`,
    );
    assert.deepEqual(await fixture.exited(), { code: 0, signal: null });
    assert.equal(fixture.stderr, "");
  });
}

eachTransport("a copy in a vm context serves like any other", async (t, transport) => {
  const { exports, context } = loadInRealm(require.resolve(name));
  assert.notEqual(exports.Server, target.Server);
  const httpServer = http.createServer();
  const io = new exports.Server(httpServer);
  const app = new App(io, transport);
  closeAtEnd(t, io, app);
  await listen(httpServer);
  const { client, socket } = await app.connect();
  socket.join("room");

  socket.on("echo", (...args) => args.pop()(...args));
  const answer = await client.emitWithAck("echo", { list: [1, Buffer.from([2])] });
  assert.deepEqual(answer, { list: [1, Buffer.from([2])] });

  // What code within the context makes, and what code outside makes.
  const inside = vm.runInContext("({ list: [new Uint8Array([1, 2]), { a: null }] })", context);
  for (const value of [inside, { list: [new Uint8Array([1, 2]), { a: null }] }]) {
    for (const send of [socket, app.io.to("room"), app.io]) {
      const heard = next(client, "event");
      send.emit("event", value);
      assert.deepEqual((await heard)[0], { list: [Buffer.from([1, 2]), { a: null }] });
    }
  }
});
