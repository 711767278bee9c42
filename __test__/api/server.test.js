"use strict";

// The methods of a server and of its namespaces: what they return, and what they act on.

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const http = require("node:http");
const { Adapter } = require("socket.io-adapter");
const { target } = require("../support/target");
const { test, eachTransport } = require("../support/scenario");
const { listen, serve } = require("../support/app");
const { closeServerAtEnd } = require("../support/cleanup");
const { next } = require("../support/events");
const { request } = require("../support/request");

test("methods return what they are chained by", async (t) => {
  const { io } = await serve(t);
  const nsp = io.of("/");
  const middleware = (socket, done) => done();
  for (const object of [io, nsp]) {
    assert.equal(object.use(middleware), object);
    assert.equal(object.send("text"), object);
    assert.equal(object.write("text"), object);
    assert.equal(object.emit("event"), true);
    assert.equal(
      object.on("connection", () => {}),
      nsp,
    );
    assert.equal(object.socketsJoin("room"), undefined);
    assert.equal(object.socketsLeave("room"), undefined);
    assert.equal(object.disconnectSockets(), undefined);
    assert.deepEqual(await object.allSockets(), new Set());
    assert.deepEqual(await object.fetchSockets(), []);
  }
});

eachTransport("send and write are events named message", async (t, transport) => {
  const app = await serve(t, { transport });
  const { io } = app;
  const { client } = await app.connect();
  for (const object of [io, io.of("/")]) {
    for (const method of ["send", "write"]) {
      const heard = next(client, "message");
      object[method](method, 1);
      assert.deepEqual(await heard, [method, 1]);
    }
  }
});

test("each modifier makes an operator of its own", async (t) => {
  const { io } = await serve(t);
  const nsp = io.of("/");
  const none = { rooms: new Set(), exceptRooms: new Set(), flags: {} };
  const modifiers = {
    to: [(it) => it.to("a"), { ...none, rooms: new Set(["a"]) }],
    in: [(it) => it.in(["a", "b"]), { ...none, rooms: new Set(["a", "b"]) }],
    except: [(it) => it.except("a"), { ...none, exceptRooms: new Set(["a"]) }],
    compress: [(it) => it.compress(false), { ...none, flags: { compress: false } }],
    timeout: [(it) => it.timeout(7), { ...none, flags: { timeout: 7 } }],
    volatile: [(it) => it.volatile, { ...none, flags: { volatile: true } }],
    local: [(it) => it.local, { ...none, flags: { local: true } }],
  };
  for (const object of [io, nsp, nsp.to("x").to("y").in([]).except([])]) {
    for (const [name, [modify, expected]] of Object.entries(modifiers)) {
      const operator = modify(object);
      assert.equal(operator.constructor.name, "BroadcastOperator", name);
      assert.notEqual(modify(object), operator, name);
      assert.notEqual(operator, object);
      if (object === io || object === nsp) {
        const { rooms, exceptRooms, flags } = operator;
        assert.deepEqual({ rooms, exceptRooms, flags: { ...flags } }, expected, name);
      }
    }
  }
});

const EMITTER_METHODS = Object.entries(EventEmitter.prototype)
  .filter(([, value]) => typeof value === "function")
  .map(([name]) => name);

test("every method of an emitter acts on what io.sockets is", () => {
  const io = new target.Server();
  assert.ok(EMITTER_METHODS.length >= 15);
  for (const name of EMITTER_METHODS) {
    const { enumerable, writable, configurable } = Object.getOwnPropertyDescriptor(
      target.Server.prototype,
      name,
    );
    assert.deepEqual([enumerable, writable, configurable], [true, true, true], name);
    const result = {};
    const calls = [];
    io.sockets = {
      [name](...args) {
        calls.push([this, args]);
        return result;
      },
    };
    assert.equal(io[name]("a", "b", "c"), result, name);
    assert.deepEqual(calls, [[io.sockets, ["a", "b", "c"]]], name);
  }
});

test("names that only servers reserve are sent to clients", async (t) => {
  const app = await serve(t);
  const { client } = await app.connect();
  for (const object of [app.io, app.io.of("/"), app.io.to(client.id)]) {
    for (const event of ["connection", "new_namespace", "error"]) {
      const heard = next(client, event);
      assert.equal(object.emit(event, 1), true);
      assert.deepEqual(await heard, [1]);
    }
  }
});

test("a namespace has nothing to close", async (t) => {
  const { io } = await serve(t);
  assert.equal(io.of("/").close, undefined);
  assert.equal(io.of("/other").close, undefined);
});

test("alone, a server says that it cannot send to others", async (t) => {
  const warn = t.mock.method(console, "warn", () => {});
  const { io } = await serve(t);
  assert.equal(io.serverSideEmit("event", 1), true);
  assert.equal(io.of("/").serverSideEmit("event", 1), true);
  assert.equal(warn.mock.callCount(), 2);
  assert.match(warn.mock.calls[0].arguments[0], /does not support the serverSideEmit\(\)/);
});

/** An adapter that answers for the other servers, with an error when there is something to say. */
class Answering extends Adapter {
  sent = [];

  serverSideEmit(packet) {
    const [event, ...args] = packet;
    const answer = typeof args.at(-1) === "function" ? args.pop() : undefined;
    this.sent.push([event, ...args]);
    answer?.(event === "fail" ? new Error("one is silent") : null, ["first", "second"]);
  }
}

test("what is sent to other servers goes through the adapter", async (t) => {
  const { io } = await serve(t, { options: { adapter: Answering } });
  const { adapter } = io.of("/");
  for (const object of [io, io.of("/")]) {
    assert.equal(object.serverSideEmit("event", 1, { a: 2 }), true);
    assert.deepEqual(await object.serverSideEmitWithAck("ask", 3), ["first", "second"]);
    await assert.rejects(object.serverSideEmitWithAck("fail"), (error) => {
      assert.equal(error.message, "one is silent");
      assert.deepEqual(error.responses, ["first", "second"]);
      return true;
    });
    assert.deepEqual(adapter.sent.splice(0), [["event", 1, { a: 2 }], ["ask", 3], ["fail"]]);
  }
});

test("the steps of attaching can be taken one by one", async (t) => {
  const httpServer = http.createServer((req, res) => res.writeHead(404).end());
  const io = new target.Server({ serveClient: false });
  assert.equal(io.initEngine(httpServer, { path: "/socket.io" }), undefined);
  assert.deepEqual([io.eio, io.httpServer], [io.engine, httpServer]);
  closeServerAtEnd(t, io);
  await listen(httpServer);
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  const file = `${url}/socket.io/socket.io.min.js?x=1`;
  assert.equal((await request(file)).status, 400);

  assert.equal(io.extractFilename("/socket.io/socket.io.js?x=1"), "socket.io.js");
  assert.equal(io.attachServe(httpServer), undefined);
  assert.match((await request(file)).text, /Socket\.IO v4\./);
  assert.equal((await request(`${url}/other`)).status, 404);

  const { serve: original } = io;
  const served = [];
  io.serve = function (filename, req, res) {
    served.push(filename);
    return original.call(this, filename, req, res);
  };
  assert.equal((await request(file)).status, 200);
  assert.deepEqual(served, ["socket.io.min.js"]);
});

test("Server.sendFile sends a client file in answer to any request", async (t) => {
  const httpServer = http.createServer((req, res) => {
    target.Server.sendFile("socket.io.min.js", req, res);
  });
  t.after(() => httpServer.close());
  await listen(httpServer);
  const { text } = await request(`http://127.0.0.1:${httpServer.address().port}`);
  assert.match(text, /Socket\.IO v4\./);
});

/** A connection as another engine might hand it over, with no more than is asked for. */
class BareConnection extends EventEmitter {
  constructor(protocol) {
    super();
    this.id = `bare-${protocol}`;
    this.protocol = protocol;
    this.readyState = "open";
    this.transport = { name: "bare", writable: true };
    this.written = [];
  }

  write(data) {
    this.written.push(data);
  }

  close() {
    this.readyState = "closed";
    this.emit("close", "forced close");
  }
}

test("onconnection takes the connection of any engine", async () => {
  const io = new target.Server();
  const conn = new BareConnection(undefined);
  assert.equal(io.onconnection(conn), io);
  const connection = next(io, "connection");
  conn.emit("data", '0{"token":"t"}');
  const [socket] = await connection;
  assert.equal(socket.conn, conn);
  assert.deepEqual(socket.handshake.auth, { token: "t" });
  assert.deepEqual([socket.handshake.headers, socket.handshake.secure], [{}, true]);
  socket.emit("event", 1);
  io.emit("all");
  assert.deepEqual(conn.written, [`0{"sid":"${socket.id}"}`, '2["event",1]', '2["all"]']);
  const heard = next(socket, "event");
  conn.emit("data", '2["event",2]');
  assert.deepEqual(await heard, [2]);
  const left = next(socket, "disconnect");
  conn.close();
  assert.equal((await left)[0], "forced close");
});

test("onconnection lets a client of version 2 into the main namespace unasked", async () => {
  const io = new target.Server();
  const connection = next(io, "connection");
  const conn = new BareConnection(3);
  io.onconnection(conn);
  const [socket] = await connection;
  assert.equal(socket.id, conn.id);
  assert.deepEqual(conn.written, ["0"]);
  conn.close();
});

test("bind takes an engine and nothing of an http server", () => {
  const io = new target.Server();
  const engine = new EventEmitter();
  assert.equal(io.bind(engine), io);
  assert.equal(io.engine, engine);
  assert.deepEqual([io.eio, io.httpServer], [undefined, undefined]);
  const conn = new BareConnection(undefined);
  engine.emit("connection", conn);
  assert.equal(conn.listenerCount("close"), 1);
  conn.close();
});

eachTransport("a namespace can be taken away", async (t, transport) => {
  const app = await serve(t, { transport });
  const { io } = app;
  const nsp = io.of("/going");
  nsp.on("connection", () => {});
  const { client } = await app.connect("/going");
  const left = next(client, "disconnect");
  nsp.disconnectSockets(true);
  nsp.removeAllListeners();
  io._nsps.delete("/going");
  await left;
  const [error] = await next(app.open("/going"), "connect_error");
  assert.equal(error.message, "Invalid namespace");
  assert.notEqual(io.of("/going"), nsp);
  await app.connect("/going");
});
