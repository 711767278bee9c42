"use strict";

// The client side of the wire, by hand: a byte reader over node:net, HTTP/1.1 requests and
// responses, WebSocket frames. Nothing here knows Engine.IO or the server under test.

const crypto = require("node:crypto");
const net = require("node:net");
const { once } = require("node:events");

/** How long any single wait may take before the test fails and says what it waited for. */
const PATIENCE_MS = 15_000;

const OPCODE = Object.freeze({
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
});

/**
 * Awaits `promise`, or rejects naming what did not happen: a hang becomes a readable failure.
 * @template T
 * @param {Promise<T>} promise
 * @param {string} what
 * @returns {Promise<T>}
 */
function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** One TCP connection, read by asking for bytes. */
class Wire {
  /** @returns {Promise<Wire>} a connected wire */
  static async open(port) {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    await within(once(socket, "connect"), "the TCP connection");
    return new Wire(socket);
  }

  #buffer = Buffer.alloc(0);
  #ended = false;
  #wake = () => {};

  constructor(socket) {
    this.socket = socket;
    const closed = new Promise((resolve) => socket.once("close", resolve));
    /** Resolves when the connection is closed on our side too. */
    this.gone = () => within(closed, "the connection to close");
    socket.on("data", (chunk) => {
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
      this.#wake();
    });
    // A reset ends the wire as a FIN does; "close" follows in both cases.
    socket.on("error", () => {});
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  write(bytes) {
    this.socket.write(bytes);
  }

  /** Ends our half (FIN). */
  end() {
    this.socket.end();
  }

  /** Drops the connection without a word more. */
  destroy() {
    this.socket.destroy();
  }

  /** Drops the connection with a TCP reset. */
  reset() {
    this.socket.resetAndDestroy();
  }

  /** Exactly `count` bytes. */
  async take(count) {
    await this.#fill(() => this.#buffer.length >= count, `${count} bytes`);
    return this.#shift(count);
  }

  /** Everything up to and without `mark`, which is consumed. */
  async until(mark) {
    let at = -1;
    await this.#fill(() => (at = this.#buffer.indexOf(mark)) !== -1, JSON.stringify(mark));
    const bytes = this.#shift(at);
    this.#shift(mark.length);
    return bytes;
  }

  /** Everything that comes before the peer ends the connection. */
  async rest() {
    while (!this.#ended) {
      await within(this.#change(), "the peer to end the connection");
    }
    return this.#shift(this.#buffer.length);
  }

  async #fill(enough, what) {
    while (!enough()) {
      if (this.#ended) {
        const had = JSON.stringify(this.#buffer.toString("latin1").slice(0, 200));
        throw new Error(`the connection ended while waiting for ${what}; unread: ${had}`);
      }
      await within(this.#change(), what);
    }
  }

  #change() {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #shift(count) {
    const bytes = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return bytes;
  }
}

/**
 * The bytes of a request head (and body, when it is given whole).
 * A body gets a content-length unless the headers already say how long it is.
 */
function requestBytes({ method = "GET", path, headers = {}, body }) {
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  const lines = [`${method} ${path} HTTP/1.1`];
  if (!names.includes("host")) lines.push("Host: 127.0.0.1");
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
  const sized = names.includes("content-length") || names.includes("transfer-encoding");
  if (body !== undefined && !sized) lines.push(`Content-Length: ${bytes.length}`);
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  return Buffer.concat([head, bytes]);
}

/**
 * Reads one response.
 * @returns {Promise<{status: number, statusLine: string, headers: object, body: Buffer,
 *   text: string}>} header names in lower case; repeated headers joined by ", "
 */
async function readResponse(wire, method = "GET") {
  const head = (await wire.until("\r\n\r\n")).toString("latin1");
  const [statusLine, ...lines] = head.split("\r\n");
  const status = Number(statusLine.split(" ")[1]);
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const body = await readBody(wire, status, headers, method);
  return { status, statusLine, headers, body, text: body.toString("utf8") };
}

async function readBody(wire, status, headers, method) {
  if (status < 200 || status === 204 || status === 304 || method === "HEAD") {
    return Buffer.alloc(0);
  }
  if (headers["transfer-encoding"] === "chunked") {
    const chunks = [];
    for (;;) {
      const size = parseInt((await wire.until("\r\n")).toString("latin1"), 16);
      chunks.push(Buffer.from(await wire.take(size)));
      await wire.take(2);
      if (size === 0) return Buffer.concat(chunks);
    }
  }
  if ("content-length" in headers) return wire.take(Number(headers["content-length"]));
  return wire.rest();
}

/** One request on a connection of its own. */
async function request(port, options) {
  const wire = await Wire.open(port);
  try {
    wire.write(requestBytes(options));
    return await readResponse(wire, options.method);
  } finally {
    wire.destroy();
  }
}

const KEY = Buffer.from("the sample nonce").toString("base64");

/** The value that answers KEY, as RFC 6455 section 4.2.2 computes it. */
const ACCEPT = crypto
  .createHash("sha1")
  .update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
  .digest("base64");

/** Headers of a correct WebSocket upgrade; `extra` replaces or (with undefined) removes some. */
function upgradeHeaders(extra = {}) {
  const headers = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
    ...extra,
  };
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}

/**
 * The bytes of one client frame. `lengthBytes` forces the 2- or 8-byte length form,
 * `length` declares another length than the payload has.
 */
function frame(opcode, payload = "", options = {}) {
  const { fin = true, rsv = 0, masked = true, key = [0x37, 0xfa, 0x21, 0x3d] } = options;
  const data = Buffer.from(payload);
  const length = options.length ?? data.length;
  const lengthBytes = options.lengthBytes ?? (length < 126 ? 0 : length < 65536 ? 2 : 8);
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(length, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return Buffer.concat([head, data]);
  for (let i = 0; i < data.length; i++) data[i] ^= key[i % 4];
  return Buffer.concat([head, Buffer.from(key), data]);
}

/** The payload of a close frame. */
function closePayload(code, reason = "") {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return payload;
}

/** Reads one server frame; a masked one breaks the protocol. */
async function readFrame(wire) {
  const head = await wire.take(2);
  if (head[1] & 0x80) throw new Error("the server masked a frame");
  let length = head[1] & 0x7f;
  if (length === 126) length = (await wire.take(2)).readUInt16BE();
  else if (length === 127) length = Number((await wire.take(8)).readBigUInt64BE());
  return {
    fin: (head[0] & 0x80) !== 0,
    rsv: (head[0] >> 4) & 0x7,
    opcode: head[0] & 0x0f,
    payload: Buffer.from(await wire.take(length)),
  };
}

module.exports = {
  ACCEPT,
  OPCODE,
  Wire,
  closePayload,
  frame,
  readFrame,
  readResponse,
  request,
  requestBytes,
  upgradeHeaders,
  within,
};
