"use strict";

// Who the classes are to the rest of a program: their shape and their place in the prototype
// chains; and that methods put in the place of ours are the ones that get called, whether on one
// object or on all of a class, before there are connections or after.

const assert = require("node:assert/strict");
const { EventEmitter, once, on } = require("node:events");
const http = require("node:http");
const util = require("node:util");
const { Adapter } = require("socket.io-adapter");
const { target, name } = require("../support/target");
const { test, eachTransport, TRANSPORTS } = require("../support/scenario");
const { serve, listen } = require("../support/app");
const { next, settle } = require("../support/events");

const prototypeOf = Object.getPrototypeOf;

test("the classes take as many arguments as they say", () => {
  const { Server, Namespace, Socket } = target;
  assert.deepEqual([Server.length, Namespace.length, Socket.length], [1, 2, 4]);
  assert.equal(typeof Server.sendFile, "function");
  assert.deepEqual([Server.name, Namespace.name, Socket.name], ["Server", "Namespace", "Socket"]);
});

test("the package is an arrow function without a prototype", () => {
  assert.equal(Object.hasOwn(target, "prototype"), false);
  assert.throws(() => new target(), TypeError);
});

test("the package can be called like the class", async (t) => {
  const httpServer = http.createServer();
  const { io: fromCall } = await serve(t, { httpServer, options: { path: "/one" } });
  assert.ok(fromCall instanceof target.Server);
  const forms = [target(), target({ path: "/two" }), target(http.createServer(), { path: "/two" })];
  for (const io of forms) {
    assert.ok(io instanceof target.Server);
  }
  assert.deepEqual(
    forms.map((io) => io.path()),
    ["/socket.io", "/two", "/two"],
  );
});

test("a port as the only argument is listened on", async (t) => {
  const io = target(0);
  t.after(() => io.close());
  await next(io.httpServer, "listening");
  assert.equal(typeof io.httpServer.address().port, "number");
});

test("the emitting classes share a base on top of Node's emitter", () => {
  const { Server, Namespace, Socket } = target;
  const bases = [Server, Namespace, Socket].map(prototypeOf);
  assert.equal(new Set(bases).size, 1);
  assert.equal(bases[0].name, "StrictEventEmitter");
  assert.equal(prototypeOf(bases[0]), EventEmitter);
});

test("a parent namespace is a namespace", () => {
  const parent = new target.Server().of(/^\/dynamic/);
  assert.equal(parent.constructor.name, "ParentNamespace");
  assert.ok(parent instanceof target.Namespace);
});

eachTransport("the engine's objects are emitters with the usual names", async (t, transport) => {
  const app = await serve(t, { transport });
  const { socket } = await app.connect();
  const { conn } = socket;
  for (const object of [app.io.engine, conn, conn.transport]) {
    assert.ok(object instanceof EventEmitter);
  }
  assert.equal(app.io.engine.constructor.name, "Server");
  assert.equal(conn.constructor.name, "Socket");
  assert.equal(socket.client.constructor.name, "Client");
  assert.equal(conn.server, app.io.engine);
  assert.equal(socket.client.conn, conn);
  assert.equal(socket.client.server, app.io);
});

for (const [title, options] of [
  ["without recovery", {}],
  ["with recovery", { connectionStateRecovery: {} }],
]) {
  test(`the default adapter is one of socket.io-adapter, ${title}`, async (t) => {
    const { io } = await serve(t, { options });
    const { adapter } = io.of("/");
    const expected = options.connectionStateRecovery ? "SessionAwareAdapter" : "Adapter";
    assert.ok(adapter instanceof require("socket.io-adapter")[expected]);
    assert.ok(adapter instanceof Adapter);
    assert.equal(adapter.constructor.name, expected);
    assert.equal(io.adapter().name, expected);
    const fields = ["nsp", "rooms", "sids", "encoder"];
    if (options.connectionStateRecovery) {
      fields.push("sessions", "packets", "maxDisconnectionDuration");
      assert.ok(adapter.sessions instanceof Map);
      assert.ok(Array.isArray(adapter.packets));
      assert.equal(adapter.maxDisconnectionDuration, 120_000);
    }
    const own = Object.keys(adapter).filter((key) => !key.startsWith("_"));
    assert.deepEqual(own.sort(), fields.sort());
  });
}

test("the encoder and the parser are those of socket.io-parser", async (t) => {
  const { io } = await serve(t);
  const parser = require("socket.io-parser");
  assert.equal(io._parser, parser);
  assert.ok(io.encoder instanceof parser.Encoder);
});

test("objects stay themselves, can be extended, and serve as keys", async (t) => {
  const app = await serve(t, { transport: TRANSPORTS.websocket });
  const { client, socket } = await app.connect();
  const objects = () => [socket, socket.client, socket.conn, socket.conn.transport, socket.nsp];
  const known = new WeakMap(objects().map((object, index) => [object, index]));
  objects().forEach((object) => (object.mine = true));
  const again = new Promise((resolve) => socket.once("event", resolve));
  client.emit("event");
  await again;
  assert.deepEqual(
    objects().map((object) => known.get(object)),
    [0, 1, 2, 3, 4],
  );
  assert.ok(objects().every((object) => object.mine));
  assert.equal([...app.io.sockets.sockets.values()][0], socket);
});

test("a server, a socket and its connection can be inspected", async (t) => {
  const app = await serve(t);
  const { socket } = await app.connect();
  for (const object of [app.io, socket, socket.client, socket.conn, socket.nsp.adapter]) {
    assert.equal(typeof util.inspect(object, { depth: 1 }), "string");
  }
  assert.throws(() => JSON.stringify(socket), /circular/);
});

test("the tools of node:events work on sockets and servers", async (t) => {
  const app = await serve(t);
  const connections = on(app.io, "connection");
  const { client, socket } = await app.connect();
  const { value } = await connections.next();
  assert.equal(value[0], socket);
  const heard = once(socket, "event");
  client.emit("event", 1);
  assert.deepEqual(await heard, [1]);
  assert.equal(socket.listenerCount("error"), 1);
  assert.deepEqual(socket.eventNames(), ["error"]);
});

test("what node:events does for emitters it does for sockets", async (t) => {
  const app = await serve(t);
  const { client, socket } = await app.connect();
  socket.removeAllListeners("error");
  assert.throws(() => socket._onerror(new Error("broken")), { message: "broken" });

  socket.setMaxListeners(2);
  assert.equal(socket.getMaxListeners(), 2);
  const warned = once(process, "warning");
  for (let i = 0; i < 3; i++) socket.on("event", () => {});
  const [warning] = await warned;
  assert.equal(warning.name, "MaxListenersExceededWarning");
  assert.equal(warning.emitter, socket);

  const heard = [];
  socket.prependOnceListener("event", (value) => heard.push(value));
  client.emit("event", 1);
  client.emit("event", 2);
  await settle(client, socket);
  assert.deepEqual(heard, [1]);
});

test("subclasses of the classes are used like them", async (t) => {
  class Extended extends target.Server {
    of(...args) {
      this.asked = true;
      return super.of(...args);
    }
  }
  const httpServer = http.createServer();
  const io = new Extended(httpServer);
  t.after(() => io.close());
  await listen(httpServer);
  assert.equal(io.asked, true);
  assert.ok(io.of("/x") instanceof target.Namespace);
});

test("tools that patch the module files see their patches used", async () => {
  // As instrumentation does: the file is patched when it is loaded, before anything uses it.
  const script = `
    const Module = require("node:module");
    const load = Module.prototype.require;
    const seen = [];
    const patch = (prototype, method) => {
      const original = prototype[method];
      prototype[method] = function (...args) {
        seen.push(method + ":" + String(args[0]));
        return original.apply(this, args);
      };
    };
    Module.prototype.require = function (id) {
      const exports = load.call(this, id);
      const file = Module._resolveFilename(id, this);
      if (/dist[\\\\/]socket\\.js$/.test(file) && !seen.socket) {
        seen.socket = true;
        patch(exports.Socket.prototype, "emit");
      }
      if (/dist[\\\\/]broadcast-operator\\.js$/.test(file) && !seen.operator) {
        seen.operator = true;
        patch(exports.BroadcastOperator.prototype, "emit");
      }
      return exports;
    };
    const { Server } = require(${JSON.stringify(require.resolve(name))});
    const { io: connect } = require("socket.io-client");
    const io = new Server(0);
    io.httpServer.on("listening", () => {
      const { port } = io.httpServer.address();
      const client = connect("http://127.0.0.1:" + port, { transports: ["websocket"] });
      io.on("connection", (socket) => {
        io.to(socket.id).emit("broadcast");
        socket.emit("unicast");
      });
      client.on("unicast", () => {
        console.log(JSON.stringify(seen));
        client.close();
        io.close();
      });
    });
  `;
  const { promisify } = util;
  const execFile = promisify(require("node:child_process").execFile);
  const { stdout } = await execFile(process.execPath, ["-e", script], { cwd: __dirname });
  assert.deepEqual(JSON.parse(stdout), ["emit:broadcast", "emit:unicast"]);
});

test("the module files have their usual exports", () => {
  const root = require("node:path").dirname(require.resolve(`${name}/package.json`));
  const load = (file) => require(require("node:path").join(root, "dist", file));
  const exported = {
    "index.js": ["Namespace", "Server", "Socket"],
    "socket.js": ["Socket"],
    "broadcast-operator.js": ["BroadcastOperator", "RemoteSocket"],
    "namespace.js": ["Namespace", "RESERVED_EVENTS"],
    "client.js": ["Client"],
    "parent-namespace.js": ["ParentNamespace"],
    "socket-types.js": ["RESERVED_EVENTS"],
    "typed-events.js": ["StrictEventEmitter"],
    "uws.js": ["patchAdapter", "restoreAdapter", "serveFile"],
    "contrib/base64id.js": ["base64id"],
  };
  for (const [file, names] of Object.entries(exported)) {
    assert.deepEqual(Object.keys(load(file)).sort(), names, file);
  }
  assert.equal(load("index.js").Socket, target.Socket);
  assert.equal(load("socket.js").Socket, target.Socket);
  assert.equal(load("namespace.js").Namespace, target.Namespace);
  assert.equal(load("typed-events.js").StrictEventEmitter, prototypeOf(target.Server));
  assert.match(load("contrib/base64id.js").base64id.generateId(), /^[\w-]{20}$/);
  assert.deepEqual(
    [...load("namespace.js").RESERVED_EVENTS],
    ["connect", "connection", "new_namespace"],
  );
  assert.equal(load("socket-types.js").RESERVED_EVENTS.has("disconnecting"), true);
});

// What an application may do to methods. Each act has an effect that is awaited, and passes
// through the method on its way.

/** A server with a client that has joined the room "room". */
async function scene(app) {
  const pair = await app.connect();
  pair.socket.join("room");
  return { app, io: app.io, ...pair };
}

const hear = async (client, act) => {
  const heard = next(client, "event");
  act();
  await heard;
};

const unicast = ({ client, socket }) => hear(client, () => socket.emit("event", 1));
const binary = ({ client, socket }) => hear(client, () => socket.emit("event", Buffer.from("b")));
const toAll = ({ client, io }) => hear(client, () => io.emit("event", 1));
const toRoom = ({ client, io }) => hear(client, () => io.to("room").emit("event", 1));
const toOthers = async ({ io, client, app }) => {
  const { socket } = await app.connect();
  await hear(client, () => socket.broadcast.emit("event", 1));
  assert.equal(io.sockets.sockets.size, 2);
};
const askAll = async ({ client, io }) => {
  client.once("event", (done) => done("answer"));
  const answers = io.timeout(5_000).emitWithAck("event");
  assert.deepEqual(await answers, ["answer"]);
};
const fromClient = async ({ client, socket }) => {
  const heard = next(socket, "event");
  client.emit("event", 1);
  assert.deepEqual(await heard, [1]);
};
const fromClientBinary = async ({ client, socket }) => {
  const heard = next(socket, "event");
  client.emit("event", Buffer.from([1]));
  assert.deepEqual(await heard, [Buffer.from([1])]);
};
const askServer = async ({ client, socket }) => {
  socket.once("question", (answer) => answer(1));
  assert.equal(await client.emitWithAck("question"), 1);
};
const askClient = async ({ client, socket }) => {
  client.once("question", (answer) => answer(1));
  assert.equal(await socket.emitWithAck("question"), 1);
};
const connectAnother = ({ app }) => app.connect();
const disconnect = async ({ client, socket }) => {
  const left = next(socket, "disconnect");
  client.disconnect();
  await left;
};
const joinAll = ({ io, socket }) => {
  io.socketsJoin("another");
  assert.ok(socket.rooms.has("another"));
};
const leaveAll = ({ io, socket }) => {
  io.socketsLeave("room");
  assert.ok(!socket.rooms.has("room"));
};
const fetchAll = async ({ io }) => assert.equal((await io.fetchSockets()).length, 1);
const listAll = async ({ io }) => assert.equal((await io.allSockets()).size, 1);
const exceptRoom = async (it) => {
  const { client } = await it.app.connect();
  await hear(client, () => it.io.except("room").emit("event", 1));
};
const kickAll = async ({ io, socket }) => {
  const left = next(socket, "disconnect");
  io.disconnectSockets();
  await left;
};

const kickForGood = async ({ io, socket }) => {
  const closed = next(socket.conn, "close");
  io.disconnectSockets(true);
  await closed;
};

/** Class, how to get at an object of it, and which acts pass through which methods. */
const METHODS = [
  [
    "Socket",
    ({ socket }) => socket,
    {
      emit: { send: ({ client, socket }) => (socket.send(1), next(client, "message")), askClient },
      packet: { unicast, binary, askServer, askClient },
      onevent: { fromClient, fromClientBinary, askServer },
      _onpacket: { fromClient, fromClientBinary, askClient },
      onack: { askClient, askAll },
      ack: { askServer },
      dispatch: { fromClient, askServer },
      run: { fromClient, askServer },
      join: { joinAll },
      leave: { leaveAll },
      notifyOutgoingListeners: { unicast, toAll, toRoom, askAll },
      registerAckCallback: { askClient },
      _onclose: { disconnect, kickAll },
      _cleanup: { disconnect },
      leaveAll: { disconnect },
      disconnect: { kickAll },
    },
  ],
  [
    "Client",
    ({ socket }) => socket.client,
    {
      writeToEngine: { unicast, binary, toAll, toRoom, toOthers, askAll },
      _packet: { unicast, binary, askServer },
      _remove: { disconnect },
    },
  ],
  [
    "connection",
    ({ socket }) => socket.conn,
    {
      write: { unicast, binary, toAll, toRoom, toOthers, askServer },
      sendPacket: { unicast, binary, toAll, toRoom, toOthers, askServer },
      flush: { unicast, binary, toAll, toRoom, toOthers, askServer },
      close: { kickForGood },
    },
  ],
  [
    "transport",
    ({ socket }) => socket.conn.transport,
    {
      send: { unicast, binary, toAll, toRoom, toOthers, askServer },
      onPacket: { fromClient, fromClientBinary, askServer },
    },
  ],
  [
    "BroadcastOperator",
    null,
    {
      emit: {
        toAll,
        toRoom,
        toOthers,
        toNamespace: ({ client, io }) => hear(client, () => io.of("/").emit("event", 1)),
        askAll,
      },
      fetchSockets: { fetchAll },
      socketsJoin: { joinAll },
    },
  ],
  [
    "Namespace",
    ({ io }) => io.of("/"),
    {
      emit: { toAll },
      run: { connectAnother },
      _add: { connectAnother },
      _createSocket: { connectAnother },
      _doConnect: { connectAnother },
      _remove: { disconnect },
    },
  ],
  [
    "adapter",
    ({ io }) => io.of("/").adapter,
    {
      addAll: { joinAll, connectAnother },
      del: { leaveAll },
      _del: { leaveAll, disconnect },
      delAll: { disconnect },
      broadcast: { toAll, toRoom, toOthers },
      broadcastWithAck: { askAll },
      apply: { toAll, toRoom, askAll, fetchAll, listAll },
      computeExceptSids: { exceptRoom, toOthers },
      _encode: { toAll, askAll },
      sockets: { listAll },
      socketRooms: { joinAll },
      fetchSockets: { fetchAll },
      addSockets: { joinAll },
      delSockets: { leaveAll },
      disconnectSockets: { kickAll },
      serverCount: { askAll },
    },
  ],
];

/** The prototype that a class's methods live on, found without connecting anybody. */
const PROTOTYPES = {
  Socket: () => target.Socket.prototype,
  Namespace: () => target.Namespace.prototype,
  BroadcastOperator: () => prototypeOf(new target.Server().to("room")),
  adapter: () => Adapter.prototype,
};

/** Puts a method in the place of another, which it calls. Returns how often it was called. */
function replace(t, object, method) {
  const original = object[method];
  assert.equal(typeof original, "function", `there is a method ${method}`);
  const isOwn = Object.hasOwn(object, method);
  const calls = { count: 0 };
  object[method] = function (...args) {
    calls.count++;
    return original.apply(this, args);
  };
  t.after(() => {
    if (isOwn) {
      object[method] = original;
    } else {
      delete object[method];
    }
  });
  return calls;
}

for (const [className, objectOf, methods] of METHODS) {
  for (const [method, acts] of Object.entries(methods)) {
    for (const [act, perform] of Object.entries(acts)) {
      const title = `${className}.${method}() of the application's is called (${act})`;
      if (objectOf) {
        eachTransport(`${title}, replaced on the object`, async (t, transport) => {
          const it = await scene(await serve(t, { transport }));
          const calls = replace(t, objectOf(it), method);
          await perform(it);
          assert.notEqual(calls.count, 0);
        });
      }
      eachTransport(`${title}, replaced on the prototype`, async (t, transport) => {
        const it = await scene(await serve(t, { transport }));
        const prototype = PROTOTYPES[className]?.() ?? prototypeOf(objectOf(it));
        const calls = replace(t, prototype, method);
        await perform(it);
        assert.notEqual(calls.count, 0);
      });
      if (PROTOTYPES[className]) {
        eachTransport(`${title}, replaced before anybody connects`, async (t, transport) => {
          const calls = replace(t, PROTOTYPES[className](), method);
          const it = await scene(await serve(t, { transport }));
          calls.count = 0;
          await perform(it);
          assert.notEqual(calls.count, 0);
        });
      }
    }
  }
}

for (const method of ["ondata", "ondecoded", "_parseNamespace"]) {
  eachTransport(`Client.${method}() of the application's is called`, async (t, transport) => {
    const app = await serve(t, { transport });
    const { socket: first } = await app.connect();
    const calls = replace(t, prototypeOf(first.client), method);
    const it = await scene(app);
    calls.count = 0;
    await fromClient(it);
    await fromClientBinary(it);
    assert.notEqual(calls.count, 0);
  });
}

eachTransport("a connection that swallows packets stops them", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const { client: other } = await app.connect();
  client.on("event", () => assert.fail("must not arrive"));
  const { sendPacket } = socket.conn;
  socket.conn.sendPacket = () => {};
  const heard = next(other, "event");
  app.io.emit("event");
  await heard;
  socket.conn.sendPacket = sendPacket;
  await settle(client, socket);
});

eachTransport("a client that swallows writes hears nothing", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const { client: other } = await app.connect();
  client.on("event", () => assert.fail("must not arrive"));
  const { writeToEngine } = socket.client;
  socket.client.writeToEngine = () => {};
  const heard = next(other, "event");
  app.io.emit("event");
  socket.emit("event");
  await heard;
  socket.client.writeToEngine = writeToEngine;
  await settle(client, socket);
});

eachTransport("an own onevent() may change what listeners get", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const { onevent } = socket;
  socket.onevent = function (packet) {
    packet.data.push("added");
    onevent.call(this, packet);
  };
  const heard = next(socket, "event");
  client.emit("event", 1);
  assert.deepEqual(await heard, [1, "added"]);
});

eachTransport("an own decoder takes what a client sends", async (t, transport) => {
  const app = await serve(t, { transport });
  const { client, socket } = await app.connect();
  const { Decoder } = require("socket.io-parser");
  const before = next(socket, "event");
  client.emit("event", "before");
  await before;
  const taken = [];
  socket.client.decoder.on("decoded", (packet) => taken.push(packet.data));
  const between = next(socket, "event");
  client.emit("event", Buffer.from("between"));
  await between;
  const decoder = new Decoder();
  decoder.on("decoded", (packet) => {
    taken.push(packet.data);
    socket.client.ondecoded({ ...packet, data: [packet.data[0], "changed"] });
  });
  socket.client.decoder = decoder;
  const after = next(socket, "event");
  client.emit("event", "after");
  assert.deepEqual(await after, ["changed"]);
  assert.deepEqual(taken, [
    ["event", Buffer.from("between")],
    ["event", "after"],
  ]);
});
