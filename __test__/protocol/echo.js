"use strict";

// A WebSocket echo on the engine alone, and one case against it: the setting that conformance
// suites for WebSocket expect. The engine's own packet type is the only thing in the way: a text
// is sent with a "4" in front, and comes back with one.

const assert = require("node:assert/strict");
const http = require("node:http");
const { once } = require("node:events");
const { engine } = require("../support/target");
const { OPCODE, Wire, closePayload, frame, readFrame, readResponse } = require("./wire");
const { requestBytes, upgradeHeaders } = require("./wire");

/** Limits and timers that no case meets by accident. */
const OPTIONS = {
  pingInterval: 1_000_000,
  pingTimeout: 1_000_000,
  maxHttpBufferSize: 1 << 25,
  transports: ["websocket"],
};

/**
 * Starts an engine that sends every message back. Closed when the test ends.
 * @returns {Promise<number>} the port
 */
async function startEcho(t, options = {}) {
  const httpServer = http.createServer();
  const server = engine.attach(httpServer, { ...OPTIONS, ...options });
  server.on("connection", (conn) => conn.on("message", (message) => conn.send(message)));
  t.after(() => {
    server.close();
    httpServer.close();
    httpServer.closeAllConnections();
  });
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  return httpServer.address().port;
}

/** An upgraded connection whose open packet was read, and the extensions that were agreed on. */
async function connect(port, headers) {
  const wire = await Wire.open(port);
  const path = "/engine.io/?EIO=4&transport=websocket";
  wire.write(requestBytes({ path, headers: upgradeHeaders(headers) }));
  const response = await readResponse(wire);
  assert.equal(response.status, 101, response.statusLine);
  const open = await readFrame(wire);
  assert.equal(open.opcode, OPCODE.text);
  return { wire, extensions: response.headers["sec-websocket-extensions"], open };
}

/** A text with the packet type in front, as bytes. */
function message(text) {
  return Buffer.concat([Buffer.from("4"), Buffer.from(text)]);
}

/** Ways to deliver the same frames. */
const DELIVERIES = {
  "in one piece": (wire, frames) => wire.write(Buffer.concat(frames)),
  "frame by frame": (wire, frames) => frames.forEach((bytes) => wire.write(bytes)),
  "byte by byte": (wire, frames) => {
    for (const byte of Buffer.concat(frames)) wire.write(Buffer.from([byte]));
  },
};

/**
 * Sends frames and says what came: all frames up to the close frame, and its code. The client
 * closes by itself (1000) as soon as it has got `expected` frames, unless the server is to close.
 */
async function converse(wire, deliver, frames, { expected, closes }) {
  deliver(wire, frames);
  const seen = [];
  let asked = false;
  for (;;) {
    if (!closes && !asked && seen.length === expected) {
      asked = true;
      wire.write(frame(OPCODE.close, closePayload(1000)));
    }
    const { fin, rsv, opcode, payload } = await readFrame(wire);
    assert.deepEqual({ fin, rsv }, { fin: true, rsv: 0 });
    if (opcode === OPCODE.close) {
      wire.end();
      assert.equal((await wire.rest()).length, 0, "bytes after the close frame");
      const code = payload.length === 0 ? undefined : payload.readUInt16BE();
      return { seen, code, asked };
    }
    seen.push([opcode, payload]);
  }
}

module.exports = { DELIVERIES, connect, converse, message, startEcho };
