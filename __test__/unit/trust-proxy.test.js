"use strict";

// The option trustProxy: whose X-Forwarded-For decides about handshake.address.

const assert = require("node:assert/strict");
const { Server } = require("../..");
const { readTrust } = require("../../lib/trust-proxy");
const { test } = require("../support/scenario");
const { serveOwn } = require("../support/own-app");

const FORWARDED = "203.0.113.7, 198.51.100.1, 10.0.0.9";

for (const acceptor of process.platform === "linux" ? ["node", "native"] : ["node"]) {
  for (const [title, trustProxy, expected] of [
    ["nobody by default", undefined, "127.0.0.1"],
    ["nobody", false, "127.0.0.1"],
    ["everybody", true, "203.0.113.7"],
    ["one hop", 1, "10.0.0.9"],
    ["two hops", 2, "198.51.100.1"],
    ["names and subnets", "loopback, 10.0.0.0/8", "198.51.100.1"],
    ["a list", ["127.0.0.1", "10.0.0.9", "198.51.100.0/24"], "203.0.113.7"],
    ["a list without the peer", ["10.0.0.9"], "127.0.0.1"],
    ["a function", (address, hop) => hop === 0 && address === "127.0.0.1", "10.0.0.9"],
  ]) {
    test(`${title} (accepted by ${acceptor})`, async (t) => {
      const app = await serveOwn(t, { acceptor, trustProxy });
      const headers = { "X-Forwarded-For": FORWARDED };
      for (const transports of [["websocket"], ["polling"]]) {
        const { socket } = await app.connect("/", { transports, extraHeaders: headers });
        assert.equal(socket.handshake.address, expected);
        assert.equal(socket.conn.remoteAddress, "127.0.0.1");
        assert.equal(socket.request.socket.remoteAddress, "127.0.0.1");
      }
      const { socket } = await app.connect("/", { transports: ["websocket"] });
      assert.equal(socket.handshake.address, "127.0.0.1");
    });
  }
}

test("an address that is unknown, as on a unix socket, is no obstacle", () => {
  const { clientAddress } = require("../../lib/trust-proxy");
  const request = /** @type {any} */ ({ headers: { "x-forwarded-for": "203.0.113.7" } });
  const ask = (trust) => clientAddress({ _trust: readTrust(trust) }, undefined, request);
  assert.equal(ask(true), "203.0.113.7");
  assert.equal(ask(1), "203.0.113.7");
  assert.equal(ask(["10.0.0.0/8"]), undefined);
  assert.equal(clientAddress({ _trust: readTrust(true) }, "::1", undefined), "::1");
});

test("a value that means nothing is refused", () => {
  for (const trustProxy of [-1, 1.5, {}, null, [1], "10.0.0.0/99", "somewhere"]) {
    assert.throws(() => new Server({ trustProxy }), /the option "trustProxy" must be/);
  }
});
