"use strict";

// permessage-deflate as conformance suites try it: every combination of what client and server may
// ask for, with messages of all sizes, whole and in fragments, against an echo. Both windows are
// kept for as long as the agreement says. What is refused is in deflate.test.js.

const assert = require("node:assert/strict");
const zlib = require("node:zlib");
const { test } = require("node:test");
const { connect, message, startEcho } = require("./echo");
const { OPCODE, frame, readFrame } = require("./wire");

const { text, binary, continuation } = OPCODE;
const TRAILER = Buffer.from([0, 0, 0xff, 0xff]);
const RSV1 = 4;

const OFFERS = [
  "",
  "; server_no_context_takeover",
  "; client_no_context_takeover",
  "; client_max_window_bits",
  "; client_max_window_bits=9",
  "; client_max_window_bits=15",
  "; server_max_window_bits=9",
  "; server_max_window_bits=15",
  "; server_no_context_takeover; client_no_context_takeover",
  "; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9",
  "; client_no_context_takeover; client_max_window_bits=10; server_max_window_bits=12",
];

const SERVERS = {
  "with its defaults": {},
  "that keeps no window": { serverNoContextTakeover: true },
  "that wants the client to keep none": { clientNoContextTakeover: true },
  "with small windows": { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
};

/** [length, count, bytes in a fragment] */
const ROUNDS = [
  [0, 2, 0],
  [16, 10, 0],
  [64, 10, 0],
  [256, 10, 0],
  [1024, 5, 0],
  [4096, 3, 0],
  [16384, 2, 0],
  [131072, 1, 0],
  [8192, 2, 256],
  [65536, 1, 256],
  [131072, 1, 1024],
  [131072, 1, 32768],
];

/** Text that compresses as documents do, with characters of several bytes. */
const WORDS = words(200_000);
const NOISE = noise(200_000);

for (const [title, options] of Object.entries(SERVERS)) {
  // A client that cannot have a smaller window is refused by a server that wants one.
  const wants = options.clientMaxWindowBits ? "client_max_window_bits" : "";
  for (const offer of OFFERS.filter((parameters) => parameters.includes(wants))) {
    test(`the offer "${offer}" to a server ${title}`, async (t) => {
      const port = await startEcho(t, { perMessageDeflate: { threshold: 0, ...options } });
      const peer = await Peer.open(port, `permessage-deflate${offer}`);
      let at = 0;
      for (const [length, count, fragment] of ROUNDS) {
        for (let i = 0; i < count; i++) {
          at = (at + 997) % 60_000;
          const said = message(WORDS.slice(at, at + length));
          await peer.send(text, said, fragment);
          assert.deepEqual(await peer.read(), { opcode: text, data: said });
        }
        const bytes = NOISE.subarray(at, at + length);
        await peer.send(binary, bytes, fragment);
        assert.deepEqual(await peer.read(), { opcode: binary, data: bytes });
      }
      peer.close();
    });
  }
}

/** A client with both windows of an agreement. */
class Peer {
  static async open(port, offer) {
    const headers = { "Sec-WebSocket-Extensions": offer };
    const { wire, extensions, open } = await connect(port, headers);
    const peer = new Peer(wire, parse(extensions));
    const { opcode, data } = await peer.take(open);
    assert.deepEqual([opcode, data.toString("utf8", 0, 1)], [text, "0"]);
    return peer;
  }

  constructor(wire, { params, bits }) {
    this.wire = wire;
    this.forgets = params.has("client_no_context_takeover");
    this.serverForgets = params.has("server_no_context_takeover");
    // zlib itself makes a window of 8 bits one of 9, and tells so.
    this.deflater = zlib.createDeflateRaw({ windowBits: bits("client_max_window_bits") });
    this.inflater = zlib.createInflateRaw({ windowBits: bits("server_max_window_bits") });
  }

  /** Sends a message compressed, in frames of `size` bytes (0: in one). */
  async send(opcode, data, size) {
    const packed = await through(this.deflater, data);
    const payload = packed.length === 0 ? Buffer.from([0]) : packed.subarray(0, -TRAILER.length);
    if (this.forgets) this.deflater.reset();
    const step = size || payload.length;
    const frames = [];
    for (let at = 0; at < payload.length; at += step) {
      const fin = at + step >= payload.length;
      const options = at === 0 ? { fin, rsv: RSV1 } : { fin };
      const kind = at === 0 ? opcode : continuation;
      frames.push(frame(kind, payload.subarray(at, at + step), options));
    }
    this.wire.write(Buffer.concat(frames));
  }

  /** The next message. */
  async read() {
    return this.take(await readFrame(this.wire));
  }

  async take({ fin, rsv, opcode, payload }) {
    assert.ok(fin);
    if (rsv === 0) return { opcode, data: payload };
    assert.equal(rsv, RSV1);
    const data = await through(this.inflater, Buffer.concat([payload, TRAILER]));
    if (this.serverForgets) this.inflater.reset();
    return { opcode, data };
  }

  close() {
    this.deflater.close();
    this.inflater.close();
    this.wire.destroy();
  }
}

/** The agreement of a response: its parameters, and how wide a window is. */
function parse(extensions) {
  const [name, ...rest] = extensions.split(";").map((part) => part.trim());
  assert.equal(name, "permessage-deflate");
  const params = new Map(rest.map((part) => part.split("=")));
  return { params, bits: (side) => Number(params.get(side) ?? 15) };
}

/** What a zlib stream makes of `data`, flushed to a byte. */
function through(stream, data) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    stream.removeAllListeners("data").removeAllListeners("error");
    stream.on("data", (chunk) => chunks.push(chunk)).on("error", reject);
    stream.write(data);
    stream.flush(zlib.constants.Z_SYNC_FLUSH, () => resolve(Buffer.concat(chunks)));
  });
}

function words(length) {
  const stock = ["lorem", "ipsum", "größe", "κόσμε", '{"id":', "null,", "\n", "true", "der", "€"];
  const next = numbers();
  let made = "";
  while (made.length < length) made += `${stock[next() % stock.length]} `;
  return made;
}

function noise(length) {
  const next = numbers();
  return Buffer.from(Array.from({ length }, () => next() & 0xff));
}

/** The same numbers in every run. */
function numbers() {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 16;
  };
}
