"use strict";

// A server under test on a free port, and real clients for it. All of it is closed
// when the test ends.

const http = require("node:http");
const net = require("node:net");
const { io: connectTo } = require("socket.io-client");
const { target } = require("./target");
const { atEnd, closeServerAtEnd } = require("./cleanup");
const { next, until } = require("./events");

/**
 * How long a closing poll waits for the client to ask again. The reference keeps that timer,
 * and with it the process, for 30 seconds even when the client has left meanwhile.
 */
const CLOSE_TIMEOUT = 2_000;

/**
 * Starts a Socket.IO server on an http server and listens on a free port.
 *
 * @param {TestContext} t
 * @param {object} [setup]
 * @param {object} [setup.transport] one of TRANSPORTS: what the clients use
 * @param {object} [setup.options] options of the Socket.IO server
 * @param {http.Server} [setup.httpServer] the server to attach to
 */
async function serve(t, { transport, options, httpServer = http.createServer() } = {}) {
  const io = new target.Server(httpServer, options);
  const app = new App(io, transport, options);
  closeAtEnd(t, io, app);
  await listen(httpServer);
  return app;
}

/** A running server with its address and its clients. */
class App {
  constructor(io, transport, options = {}) {
    this.io = io;
    this.transport = transport;
    this.path = options.path;
    this.clients = [];
  }

  get httpServer() {
    return this.io.httpServer;
  }

  get port() {
    return this.httpServer.address().port;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Creates a client that is on its way to a namespace; nothing is awaited. */
  open(namespace = "/", options = {}) {
    const client = connectTo(this.url + namespace, {
      forceNew: true,
      reconnection: false,
      path: this.path,
      ...this.transport?.client,
      ...options,
    });
    this.clients.push(client);
    return client;
  }

  /**
   * Connects a client and returns both ends: `{ client, socket }`. Where the transport
   * is to be upgraded, both ends use the WebSocket when this resolves.
   */
  async connect(namespace = "/", options = {}) {
    const client = this.open(namespace, options);
    await connected(client);
    const socket = this.io.of(namespace.split("?")[0]).sockets.get(client.id);
    await this.upgraded(client, socket);
    return { client, socket };
  }

  /** Connects a client to one more namespace over the connection that it has. */
  async share(client, namespace, options = {}) {
    const other = client.io.socket(namespace, options);
    await connected(other);
    return { client: other, socket: this.io.of(namespace).sockets.get(other.id) };
  }

  /** Connects several clients to one namespace. */
  async connectAll(count, namespace = "/", options = {}) {
    const all = [];
    for (let i = 0; i < count; i++) {
      all.push(await this.connect(namespace, options));
    }
    return all;
  }

  /** Resolves once both ends use the transport that the test is about. */
  async upgraded(client, socket) {
    socket.conn.transport.closeTimeout = CLOSE_TIMEOUT;
    const final = this.transport?.final;
    if (!final) {
      return;
    }
    await until(() => client.io.engine.transport.name === final, `the client uses ${final}`);
    await until(() => socket.conn.transport.name === final, `the server uses ${final}`);
  }
}

/** Resolves when the client is connected, rejects when it is refused. */
async function connected(client) {
  if (client.connected) {
    return;
  }
  let refuse;
  const refused = new Promise((resolve, reject) => {
    refuse = reject;
    client.once("connect_error", reject);
  });
  try {
    await Promise.race([next(client, "connect"), refused]);
  } finally {
    client.off("connect_error", refuse);
  }
}

/** Listens on a free port of the loopback address. */
async function listen(httpServer) {
  const listening = next(httpServer, "listening");
  httpServer.listen(0, "127.0.0.1");
  await listening;
}

/** Connects a client through a port of its own, whose streams the http server is given by hand. */
async function connectThrough(t, app, wrap) {
  const door = net.createServer((stream) => app.httpServer.emit("connection", wrap(stream)));
  await listen(door);
  atEnd(t, () => door.close());
  const client = connectTo(`http://127.0.0.1:${door.address().port}`, {
    forceNew: true,
    reconnection: false,
    ...app.transport?.client,
  });
  atEnd(t, () => client.disconnect());
  await connected(client);
  const socket = app.io.sockets.sockets.get(client.id);
  await app.upgraded(client, socket);
  return { client, socket };
}

/** Closes the clients and the server when the test ends. */
function closeAtEnd(t, io, app) {
  closeServerAtEnd(t, io);
  atEnd(t, () => app?.clients.forEach((client) => client.disconnect()));
}

module.exports = { serve, App, connected, connectThrough, listen, closeAtEnd };
