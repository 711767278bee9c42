"use strict";

// How a test is declared: with a time limit, and once for each way a client can talk
// to the server. Starting servers and clients is in app.js.

const nodeTest = require("node:test");

const TIME_LIMIT = 30_000;

/** The ways a client can be connected; `final` is the transport in use once it is settled. */
const TRANSPORTS = {
  websocket: {
    title: "over WebSocket only",
    final: "websocket",
    client: { transports: ["websocket"] },
  },
  polling: {
    title: "over polling only",
    final: "polling",
    client: { transports: ["polling"] },
  },
  upgraded: {
    title: "over polling upgraded to WebSocket",
    final: "websocket",
    client: { transports: ["polling", "websocket"] },
  },
};

/** Declares one test that cannot hang for ever. */
function test(title, body) {
  nodeTest.test(title, { timeout: TIME_LIMIT }, body);
}

/**
 * Declares the same test for each transport, or for those named.
 * The body gets `(t, transport)`; pass `transport` on to `serve`.
 */
function eachTransport(title, body, names = Object.keys(TRANSPORTS)) {
  for (const name of names) {
    test(`${title}, ${TRANSPORTS[name].title}`, (t) => body(t, TRANSPORTS[name]));
  }
}

module.exports = { test, eachTransport, TRANSPORTS };
