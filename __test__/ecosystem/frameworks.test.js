"use strict";

// Frameworks that bring Socket.IO along, with this package under the name `socket.io`: NestJS,
// Fastify and Feathers; and the way that applications on Nuxt go, which is that of h3 and crossws.

const assert = require("node:assert/strict");
const http = require("node:http");
const { io: connectTo } = require("socket.io-client");
const { test, eachTransport } = require("../support/scenario");
const { next, until } = require("../support/events");
const { atEnd } = require("../support/cleanup");
const { connected, listen } = require("../support/app");
const { load, loadModule } = require("./installed");

eachTransport(
  "a gateway of NestJS answers events and follows its sockets",
  async (t, transport) => {
    const { app, url, Gateway } = await nestApp(t);
    const gateway = app.get(Gateway);
    assert.ok(gateway.server instanceof load("socket.io").Namespace);
    const client = await open(t, url + "/chat", transport);
    assert.deepEqual(gateway.log, [`+${client.id}`]);
    assert.equal(await client.emitWithAck("upper", "hello"), "HELLO");

    client.emit("stream", 3);
    const parts = [];
    await new Promise((resolve) => {
      client.on("part", (part) => {
        parts.push(part);
        parts.length === 3 && resolve();
      });
    });
    assert.deepEqual(parts, [0, 1, 2]);

    const failed = next(client, "exception");
    client.emit("fail");
    assert.equal((await failed)[0].message, "refused");
    const left = gateway.left();
    const { id } = client;
    client.disconnect();
    assert.equal(await left, id);
  },
);

test("NestJS closes with clients connected, and an adapter of its own may set options", async (t) => {
  const { IoAdapter } = load("@nestjs/platform-socket.io");
  const { Adapter } = load("socket.io-adapter");
  class Local extends Adapter {}
  class Custom extends IoAdapter {
    createIOServer(port, options) {
      const server = super.createIOServer(port, { ...options, path: "/live" });
      server.adapter(Local);
      return server;
    }
  }
  const { app, url, Gateway } = await nestApp(t, Custom);
  const client = await open(t, url + "/chat", undefined, { path: "/live" });
  assert.ok(app.get(Gateway).server.adapter instanceof Local);
  const gone = next(client, "disconnect");
  await app.close();
  await gone;
});

eachTransport("Fastify serves sockets and ends with clients connected", async (t, transport) => {
  const fastify = load("fastify")();
  let ended = false;
  atEnd(t, () => ended || fastify.close());
  fastify.register(load("fastify-socket.io").default, { cors: { origin: "*" } });
  fastify.get("/", async () => ({ sockets: fastify.io.engine.clientsCount }));
  await fastify.ready();
  fastify.io.on("connection", (socket) => socket.on("echo", (value, ack) => ack(value)));
  const url = await fastify.listen({ port: 0, host: "127.0.0.1" });

  const client = await open(t, url, transport);
  assert.deepEqual(await client.emitWithAck("echo", { a: 1 }), { a: 1 });
  assert.deepEqual((await fastify.inject("/")).json(), { sockets: 1 });
  const gone = next(client, "disconnect");
  await fastify.close();
  ended = true;
  // Fastify may cut a poll that waits before it is answered.
  const reasons = ["io server disconnect", "transport error"];
  assert.ok(reasons.includes((await gone)[0]));
});

eachTransport("Feathers serves its services and their events", async (t, transport) => {
  const { feathers } = load("@feathersjs/feathers");
  const app = feathers();
  app.configure(
    load("@feathersjs/socketio")((io) => {
      io.use((socket, proceed) => {
        socket.feathers.agent = socket.handshake.headers["x-agent"];
        proceed();
      });
    }),
  );
  app.use("notes", {
    async create(note, params) {
      return { ...note, agent: params.agent, provider: params.provider };
    },
    async get(id) {
      throw new Error(`no note ${id}`);
    },
  });
  app.on("connection", (connection) => app.channel("all").join(connection));
  app.publish(() => app.channel("all"));
  const server = await app.listen(0, "127.0.0.1");
  atEnd(t, () => app.io.close());
  server.listening || (await next(server, "listening"));

  const url = `http://127.0.0.1:${server.address().port}`;
  const client = await open(t, url, transport, { extraHeaders: { "x-agent": "tester" } });
  const created = next(client, "notes created");
  const note = { text: "hello", agent: "tester", provider: "socketio" };
  assert.deepEqual(await call(client, "create", "notes", { text: "hello" }), note);
  assert.deepEqual((await created)[0], note);
  await assert.rejects(call(client, "get", "notes", 7), { message: "no note 7" });

  const left = next(app, "disconnect");
  client.disconnect();
  await left;
  assert.equal(app.channel("all").length, 0);
});

eachTransport("h3 and crossws pass requests to an engine of one's own", async (t, transport) => {
  const { createApp, createRouter, defineEventHandler, toNodeListener } = await loadModule("h3");
  const { default: websockets } = await loadModule("crossws/adapters/node");
  const engine = new (load("engine.io").Server)();
  const io = new (load("socket.io").Server)();
  io.bind(engine);
  const app = createApp();
  const router = createRouter();
  router.use(
    "/socket.io/",
    defineEventHandler({
      handler(event) {
        engine.handleRequest(event.node.req, event.node.res);
        event._handled = true;
      },
      websocket: {
        open(peer) {
          const { nodeReq } = peer._internal;
          engine.prepare(nodeReq);
          engine.onWebSocket(nodeReq, nodeReq.socket, peer.websocket);
        },
      },
    }),
  );
  app.use(router);
  const httpServer = http.createServer(toNodeListener(app));
  const { handleUpgrade } = websockets(app.websocket);
  httpServer.on("upgrade", handleUpgrade);
  atEnd(t, () => {
    engine.close();
    httpServer.close();
  });
  await listen(httpServer);

  const url = `http://127.0.0.1:${httpServer.address().port}`;
  io.on("connection", (socket) => {
    socket.join("red");
    socket.on("echo", (value, ack) => ack(value, socket.conn.transport.name));
  });
  const one = await open(t, url, transport);
  const two = await open(t, url, transport);
  const back = await one.emitWithAck("echo", Buffer.from([1, 2]));
  assert.deepEqual(Buffer.from(back), Buffer.from([1, 2]));
  const heard = [one, two].map((client) => next(client, "news"));
  io.to("red").emit("news", { n: 1 });
  assert.deepEqual(await Promise.all(heard), [[{ n: 1 }], [{ n: 1 }]]);
  const gone = next(io.of("/").sockets.get(two.id), "disconnect");
  two.disconnect();
  await gone;
  await until(() => engine.clientsCount === 1);
});

/** Calls a method of a Feathers service. */
function call(client, ...args) {
  return new Promise((resolve, reject) => {
    client.emit(...args, (error, result) => (error ? reject(error) : resolve(result)));
  });
}

async function open(t, url, transport, options) {
  const client = connectTo(url, {
    forceNew: true,
    reconnection: false,
    ...transport?.client,
    ...options,
  });
  atEnd(t, () => client.disconnect());
  await connected(client);
  return client;
}

/** A NestJS application with one gateway; decorators are called as compiled code calls them. */
async function nestApp(t, AdapterClass = load("@nestjs/platform-socket.io").IoAdapter) {
  load("reflect-metadata");
  const { Module } = load("@nestjs/common");
  const { NestFactory } = load("@nestjs/core");
  const websockets = load("@nestjs/websockets");
  const { range, map } = load("rxjs");

  class Gateway {
    log = [];
    handleConnection(socket) {
      this.log.push(`+${socket.id}`);
    }
    handleDisconnect(socket) {
      this.whenLeft?.(socket.id);
    }
    left() {
      return new Promise((resolve) => {
        this.whenLeft = resolve;
      });
    }
    upper(text) {
      return text.toUpperCase();
    }
    stream(count) {
      return range(0, count).pipe(map((data) => ({ event: "part", data })));
    }
    fail() {
      throw new websockets.WsException("refused");
    }
  }
  for (const name of ["upper", "stream", "fail"]) {
    const descriptor = Object.getOwnPropertyDescriptor(Gateway.prototype, name);
    websockets.SubscribeMessage(name)(Gateway.prototype, name, descriptor);
    websockets.MessageBody()(Gateway.prototype, name, 0);
  }
  websockets.WebSocketServer()(Gateway.prototype, "server");
  websockets.WebSocketGateway({ namespace: "/chat", cors: { origin: "*" } })(Gateway);

  class AppModule {}
  Module({ providers: [Gateway] })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: false, forceCloseConnections: true });
  app.useWebSocketAdapter(new AdapterClass(app));
  atEnd(t, () => app.close());
  await app.listen(0, "127.0.0.1");
  return { app, url: await app.getUrl(), Gateway };
}
