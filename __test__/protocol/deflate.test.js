"use strict";

// permessage-deflate over raw frames (RFC 7692): what is agreed on, what compressed messages look
// like in both directions, and what a client that breaks the rules is told.

const assert = require("node:assert/strict");
const zlib = require("node:zlib");
const { test } = require("node:test");
const { isReference, startHostile, startServer } = require("./support");
const { OPCODE, frame } = require("./wire");

const { binary, continuation, ping, text } = OPCODE;
const RSV1 = 4;
const TRAILER = Buffer.from([0, 0, 0xff, 0xff]);
const SYNC = { finishFlush: zlib.constants.Z_SYNC_FLUSH };
const REFUSAL = "Invalid or unacceptable Sec-WebSocket-Extensions header";
/** With this the reference, too, leaves messages below the threshold as they are. */
const NO_TAKEOVER = "permessage-deflate; server_no_context_takeover";
const OFFER = `${NO_TAKEOVER}; client_max_window_bits`;

/** The payload of a compressed message; `before` is what it may refer to. */
function deflate(data, before) {
  const dictionary = before && { dictionary: Buffer.from(before) };
  const whole = zlib.deflateRawSync(Buffer.from(data), { ...SYNC, ...dictionary });
  assert.deepEqual(whole.subarray(-4), TRAILER);
  return whole.subarray(0, -4);
}

function inflate(payload, options) {
  return zlib.inflateRawSync(Buffer.concat([payload, TRAILER]), { ...SYNC, ...options });
}

/** A raw client with compression. Reads messages whether or not they are compressed. */
class DeflateClient {
  #past = Buffer.alloc(0);

  constructor(client) {
    this.client = client;
    this.extensions = client.response.headers["sec-websocket-extensions"];
  }

  /** Sends a compressed message. */
  send(data, { opcode = text, before } = {}) {
    this.client.sendFrame(opcode, deflate(data, before), { rsv: RSV1 });
  }

  /** The next message: `{ opcode, compressed, data }`. */
  async read() {
    const { opcode, rsv, payload } = await this.client.frame();
    assert.ok(rsv === 0 || rsv === RSV1);
    const compressed = rsv === RSV1;
    const dictionary = this.#past.length > 0 ? { dictionary: this.#past } : {};
    const data = compressed ? inflate(payload, dictionary) : payload;
    if (compressed && !this.extensions.includes("server_no_context_takeover")) {
      this.#past = Buffer.concat([this.#past, data]).subarray(-32768);
    }
    return { opcode, compressed, data };
  }

  async text() {
    const { opcode, data } = await this.read();
    assert.equal(opcode, text, data.toString());
    return data.toString();
  }

  async join() {
    const open = JSON.parse((await this.text()).slice(1));
    this.client.sid = open.sid;
    this.client.send("40");
    this.client.ids["/"] = JSON.parse((await this.text()).slice(2)).sid;
    return this;
  }
}

async function connect(server, offer = OFFER) {
  const headers = { "Sec-WebSocket-Extensions": offer };
  return new DeflateClient(await server.websocketOf({ headers }));
}

/** A client with compression that is joined to the main namespace, and its server. */
async function joined(t, { offer, perMessageDeflate = true, ...options } = {}) {
  const server = await startHostile(t, { perMessageDeflate, ...options });
  const deflated = await (await connect(server, offer)).join();
  return { server, deflated, client: deflated.client };
}

// What is agreed on.

const D = "permessage-deflate";
const ACCEPTED = [
  ["a bare offer", true, D, D],
  ["a window hint", true, `${D}; client_max_window_bits`, D],
  ["a client window", true, `${D}; client_max_window_bits=10`, `${D}; client_max_window_bits=10`],
  ["a server window", true, `${D}; server_max_window_bits=9`, `${D}; server_max_window_bits=9`],
  [
    "the least server window",
    true,
    `${D};server_max_window_bits=8`,
    `${D}; server_max_window_bits=8`,
  ],
  [
    "both promises",
    true,
    `${D}; client_no_context_takeover; server_no_context_takeover`,
    `${D}; client_no_context_takeover; server_no_context_takeover`,
  ],
  [
    "a value in quotes",
    true,
    `${D}; server_max_window_bits="1\\0"`,
    `${D}; server_max_window_bits=10`,
  ],
  [
    "spaces and tabs",
    true,
    `${D} \t;\tserver_max_window_bits=10 `,
    `${D}; server_max_window_bits=10`,
  ],
  [
    "the first of two offers",
    true,
    `${D}; server_max_window_bits=11, ${D}`,
    `${D}; server_max_window_bits=11`,
  ],
  ["an offer behind other extensions", true, `x-webkit-frame, foo; bar=1;baz="q", ${D}`, D],
  ["other extensions only", true, "x-webkit-deflate-frame; a=b", undefined],
  ["a name in capitals, which is another", true, "Permessage-Deflate", undefined],
  ["any offer while it is off", false, `${D}; nonsense`, undefined],
  ["a malformed header while it is off", false, ";;;", undefined],
  [
    "an asked server promise",
    { serverNoContextTakeover: true },
    D,
    `${D}; server_no_context_takeover`,
  ],
  [
    "an asked client promise",
    { clientNoContextTakeover: true },
    D,
    `${D}; client_no_context_takeover`,
  ],
  ["an own server window", { serverMaxWindowBits: 10 }, D, `${D}; server_max_window_bits=10`],
  [
    "an own server window below the offered",
    { serverMaxWindowBits: 10 },
    `${D}; server_max_window_bits=12; server_no_context_takeover`,
    `${D}; server_max_window_bits=10; server_no_context_takeover`,
  ],
  [
    "an own client window",
    { clientMaxWindowBits: 9 },
    `${D}; client_max_window_bits`,
    `${D}; client_max_window_bits=9`,
  ],
  [
    "an own client window below the offered",
    { clientMaxWindowBits: 9 },
    `${D}; client_max_window_bits=12`,
    `${D}; client_max_window_bits=9`,
  ],
  [
    "no limit of the client's window wanted",
    { clientMaxWindowBits: false },
    `${D}; client_max_window_bits=12`,
    D,
  ],
  [
    "the second offer when the first is out of reach",
    { serverMaxWindowBits: 12 },
    `${D}; server_max_window_bits=10, ${D}; client_no_context_takeover`,
    `${D}; client_no_context_takeover; server_max_window_bits=12`,
  ],
  [
    "the second offer when the first wants a refused promise",
    { serverNoContextTakeover: false },
    `${D}; server_no_context_takeover, ${D}`,
    D,
  ],
];

for (const [title, perMessageDeflate, offer, answer] of ACCEPTED) {
  test(`the answer to ${title}`, async (t) => {
    const server = await startServer(t, { perMessageDeflate });
    const { response } = await server.upgrade({ headers: { "Sec-WebSocket-Extensions": offer } });
    assert.equal(response.status, 101);
    assert.equal(response.headers["sec-websocket-extensions"], answer);
  });
}

const REFUSED = [
  ["an unknown parameter", true, `${D}; window=1`],
  ["a parameter named as a method of objects", true, `${D}; toString`],
  ["a parameter twice", true, `${D}; client_max_window_bits; client_max_window_bits`],
  ["a window of 7 bits", true, `${D}; client_max_window_bits=7`],
  ["a window of 16 bits", true, `${D}; server_max_window_bits=16`],
  ["half a bit", true, `${D}; server_max_window_bits=9.5`],
  ["a window that is no number", true, `${D}; server_max_window_bits=big`],
  ["a server window without a value", true, `${D}; server_max_window_bits`],
  ["a promise with a value", true, `${D}; server_no_context_takeover=1`],
  ["a second offer that is malformed", true, `${D}, ${D}; window=1`],
  ["a header that ends in a comma", true, `${D},`],
  ["a header that ends in a semicolon", true, `${D};`],
  ["an extension with a value", true, `${D}=1`],
  ["spaces around the equals sign", true, `${D}; client_max_window_bits = 9`],
  ["no value behind the equals sign", true, `${D}; client_max_window_bits=`],
  ["an open quote", true, `${D}; client_max_window_bits="9`],
  ["empty quotes", true, `${D}; client_max_window_bits=""`],
  ["a quoted space", true, `${D}; client_max_window_bits=" 9"`],
  ["text behind a quote", true, `${D}; client_max_window_bits="9"9`],
  ["a character that names may not have", true, `${D}; a(b)`],
  ["an empty header", true, ","],
  ["a promise that is refused", { serverNoContextTakeover: false }, NO_TAKEOVER],
  [
    "a server window that is refused",
    { serverMaxWindowBits: false },
    `${D};server_max_window_bits=9`,
  ],
  ["a server window below ours", { serverMaxWindowBits: 12 }, `${D}; server_max_window_bits=10`],
  ["a client window below ours", { clientMaxWindowBits: 12 }, `${D}; client_max_window_bits=10`],
  ["no word of the client window that we limit", { clientMaxWindowBits: 12 }, D],
];

for (const [title, perMessageDeflate, offer] of REFUSED) {
  test(`an upgrade is refused for ${title}`, async (t) => {
    const server = await startServer(t, { perMessageDeflate });
    const { response } = await server.upgrade({ headers: { "Sec-WebSocket-Extensions": offer } });
    assert.deepEqual([response.status, response.text], [400, REFUSAL]);
    assert.deepEqual(server.refusals, []);
    assert.equal(server.io.engine.clientsCount, 0);
  });
}

// Messages of the client.

test("compressed messages are inflated, text and binary", async (t) => {
  const { deflated, client } = await joined(t);
  deflated.send('42["log","€😀"]');
  deflated.send('451-["log",{"_placeholder":true,"num":0}]');
  const bytes = Buffer.alloc(3000, "abc");
  deflated.send(bytes, { opcode: binary });
  client.send('425["echo"]');
  assert.equal(await deflated.text(), "435[]");
  assert.deepEqual(client.record().log, [["€😀"], [bytes]]);
});

test("messages may refer to earlier ones", async (t) => {
  const { deflated, client } = await joined(t);
  const messages = [1, 2, 3].map((n) => `42["log","a rather long text that is repeated",${n}]`);
  messages.forEach((message, i) => {
    deflated.send(message, { before: messages.slice(0, i).join("") });
  });
  const last = deflate(messages[2], messages.slice(0, 2).join(""));
  assert.ok(last.length < 20, "the client does refer to them");
  client.send('425["echo"]');
  assert.equal(await deflated.text(), "435[]");
  assert.deepEqual(
    client.record().log.map(([, n]) => n),
    [1, 2, 3],
  );
});

test("what a message refers to may be as far back as the window", async (t) => {
  const { deflated, client } = await joined(t);
  const first = `42["log","${"far".repeat(100)}"]`;
  const filler = `42["log","${Array.from({ length: 32_000 }, (_, i) => (i * i) % 7).join("")}"]`;
  deflated.send(first);
  deflated.send(filler, { before: first });
  deflated.send(first, { before: first + filler });
  client.send('425["echo"]');
  assert.equal(await deflated.text(), "435[]");
  assert.equal(client.record().log.length, 3);
  assert.deepEqual(client.record().log[2], client.record().log[0]);
});

test("only the first fragment is marked, and control frames may come between", async (t) => {
  const { deflated, client } = await joined(t);
  const payload = deflate('425["echo","in pieces"]');
  client.sendFrame(text, payload.subarray(0, 5), { fin: false, rsv: RSV1 });
  client.sendFrame(ping, "now");
  client.sendFrame(continuation, "", { fin: false });
  for (const byte of payload.subarray(5)) {
    client.sendFrame(continuation, [byte], { fin: false });
  }
  client.sendFrame(continuation, "");
  assert.equal((await client.frame()).payload.toString(), "now");
  assert.equal(await deflated.text(), '435["in pieces"]');
});

test("compressed and plain messages alternate", async (t) => {
  const { deflated, client } = await joined(t);
  for (let n = 0; n < 6; n++) {
    const message = `42${n}["echo",${n}]`;
    if (n % 2) deflated.send(message);
    else client.send(message);
    assert.equal(await deflated.text(), `43${n}[${n}]`);
  }
});

test("a stored block and several blocks are one message", async (t) => {
  const { deflated, client } = await joined(t);
  const message = Buffer.from('425["echo","blocks"]');
  const stored = Buffer.from([0, message.length, 0, ~message.length, 0xff]);
  client.sendFrame(text, Buffer.concat([stored, message, Buffer.from([0])]), { rsv: RSV1 });
  assert.equal(await deflated.text(), '435["blocks"]');
  const half = deflate(message.subarray(0, 8));
  const rest = deflate(message.subarray(8));
  client.sendFrame(text, Buffer.concat([half, TRAILER, rest]), { rsv: RSV1 });
  assert.equal(await deflated.text(), '435["blocks"]');
});

test("a block may say that it is the last one", async (t) => {
  const { deflated, client } = await joined(t);
  const whole = zlib.deflateRawSync('425["echo","the last"]');
  for (let n = 0; n < 2; n++) {
    client.sendFrame(text, Buffer.concat([whole, Buffer.from([0])]), { rsv: RSV1 });
    assert.equal(await deflated.text(), '435["the last"]');
  }
});

test("a probe and an upgrade may be compressed", async (t) => {
  const server = await startServer(t, { perMessageDeflate: true });
  const polling = await server.polling();
  const headers = { "Sec-WebSocket-Extensions": OFFER };
  const query = { sid: polling.sid };
  const deflated = new DeflateClient(await server.websocketOf({ headers, query }));
  deflated.send("2probe");
  assert.equal(await deflated.text(), "3probe");
  deflated.send("5", { before: "2probe" });
  deflated.send("40");
  assert.match(await deflated.text(), /^40\{"sid":/);
});

// Messages of the server.

const LONG = "word ".repeat(400);

test("a message of the threshold or more is compressed, a smaller one is not", async (t) => {
  const { deflated, client } = await joined(t, { perMessageDeflate: { threshold: 100 } });
  const emit = (size) => client.socket().emit("w", "x".repeat(size - '42["w",""]'.length));
  emit(100);
  emit(99);
  const [first, second] = [await deflated.read(), await deflated.read()];
  assert.deepEqual([first.compressed, first.data.length], [true, 100]);
  assert.deepEqual([second.compressed, second.data.length], [false, 99]);
});

test("the threshold is 1024 bytes unless set", async (t) => {
  const { deflated, client } = await joined(t);
  client.socket().emit("w", "x".repeat(1024 - '42["w",""]'.length));
  client.socket().emit("w", "x".repeat(1023 - '42["w",""]'.length));
  assert.equal((await deflated.read()).compressed, true);
  assert.equal((await deflated.read()).compressed, false);
});

test("binary messages are compressed as well", async (t) => {
  const { deflated, client } = await joined(t);
  client.socket().emit("b", Buffer.alloc(5000, 1));
  assert.equal(await deflated.text(), '451-["b",{"_placeholder":true,"num":0}]');
  const { opcode, compressed, data } = await deflated.read();
  assert.deepEqual({ opcode, compressed }, { opcode: binary, compressed: true });
  assert.deepEqual(data, Buffer.alloc(5000, 1));
});

test("messages can be read one after the other by a client that keeps its window", async (t) => {
  const { deflated, client } = await joined(t, { offer: D });
  for (let n = 0; n < 20; n++) {
    client.socket().emit("w", n, LONG);
    assert.equal(await deflated.text(), `42["w",${n},"${LONG}"]`);
  }
});

for (let bits = 8; bits <= 15; bits++) {
  test(`a window of ${bits} bits is enough to inflate what was agreed on it`, async (t) => {
    const offer = `${NO_TAKEOVER}; server_max_window_bits=${bits}`;
    const { client } = await joined(t, { offer });
    // Repetitions at every distance: those beyond the window must not be used.
    const numbers = Array.from({ length: 20_000 }, (_, i) => (i % 3 ? i % 1000 : i));
    client.socket().emit("w", numbers);
    const { rsv, payload } = await client.frame();
    assert.equal(rsv, RSV1);
    // In small pieces the inflater has nothing but its window to look back to.
    const whole = inflate(payload, { windowBits: bits, chunkSize: 64 });
    assert.equal(whole.toString(), `42["w",${JSON.stringify(numbers)}]`);
  });
}

test("a broadcast reaches clients with and without compression", async (t) => {
  const { server, deflated } = await joined(t);
  const narrow = await (await connect(server, `${NO_TAKEOVER}; server_max_window_bits=9`)).join();
  server.io.emit("w", LONG, Buffer.alloc(2000, 7));
  const header = `451-["w","${LONG}",{"_placeholder":true,"num":0}]`;
  for (const { read, compresses } of [
    { read: () => deflated.read(), compresses: true },
    { read: () => narrow.read(), compresses: true },
    {
      read: async () => {
        const { rsv, payload } = await server.bystander.frame();
        return { compressed: rsv === RSV1, data: payload };
      },
      compresses: false,
    },
  ]) {
    const [head, attachment] = [await read(), await read()];
    assert.deepEqual([head.compressed, head.data.toString()], [compresses, header]);
    assert.deepEqual([attachment.compressed, attachment.data], [compresses, Buffer.alloc(2000, 7)]);
  }
});

const unheard = isReference && "the reference compresses whatever compress() says";

test("a message marked with compress(false) is not compressed", { skip: unheard }, async (t) => {
  const { server, deflated, client } = await joined(t);
  client.socket().compress(false).emit("w", LONG);
  server.io.compress(false).emit("w", LONG);
  client.socket().emit("w", LONG);
  assert.equal((await deflated.read()).compressed, false);
  assert.equal((await deflated.read()).compressed, false);
  assert.equal((await deflated.read()).compressed, true);
});

const anyway = isReference && "the reference compresses what does not get smaller";

test("a message that would not get smaller is not compressed", { skip: anyway }, async (t) => {
  const { deflated, client } = await joined(t);
  const noise = zlib.deflateRawSync(Array.from({ length: 9000 }, (_, i) => i ** 3).join(""));
  client.socket().emit("b", noise);
  await deflated.text();
  const { compressed, data } = await deflated.read();
  assert.equal(compressed, false);
  assert.deepEqual(data, noise);
});

// Clients that break the rules.

/** Payloads of text messages that cannot be inflated, with zlib's words for it. */
const CORRUPT = {
  "a reserved block type": [[0xff, 0xff], "Error: invalid block type"],
  "lengths that disagree": [[0, 5, 0, 0, 0, 0x48], "Error: invalid stored block lengths"],
  "a reference to nothing": [[0xf2, 0x00, 0x11, 0x00], "Error: invalid distance too far back"],
  "plain text": [Buffer.from('42["log"]'), undefined],
};

/** Asserts that the client is told `code` and the session fails with `message`. */
async function assertFault({ server, client }, code, message) {
  assert.equal(await client.closeCode(), code);
  client.wire.end();
  const { reason, description } = await client.closed();
  assert.equal(reason, "transport error");
  assert.equal(description.type, "TransportError");
  if (message) assert.equal(description.message, message);
  assert.equal(await client.disconnected(), "transport error");
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
}

for (const [title, [payload, message]] of Object.entries(CORRUPT)) {
  test(`data that cannot be inflated is refused (1007): ${title}`, async (t) => {
    const setup = await joined(t);
    setup.client.sendFrame(text, Buffer.from(payload), { rsv: RSV1 });
    await assertFault(setup, 1007, message);
  });
}

test("a reference to an earlier message is refused to a client that promised none", async (t) => {
  const setup = await joined(t, { offer: `${OFFER}; client_no_context_takeover` });
  const first = '427["echo","a text that could be referred to"]';
  setup.deflated.send(first);
  assert.equal(await setup.deflated.text(), '437["a text that could be referred to"]');
  setup.deflated.send(first, { before: first });
  await assertFault(setup, 1007, "Error: invalid distance too far back");
});

test("inflated text has to be UTF-8 (1007)", async (t) => {
  const setup = await joined(t);
  setup.deflated.send(Buffer.from('42["log","\xff"]', "latin1"));
  await assertFault(setup, 1007, "Error: Invalid WebSocket frame: invalid UTF-8 sequence");
});

test("the limit holds for inflated messages, and is itself allowed", async (t) => {
  const setup = await joined(t, { maxHttpBufferSize: 2000 });
  const most = `427["echo","${"x".repeat(2000 - '427["echo",""]'.length)}"]`;
  setup.deflated.send(most);
  assert.equal(await setup.deflated.text(), most.replace("427", "437").replace('"echo",', ""));
  setup.deflated.send(`${most} `);
  await assertFault(setup, 1009, "RangeError: Max payload size exceeded");
});

test("a bomb is refused (1009)", async (t) => {
  const setup = await joined(t);
  setup.deflated.send(Buffer.alloc(200_000_000), { opcode: binary });
  await assertFault(setup, 1009, "RangeError: Max payload size exceeded");
});

for (const [title, frames] of [
  ["a marked ping", [[ping, "x", { rsv: RSV1 }]]],
  ["a marked close", [[OPCODE.close, "", { rsv: RSV1 }]]],
  [
    "a marked continuation",
    [
      [text, deflate('42["log"]').subarray(0, 4), { fin: false, rsv: RSV1 }],
      [continuation, deflate('42["log"]').subarray(4), { rsv: RSV1 }],
    ],
  ],
  ["another reserved bit", [[text, deflate('42["log"]'), { rsv: 6 }]]],
]) {
  test(`${title} is a protocol error (1002)`, async (t) => {
    const setup = await joined(t);
    setup.client.wire.write(Buffer.concat(frames.map((args) => frame(...args))));
    await assertFault(setup, 1002);
  });
}

test("a compressed message without an agreement is a protocol error (1002)", async (t) => {
  const server = await startHostile(t, { perMessageDeflate: true });
  const client = await server.join();
  client.sendFrame(text, deflate('42["log"]'), { rsv: RSV1 });
  const message = "RangeError: Invalid WebSocket frame: RSV1 must be clear";
  await assertFault({ server, client }, 1002, message);
});
