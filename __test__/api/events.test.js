"use strict";

// Events in both directions with every kind of value that JSON can carry.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serve } = require("../support/app");
const { collect, deferred, next, settle } = require("../support/events");

const VALUES = {
  null: null,
  true: true,
  false: false,
  zero: 0,
  "a negative number": -273.15,
  "the largest safe integer": Number.MAX_SAFE_INTEGER,
  "the largest number": Number.MAX_VALUE,
  "the smallest number": Number.MIN_VALUE,
  "an integer beyond 64 bits": 123456789012345680000,
  "an empty string": "",
  "a digit": "4",
  "text like an attachment": "b4AAAA",
  "text like a packet": '42["event",{"_placeholder":true,"num":0}]',
  unicode: "é € 日本語 😀 👩‍👩‍👧‍👦",
  "control characters": "\u0000\u0001\u001e\u001f\b\t\n\f\r\u007f",
  "quotes and backslashes": '"\\"\\\\n\\u0041/',
  "line separators": "\u2028\u2029",
  "a lone high surrogate": "a\ud83db",
  "a lone low surrogate": "a\ude00b",
  "surrogates in the wrong order": "\ude00\ud83d",
  "a byte order mark": "\ufeffx\uffff",
  "an empty array": [],
  "an empty object": {},
  "nested arrays": [[], [[]], [1, ["2", [null, [false]]]]],
  "nested objects": { a: { b: { c: [{ d: { "": "empty key" } }] } } },
  "keys that are numbers": { 2: "two", 1: "one", "-1": "minus", 1.5: "half" },
  "a placeholder without attachment": { _placeholder: true, num: 0 },
  "own properties named like those of objects": JSON.parse(
    '{"__proto__":{"polluted":true},"constructor":1,"toString":2,"hasOwnProperty":3}',
  ),
  "a long string": "0123456789é".repeat(20_000),
  "a long array": Array.from({ length: 5_000 }, (_, i) => ({ i, text: `row ${i}` })),
  "an object with many keys": Object.fromEntries(
    Array.from({ length: 1_000 }, (_, i) => [`key ${i}`, i]),
  ),
  "deep nesting": JSON.parse("[".repeat(500) + "]".repeat(500)),
};

const EVENT_NAMES = [
  "message",
  "",
  " ",
  "with spaces and , [ ] \" ' \\",
  "événement 😀",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "0",
  "-1",
  "ping",
  "pong",
  "data",
  "open",
  "close",
  "end",
  "e".repeat(2_000),
];

/** Equal values, and the same text when written again: covers `__proto__` and key order. */
function assertSame(received, sent, title) {
  assert.equal(JSON.stringify(received), JSON.stringify(sent), title);
  assert.deepEqual(received, sent, title);
}

eachTransport("any JSON value reaches the server", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  for (const [title, value] of Object.entries(VALUES)) {
    const received = next(socket, "value");
    client.emit("value", value);
    assertSame(await received, [value], title);
  }
  assert.equal({}.polluted, undefined);
});

eachTransport("any JSON value reaches the client", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  for (const [title, value] of Object.entries(VALUES)) {
    const received = next(client, "value");
    socket.emit("value", value);
    assertSame(await received, [value], title);
  }
});

eachTransport("any JSON value can be broadcast", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client } = await app.connect();
  const received = collect(client, "value", Object.keys(VALUES).length);
  for (const value of Object.values(VALUES)) {
    app.io.emit("value", value);
  }
  assertSame(
    (await received).map(([value]) => value),
    Object.values(VALUES),
  );
});

eachTransport("many values travel as arguments of one event", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const values = Object.values(VALUES);
  socket.on("all", (...args) => socket.emit("all back", ...args));
  const received = next(client, "all back");
  client.emit("all", ...values);
  assertSame(await received, values);
});

eachTransport("any string is an event name", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  for (const name of EVENT_NAMES) {
    const received = next(socket, name);
    client.emit(name, "up");
    assert.deepEqual(await received, ["up"], name);
    const answered = next(client, name);
    socket.emit(name, "down");
    assert.deepEqual(await answered, ["down"], name);
  }
});

eachTransport("a number is an event name", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const received = next(socket, 42);
  client.emit(42, "up");
  assert.deepEqual(await received, ["up"]);
  const answered = next(client, 43);
  socket.emit(43, "down");
  assert.deepEqual(await answered, ["down"]);
});

eachTransport("an event may have no arguments", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const received = next(socket, "bare");
  client.emit("bare");
  assert.deepEqual(await received, []);
  const answered = next(client, "bare");
  socket.emit("bare");
  assert.deepEqual(await answered, []);
});

eachTransport("what JSON does not know is written as by JSON.stringify", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const received = next(client, "values");
  const date = new Date(0);
  class Point {
    constructor() {
      this.x = 1;
      this.skipped = undefined;
      this.method = () => {};
    }
  }
  const shown = { toJSON: () => ({ shown: true }) };
  socket.emit(
    "values",
    ...[undefined, NaN, Infinity, -Infinity, -0, date, new Map([[1, 2]]), new Set([1])],
    ...[/x/, Symbol("s"), new Point(), shown, [undefined, () => {}], Object("boxed")],
    new Error("e"),
  );
  assert.deepEqual(await received, [
    ...[null, null, null, null, 0, date.toJSON(), {}, {}],
    ...[{}, null, { x: 1 }, { shown: true }, [null, null], "boxed", {}],
  ]);
});

eachTransport("an event named error reaches its listeners", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const received = next(socket, "error");
  client.emit("error", "not an exception");
  assert.deepEqual(await received, ["not an exception"]);
});

eachTransport("an event named error without a listener harms nothing", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  client.emit("error", "nobody listens");
  await settle(client, socket);
  assert.equal(socket.connected, true);
});

eachTransport("an event without a listener is dropped", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  client.emit("nobody listens", { some: "value" });
  socket.emit("nobody listens", { some: "value" });
  await settle(client, socket);
  assert.equal(client.connected, true);
});

eachTransport("send emits a message event in both directions", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const atServer = next(socket, "message");
  client.send("up", 1);
  assert.deepEqual(await atServer, ["up", 1]);
  const atClient = collect(client, "message", 4);
  assert.equal(socket.send("down", 2), socket);
  assert.equal(socket.write("down", 3), socket);
  assert.equal(app.io.send("all", 4), app.io);
  app.io.write("all", 5);
  assert.deepEqual(await atClient, [
    ["down", 2],
    ["down", 3],
    ["all", 4],
    ["all", 5],
  ]);
});

eachTransport("events can be emitted inside the connection listener", async (t, transport) => {
  const app = await serve(t, { transport });
  app.io.on("connection", (socket) => {
    socket.emit("welcome", socket.id);
    app.io.emit("joined", socket.id);
  });
  const client = app.open();
  const both = ["welcome", "joined"].map((event) => next(client, event));
  const [[welcome], [joined]] = await Promise.all(both);
  assert.equal(welcome, client.id);
  assert.equal(joined, client.id);
});

eachTransport("events emitted before the client is connected arrive", async (t, transport) => {
  const app = await serve(t, { transport });
  const received = deferred();
  app.io.on("connection", (socket) => {
    const seen = [];
    socket.on("early", (value) => seen.push(value) === 3 && received.resolve(seen));
  });
  const client = app.open();
  for (const value of [1, 2, 3]) {
    client.emit("early", value);
  }
  assert.deepEqual(await received.promise, [1, 2, 3]);
});

eachTransport("changing a value after emit does not change the event", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const received = collect(client, "state", 2);
  const state = { version: 1, list: ["a"] };
  socket.emit("state", state);
  app.io.emit("state", state);
  state.version = 2;
  state.list.push("b");
  for (const [value] of await received) {
    assert.deepEqual(value, { version: 1, list: ["a"] });
  }
});

eachTransport("a listener registered once hears one event", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  let heard = 0;
  socket.once("count", () => heard++);
  const removed = () => assert.fail("removed");
  socket.on("count", removed);
  socket.off("count", removed);
  client.emit("count");
  client.emit("count");
  await settle(client, socket);
  assert.equal(heard, 1);
});

eachTransport("several listeners hear an event in their order", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const calls = [];
  socket.on("event", () => calls.push("second"));
  socket.on("event", () => calls.push("third"));
  socket.prependListener("event", () => calls.push("first"));
  client.emit("event");
  await settle(client, socket);
  assert.deepEqual(calls, ["first", "second", "third"]);
});

test("emit returns true, with and without anybody to hear it", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  assert.equal(socket.emit("event"), true);
  assert.equal(app.io.emit("event"), true);
  assert.equal(app.io.of("/empty").emit("event"), true);
  assert.equal(app.io.to("nobody").emit("event"), true);
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
  assert.equal(socket.emit("event"), true);
});

test("this inside a listener is the socket", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  const seen = deferred();
  socket.on("event", function () {
    seen.resolve(this);
  });
  client.emit("event");
  // Compared by identity: printing a socket as a difference would be endless.
  assert.ok((await seen.promise) === socket);
});
