"use strict";

// A WebTransport session without QUIC: two streams that the test holds the other ends of.

const { createRequire } = require("node:module");

const parser = createRequire(require.resolve("engine.io"))("engine.io-parser");

/** A session for the server, and what the client does with it. */
class FakeSession {
  constructor() {
    this.wasClosed = false;
    this.closed = new Promise((resolve) => {
      this._resolveClosed = resolve;
    });
    const up = new TransformStream();
    const down = new TransformStream();
    this.incomingBidirectionalStreams = new ReadableStream({
      start: (controller) => controller.enqueue({ readable: up.readable, writable: down.writable }),
    });
    const encoder = parser.createPacketEncoderStream();
    encoder.readable.pipeTo(up.writable).catch(() => {});
    this._writer = encoder.writable.getWriter();
    this._reader = down.readable
      .pipeThrough(parser.createPacketDecoderStream(1e6, "nodebuffer"))
      .getReader();
  }

  /** Called by the server. */
  close() {
    this.wasClosed = true;
    this._resolveClosed();
  }

  /** Sends a packet of the client. */
  send(packet) {
    return this._writer.write(packet);
  }

  /** The next packet of the server. */
  async receive() {
    const { value } = await this._reader.read();
    return value;
  }
}

module.exports = { FakeSession };
