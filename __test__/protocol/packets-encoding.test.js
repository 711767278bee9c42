"use strict";

// Socket.IO v5 packets as the server writes them, seen as raw frames: the semantics of
// JSON.stringify, attachments, headers, and values that cannot be sent.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { startServer } = require("./support");

const slot = (num) => `{"_placeholder":true,"num":${num}}`;

async function joined(t, nsp) {
  const server = await startServer(t);
  const client = await server.join(nsp);
  return { server, client, socket: client.socket(nsp) };
}

class Temperature {
  constructor(degrees) {
    this.degrees = degrees;
  }

  toJSON() {
    return { celsius: this.degrees };
  }
}

class Point {
  constructor() {
    this.x = 1;
  }

  get y() {
    return 2;
  }
}

/** Arguments of one emit, and the text that stands for them. */
const VALUES = [
  ["nothing", [], ""],
  ["undefined", [undefined, 1], "null,1"],
  ["a trailing undefined", [1, undefined], "1,null"],
  ["null", [null], "null"],
  ["booleans", [true, false], "true,false"],
  ["numbers", [0, -0, 1.5, 1e21, 1e-7, 2 ** 53], "0,0,1.5,1e+21,1e-7,9007199254740992"],
  ["NaN and the infinities", [NaN, Infinity, -Infinity], "null,null,null"],
  ["a function and a symbol", [() => {}, Symbol("s"), 1], "null,null,1"],
  ["keys without a value", [{ a: undefined, b: () => {}, c: Symbol("s"), d: 1 }], '{"d":1}'],
  // eslint-disable-next-line no-sparse-arrays -- holes are what is sent
  ["holes and undefined in arrays", [[undefined, () => {}, , 1]], "[null,null,null,1]"],
  ["a symbol key", [{ [Symbol("s")]: 1, a: 2 }], '{"a":2}'],
  ["a Date", [new Date(0)], '"1970-01-01T00:00:00.000Z"'],
  ["an invalid Date", [new Date(NaN)], "null"],
  ["a Map, a Set, a WeakMap", [new Map([[1, 2]]), new Set([1]), new WeakMap()], "{},{},{}"],
  ["a RegExp and an Error", [/x/, new Error("x")], "{},{}"],
  ["toJSON", [new Temperature(21)], '{"celsius":21}'],
  ["toJSON at depth", [{ t: [new Temperature(1)] }], '{"t":[{"celsius":1}]}'],
  ["toJSON of undefined", [{ a: { toJSON: () => undefined }, b: 1 }], '{"b":1}'],
  ["a class instance", [new Point()], '{"x":1}'],
  ["an object without a prototype", [Object.assign(Object.create(null), { a: 1 })], '{"a":1}'],
  [
    "inherited keys",
    [Object.create({ hidden: 1 }, { own: { value: 2, enumerable: true } })],
    '{"own":2}',
  ],
  [
    "a getter",
    [
      {
        get a() {
          return 3;
        },
      },
    ],
    '{"a":3}',
  ],
  ["boxed primitives", [Object("s"), Object(1), Object(true)], '"s",1,true'],
  ["the key order of the object", [{ z: 1, a: 2, 10: 3, 9: 4 }], '{"9":4,"10":3,"z":1,"a":2}'],
  ["__proto__ as a key", [JSON.parse('{"__proto__":1}')], '{"__proto__":1}'],
  ["a lone high surrogate", ["\ud800"], String.raw`"\ud800"`],
  ["a lone low surrogate", ["x\udfffy"], String.raw`"x\udfffy"`],
  ["surrogates in the wrong order", ["\udc00\ud800"], String.raw`"\udc00\ud800"`],
  ["a surrogate in a key", [{ "\ud800": 1 }], String.raw`{"\ud800":1}`],
  ["a surrogate pair", ["😀"], '"😀"'],
  ["control characters", ["\0\x1f\b\t\n\f\r\x7f"], String.raw`"\u0000\u001f\b\t\n\f\r` + '\x7f"'],
  ["quotes and slashes", ['"\\/'], String.raw`"\"\\/"`],
  ["line separators", ["\u2028\u2029"], '"\u2028\u2029"'],
  ["a placeholder of one's own", [{ _placeholder: true, num: 3 }], slot(3)],
];

for (const [title, args, text] of VALUES) {
  test(`${title} is written as JSON.stringify does`, async (t) => {
    const { server, client, socket } = await joined(t);
    const packet = text === "" ? '42["e"]' : `42["e",${text}]`;
    socket.emit("e", ...args);
    // A last argument that is a function would be taken for an acknowledgement.
    assert.equal(await client.text(), packet);
    server.io.emit("e", ...args);
    assert.equal(await client.text(), packet);
    server.io.to(socket.id).emit("e", ...args);
    assert.equal(await client.text(), packet);
  });

  test(`${title} is written so in an acknowledgement`, async (t) => {
    const { client, socket } = await joined(t);
    socket.on("ask", (answer) => answer(...args));
    client.send('425["ask"]');
    assert.equal(await client.text(), `435[${text}]`);
  });
}

for (const [name, text] of [
  ["", '""'],
  ["a,b", '"a,b"'],
  ["€😀", '"€😀"'],
  ["__proto__", '"__proto__"'],
  [7, "7"],
]) {
  test(`the event name ${JSON.stringify(name)} is written as ${text}`, async (t) => {
    const { client, socket } = await joined(t);
    socket.emit(name, 1);
    assert.equal(await client.text(), `42[${text},1]`);
  });
}

test("packets of a namespace carry its name, its ids and its attachments' number", async (t) => {
  const { server, client, socket } = await joined(t, "/admin");
  socket.emit("e");
  assert.equal(await client.text(), '42/admin,["e"]');
  socket.emit("e", 1, () => {});
  assert.equal(await client.text(), '42/admin,0["e",1]');
  socket.emit("e", Buffer.from([1]), () => {});
  assert.equal(await client.text(), `451-/admin,1["e",${slot(0)}]`);
  assert.deepEqual(await client.binary(), Buffer.from([1]));
  server.io.of("/admin").emit("e", "all");
  assert.equal(await client.text(), '42/admin,["e","all"]');
});

/** Binary arguments, the text with their placeholders, and the attachments. */
const BINARY = [
  ["a Buffer", () => [Buffer.from([1, 2])], slot(0), [[1, 2]]],
  ["an empty Buffer", () => [Buffer.alloc(0)], slot(0), [[]]],
  ["an ArrayBuffer", () => [new Uint8Array([1, 2]).buffer], slot(0), [[1, 2]]],
  ["a Uint8Array", () => [new Uint8Array([255, 0])], slot(0), [[255, 0]]],
  ["a view of a part", () => [new Uint8Array([9, 1, 2, 9]).subarray(1, 3)], slot(0), [[1, 2]]],
  ["wider elements", () => [new Uint16Array([0x0102, 3])], slot(0), [[2, 1, 3, 0]]],
  ["a Float64Array", () => [new Float64Array([1])], slot(0), [[0, 0, 0, 0, 0, 0, 0xf0, 0x3f]]],
  ["a BigInt64Array", () => [new BigInt64Array([1n])], slot(0), [[1, 0, 0, 0, 0, 0, 0, 0]]],
  ["a DataView", () => [new DataView(new Uint8Array([9, 7, 9]).buffer, 1, 1)], slot(0), [[7]]],
  [
    "two in order",
    () => [Buffer.from("a"), Buffer.from("b")],
    `${slot(0)},${slot(1)}`,
    [[97], [98]],
  ],
  ["text in between", () => ["x", Buffer.from("a"), null], `"x",${slot(0)},null`, [[97]]],
  [
    "binary at depth",
    () => [{ a: [{ b: Buffer.from("a") }], c: Buffer.from("c") }],
    `{"a":[{"b":${slot(0)}}],"c":${slot(1)}}`,
    [[97], [99]],
  ],
  [
    "a Date beside binary",
    () => [new Date(0), Buffer.from("a")],
    `"1970-01-01T00:00:00.000Z",${slot(0)}`,
    [[97]],
  ],
  [
    "undefined beside binary",
    () => [undefined, { u: undefined, b: Buffer.from("a") }],
    `null,{"b":${slot(0)}}`,
    [[97]],
  ],
  [
    "toJSON that returns binary",
    () => [{ toJSON: () => ({ b: Buffer.from("j") }) }],
    `{"b":${slot(0)}}`,
    [[106]],
  ],
  [
    "toJSON beside binary",
    () => [new Temperature(3), Buffer.from("a")],
    `{"celsius":3},${slot(0)}`,
    [[97]],
  ],
];

for (const [title, make, text, attachments] of BINARY) {
  test(`${title} is written as attachments`, async (t) => {
    const { server, client, socket } = await joined(t);
    const check = async (header) => {
      assert.equal(await client.text(), header);
      for (const bytes of attachments) {
        assert.deepEqual(await client.binary(), Buffer.from(bytes));
      }
    };
    const args = make();
    socket.emit("e", ...args);
    await check(`45${attachments.length}-["e",${text}]`);
    server.io.emit("e", ...args);
    await check(`45${attachments.length}-["e",${text}]`);
    socket.on("ask", (answer) => answer(...args));
    client.send('428["ask"]');
    await check(`46${attachments.length}-8[${text}]`);
  });
}

test("the same Buffer twice is two attachments", async (t) => {
  const { client, socket } = await joined(t);
  const buffer = Buffer.from([5]);
  socket.emit("e", buffer, { again: buffer });
  assert.equal(await client.text(), `452-["e",${slot(0)},{"again":${slot(1)}}]`);
  assert.deepEqual(await client.binary(), buffer);
  assert.deepEqual(await client.binary(), buffer);
});

test("a SharedArrayBuffer is no attachment", async (t) => {
  const { client, socket } = await joined(t);
  socket.emit("e", new SharedArrayBuffer(2));
  assert.equal(await client.text(), '42["e",{}]');
});

test("more attachments than the server would take are written all the same", async (t) => {
  const { client, socket } = await joined(t);
  const buffers = Array.from({ length: 12 }, (_, i) => Buffer.from([i]));
  socket.emit("e", ...buffers);
  assert.match(await client.text(), /^4512-\["e",/);
  for (const buffer of buffers) assert.deepEqual(await client.binary(), buffer);
});

test("encoding changes neither the arguments nor what they hold", async (t) => {
  const { server, client, socket } = await joined(t);
  const make = () => [{ list: [Buffer.from("a"), 1] }, "x", { deep: { b: new Uint8Array(2) } }];
  const args = make();
  socket.emit("e", ...args);
  server.io.emit("e", ...args);
  assert.deepEqual(args, make());
  for (let i = 0; i < 2; i++) {
    assert.match(await client.text(), /^452-/);
    await client.binary();
    await client.binary();
  }
});

test("what is emitted is what the value was at that moment", async (t) => {
  const { client, socket } = await joined(t);
  const value = { n: 0 };
  for (; value.n < 5; value.n++) socket.emit("e", value);
  for (let n = 0; n < 5; n++) assert.equal(await client.text(), `42["e",{"n":${n}}]`);
});

const circular = { name: "circular" };
circular.self = circular;

for (const [title, value, error] of [
  ["a BigInt", 1n, TypeError],
  ["a BigInt at depth", { a: [1n] }, TypeError],
  ["a circular value", circular, Error],
  ["toJSON that throws", { toJSON: () => assert.fail("thrown by toJSON") }, /thrown by toJSON/],
  [
    "a getter that throws",
    {
      get a() {
        throw new RangeError("thrown");
      },
    },
    RangeError,
  ],
]) {
  test(`${title} makes emit throw, and nothing is sent`, async (t) => {
    const { server, client, socket } = await joined(t);
    assert.throws(() => socket.emit("e", value), error);
    assert.throws(() => server.io.emit("e", value), error);
    assert.throws(() => socket.emit("e", Buffer.from("a"), value), error);
    socket.emit("fine", 1);
    assert.equal(await client.text(), '42["fine",1]');
    await client.echo();
  });
}

test("unicast, broadcast, acks and attachments keep the order they were emitted in", async (t) => {
  const { server, client, socket } = await joined(t);
  socket.join("room");
  const expected = [];
  for (let n = 0; n < 50; n++) {
    const bytes = Buffer.from([n]);
    socket.emit("one", n);
    server.io.emit("all", bytes);
    server.io.to("room").emit("room", n);
    socket.emit("one", bytes, n);
    expected.push(`42["one",${n}]`, `451-["all",${slot(0)}]`, bytes, `42["room",${n}]`);
    expected.push(`451-["one",${slot(0)},${n}]`, bytes);
  }
  for (const each of expected) {
    if (typeof each === "string") assert.equal(await client.text(), each);
    else assert.deepEqual(await client.binary(), each);
  }
});

test("flags do not show on the wire", async (t) => {
  const { server, client, socket } = await joined(t);
  socket.compress(false).emit("e", 1);
  assert.equal(await client.text(), '42["e",1]');
  await client.echo();
  socket.volatile.emit("e", 2);
  assert.equal(await client.text(), '42["e",2]');
  server.io.compress(true).local.emit("e", 3);
  assert.equal(await client.text(), '42["e",3]');
  socket.timeout(60_000).emit("e", 4, () => {});
  assert.equal(await client.text(), '420["e",4]');
  client.send("430[]");
  await client.echo();
});

// Looking for attachments calls it, and writing does; how often is nobody's promise.
test("toJSON is called while emit runs and not afterwards", async (t) => {
  const { server, client, socket } = await joined(t);
  for (const emit of [socket.emit.bind(socket), server.io.emit.bind(server.io)]) {
    let calls = 0;
    emit("e", { toJSON: () => ({ n: ++calls > 0 }) });
    const during = calls;
    assert.ok(during >= 1 && during <= 3, `${during} calls`);
    assert.equal(await client.text(), '42["e",{"n":true}]');
    assert.equal(calls, during);
  }
});
