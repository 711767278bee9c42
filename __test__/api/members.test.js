"use strict";

// Every member of every object that applications get hold of: those of the reference are there,
// of the same type, and functions say that they take as many arguments. Generated from the
// installed reference, so that a member which is new there shows up as missing here.

const assert = require("node:assert/strict");
const http = require("node:http");
const { EventEmitter } = require("node:events");
const { io: connectTo } = require("socket.io-client");
const { test } = require("../support/scenario");
const { next } = require("../support/events");
const { target, isReference } = require("../support/target");

/** Members that are missing or of another kind on purpose, and why. */
const EXCEPTIONS = {
  // Made by the engine alone; bytes never pass through JavaScript on their way out.
  "transport over websocket": [
    ...["constructor", "_canSendPreEncodedFrame"],
    ...["_doSend", "_doSendLast", "_onSent", "_onSentLast"],
  ],
  // The core keeps the time.
  connection: ["pingIntervalTimer", "pingTimeoutTimer"],
  // Whether a GET is pending at this moment.
  "transport over polling": ["constructor", "req", "res", "writable", "dataReq", "dataRes"],
};

test("every member of the reference is there, and of its kind", async (t) => {
  const ours = await describeAll(t, target);
  const theirs = isReference ? ours : await describeAll(t, require("socket.io"));
  assert.deepEqual(Object.keys(ours), Object.keys(theirs));
  const differences = [];
  for (const [object, members] of Object.entries(theirs)) {
    assert.ok(members.size > 0, object);
    for (const [name, kind] of members) {
      const own = ours[object].get(name);
      if (own !== kind && !EXCEPTIONS[object]?.includes(name)) {
        differences.push(`${object}.${name}: ${own} instead of ${kind}`);
      }
    }
  }
  assert.deepEqual(differences, []);
});

test("the classes have the statics and prototype members of the reference's", () => {
  const reference = require("socket.io");
  for (const name of ["Server", "Namespace", "Socket"]) {
    assert.equal(target[name].name, reference[name].name);
    assert.equal(target[name].length, reference[name].length);
    const statics = Object.getOwnPropertyNames(reference[name]);
    assert.deepEqual(
      statics.filter((key) => !(key in target[name])),
      [],
    );
    for (const [key, theirs] of Object.entries(described(reference[name].prototype))) {
      const ours = described(target[name].prototype)[key];
      assert.equal(ours, theirs, `${name}.prototype.${key}`);
    }
  }
});

/** What kind of thing each member of each object is, by the object's name. */
async function describeAll(t, { Server }) {
  const httpServer = http.createServer();
  const io = new Server(httpServer);
  t.after(() => io.close());
  const listening = next(httpServer, "listening");
  httpServer.listen(0, "127.0.0.1");
  await listening;
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  const parent = io.of(/^\/child/);
  const open = async (namespace, transport) => {
    const connected = next(namespace === "/" ? io : parent, "connection");
    const client = connectTo(url + namespace, { transports: [transport], forceNew: true });
    t.after(() => client.disconnect());
    return (await connected)[0];
  };
  const socket = await open("/", "websocket");
  const polling = await open("/child", "polling");
  const remote = (await io.fetchSockets())[0];
  const objects = {
    server: io,
    namespace: io.of("/"),
    "parent namespace": parent,
    "child namespace": polling.nsp,
    socket,
    handshake: socket.handshake,
    client: socket.client,
    connection: socket.conn,
    "transport over websocket": socket.conn.transport,
    "transport over polling": polling.conn.transport,
    engine: io.engine,
    "broadcast operator": io.to("room"),
    "broadcast operator of a socket": socket.to("room"),
    adapter: io.of("/").adapter,
    "fetched socket": remote,
  };
  return Object.fromEntries(
    Object.entries(objects).map(([name, object]) => [name, membersOf(object)]),
  );
}

/** Names of an object's own and inherited members, down to Node's emitter. */
function membersOf(object) {
  const members = new Map();
  let holder = object;
  while (holder && holder !== Object.prototype && holder !== EventEmitter.prototype) {
    for (const name of Object.getOwnPropertyNames(holder)) {
      if (!members.has(name)) members.set(name, kindOf(object[name]));
    }
    holder = Object.getPrototypeOf(holder);
  }
  return members;
}

function kindOf(value) {
  if (typeof value === "function") return `function of ${value.length}`;
  // A flag that is not set may be absent.
  return value === undefined || value === false || value === true ? "flag" : typeof value;
}

/**
 * Getters, methods and values of a prototype. An accessor may stand where a method does: it
 * notices that the method is replaced.
 */
function described(prototype) {
  const members = Object.entries(Object.getOwnPropertyDescriptors(prototype));
  return Object.fromEntries(
    members.map(([name, { get, set, value }]) => {
      const held = get && set ? prototype[name] : value;
      if (typeof held === "function") return [name, `method of ${held.length}`];
      return [name, get ? "getter" : "value"];
    }),
  );
}
