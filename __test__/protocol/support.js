"use strict";

// The server under test and raw clients for it: a WebSocket client and a polling client that
// speak Engine.IO by hand, and a record of what the server saw. Byte-level code is in wire.js.

const assert = require("node:assert/strict");
const http = require("node:http");
const { once } = require("node:events");
const { target, isReference } = require("../support/target");
const wire = require("./wire");

const { OPCODE, Wire, within } = wire;

/** The payload separator of Engine.IO v4. */
const RS = "\x1e";

/**
 * Starts a server on a free port; it is closed when the test ends.
 * "/" and "/admin" exist. Their sockets answer "echo" events and keep what "log" brings.
 * @param {import("node:test").TestContext} t
 * @param {object} [options] of the Server
 * @param {object} [httpOptions] of http.createServer
 */
async function startServer(t, options = {}, httpOptions = {}) {
  const server = new TestServer(options, httpOptions);
  t.after(() => server.close());
  server.httpServer.listen(0, "127.0.0.1");
  await once(server.httpServer, "listening");
  server.port = server.httpServer.address().port;
  return server;
}

/** A server with one well-behaved client, which `undisturbed()` asks at the end. */
async function startHostile(t, options, httpOptions) {
  const server = await startServer(t, options, httpOptions);
  server.bystander = await server.join();
  return server;
}

/** The arguments of the next event of an emitter. */
function event(emitter, name) {
  return within(once(emitter, name), `the event "${name}"`);
}

class TestServer {
  #wires = new Set();
  #awaited = new Map();
  #requests = 0;

  constructor(options, httpOptions) {
    this.httpServer = http.createServer(httpOptions, (req, res) => {
      res.writeHead(404).end("application");
    });
    this.io = new target.Server(this.httpServer, options);
    /** Engine.IO sessions by sid. */
    this.sessions = new Map();
    /** Sockets of all namespaces by id. */
    this.sockets = new Map();
    /** What "connection_error" reported. */
    this.refusals = [];
    this.io.engine.on("connection_error", ({ code, message, context }) => {
      this.refusals.push({ code, message, context });
    });
    this.io.engine.on("connection", (conn) => this.sessions.set(conn.id, recordSession(conn)));
    for (const nsp of ["/", "/admin"]) {
      this.io.of(nsp).on("connection", (socket) => {
        this.sockets.set(socket.id, recordSocket(socket));
      });
    }
    // Added after the engine's own listener: by now the engine has the request.
    this.httpServer.on("request", (req) => {
      const id = new URL(req.url, "http://localhost").searchParams.get("t");
      this.#awaited.get(id)?.();
    });
  }

  /** A TCP connection that is dropped when the test ends. */
  async wire() {
    const opened = await Wire.open(this.port);
    this.#wires.add(opened);
    return opened;
  }

  /** The path of an engine request. A parameter that is undefined is left out. */
  path(query = {}) {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries({ EIO: 4, ...query })) {
      if (value !== undefined) params.append(name, value);
    }
    return `/socket.io/?${params}`;
  }

  /** One HTTP request to the engine, answered. */
  request({ query, ...options }) {
    return wire.request(this.port, { path: this.path(query), ...options });
  }

  /**
   * Sends a request (or the part of it given as `bytes`) and resolves once the engine has it.
   * @returns {Promise<{wire: Wire, response: () => Promise<object>}>}
   */
  async begin({ query, ...options }) {
    const t = `r${++this.#requests}`;
    const seen = new Promise((resolve) => this.#awaited.set(t, resolve));
    const opened = await this.wire();
    opened.write(wire.requestBytes({ path: this.path({ ...query, t }), ...options }));
    await within(seen, "the server to see the request");
    return { wire: opened, response: () => wire.readResponse(opened, options.method) };
  }

  /**
   * Sends a WebSocket upgrade, `head` right behind it, and reads the answer's head.
   * @returns {Promise<{wire: Wire, response: object}>}
   */
  async upgrade({ query, method, headers, head = "" } = {}) {
    const opened = await this.wire();
    const path = this.path({ transport: "websocket", ...query });
    const bytes = wire.requestBytes({ method, path, headers: wire.upgradeHeaders(headers) });
    opened.write(Buffer.concat([bytes, Buffer.from(head)]));
    return { wire: opened, response: await wire.readResponse(opened) };
  }

  /** An upgraded connection, before the server's first frame is read. */
  async websocketOf(options) {
    const { wire: opened, response } = await this.upgrade(options);
    assert.equal(response.status, 101, response.statusLine);
    return new WebSocketClient(this, opened, response);
  }

  /** A WebSocket session, its open packet read. */
  async websocket(options) {
    const client = await this.websocketOf(options);
    client.handshake = parseOpen(await client.text());
    client.sid = client.handshake.sid;
    return client;
  }

  /** A WebSocket session joined to a namespace. */
  async join(nsp, auth) {
    const client = await this.websocket();
    await client.join(nsp, auth);
    return client;
  }

  /** A polling session. */
  async polling(query) {
    const client = new PollingClient(this);
    const response = await this.request({ query: { transport: "polling", ...query } });
    assert.equal(response.status, 200, response.text);
    client.handshake = parseOpen(response.text);
    client.sid = client.handshake.sid;
    return client;
  }

  /** The one refusal so far, as [code, message, context]. */
  refusal() {
    assert.equal(this.refusals.length, 1, JSON.stringify(this.refusals));
    const [{ code, message, context }] = this.refusals;
    return [code, message, context];
  }

  /** Asserts that the bystander is served and that `clients` sessions exist, it included. */
  async undisturbed({ clients = 1 } = {}) {
    await this.bystander.echo();
    assert.equal(this.io.engine.clientsCount, clients);
  }

  async close() {
    for (const opened of this.#wires) opened.destroy();
    const closed = this.io.close();
    this.httpServer.closeAllConnections();
    await within(Promise.resolve(closed), "the server to close");
  }
}

/** What both raw clients share: waiting for the end, and what the server recorded. */
class RawClient {
  #echoes = 0;

  constructor(server) {
    this.server = server;
    /** Socket id by namespace. */
    this.ids = {};
  }

  /** The engine's object for this session. */
  get conn() {
    return this.server.sessions.get(this.sid).conn;
  }

  /** The record of this client's socket in a namespace. */
  record(nsp = "/") {
    return this.server.sockets.get(this.ids[nsp]);
  }

  /** The server's socket in a namespace. */
  socket(nsp = "/") {
    return this.record(nsp).socket;
  }

  /** Why and how the session closed: `{reason, description}`. */
  closed() {
    return within(this.server.sessions.get(this.sid).closed, "the session to close");
  }

  /** Why the socket of a namespace disconnected. */
  disconnected(nsp = "/") {
    return within(this.record(nsp).disconnected, "the socket to disconnect");
  }

  /** All a hostile case asks for: reasons of session and socket, messages of "error" events. */
  async ending(nsp = "/") {
    const socket = await this.disconnected(nsp);
    const { reason } = await this.closed();
    return { conn: reason, socket, errors: this.record(nsp).errors.map((e) => e.message) };
  }

  /** A number no echo of this client has used, to pair questions and answers. */
  nextEcho() {
    return 1000 + this.#echoes++;
  }
}

class WebSocketClient extends RawClient {
  constructor(server, opened, response) {
    super(server);
    this.wire = opened;
    this.response = response;
  }

  send(text) {
    this.wire.write(wire.frame(OPCODE.text, text));
  }

  sendBinary(bytes) {
    this.wire.write(wire.frame(OPCODE.binary, bytes));
  }

  sendFrame(opcode, payload, options) {
    this.wire.write(wire.frame(opcode, payload, options));
  }

  frame() {
    return wire.readFrame(this.wire);
  }

  async #message(opcode, name) {
    const { fin, rsv, opcode: actual, payload } = await this.frame();
    const shown = `opcode ${actual}, ${JSON.stringify(payload.toString("latin1"))}`;
    assert.equal(actual, opcode, `expected a ${name} frame, got ${shown}`);
    assert.deepEqual({ fin, rsv }, { fin: true, rsv: 0 });
    return payload;
  }

  /** The next frame, which must be text. */
  async text() {
    return (await this.#message(OPCODE.text, "text")).toString("utf8");
  }

  /** The next frame, which must be binary. */
  binary() {
    return this.#message(OPCODE.binary, "binary");
  }

  /** The payload of the next frame, which must be a close frame. */
  closePayload() {
    return this.#message(OPCODE.close, "close");
  }

  /** The next frame, which must be a close frame: its code, or undefined without one. */
  async closeCode() {
    const payload = await this.closePayload();
    return payload.length === 0 ? undefined : payload.readUInt16BE();
  }

  /** Reads the server's close frame, answers it, and waits for the end of the connection. */
  async closeHandshake() {
    const code = await this.closeCode();
    this.sendFrame(OPCODE.close, code === undefined ? "" : wire.closePayload(code));
    assert.equal((await this.wire.rest()).length, 0, "bytes after the close frame");
    return code;
  }

  async join(nsp = "/", auth) {
    const prefix = nsp === "/" ? "40" : `40${nsp},`;
    this.send(prefix + (auth === undefined ? "" : JSON.stringify(auth)));
    this.ids[nsp] = parseConnect(await this.text(), prefix);
  }

  /** A round trip through the application: also proves that all before it was processed. */
  async echo(nsp = "/") {
    const prefix = nsp === "/" ? "" : `${nsp},`;
    const id = this.nextEcho();
    this.send(`42${prefix}${id}["echo",${id}]`);
    assert.equal(await this.text(), `43${prefix}${id}[${id}]`);
  }
}

class PollingClient extends RawClient {
  /** A request of this session, answered. */
  request({ query, ...options } = {}) {
    return this.server.request({ query: this.#query(query), ...options });
  }

  /** A request of this session, begun. */
  begin({ query, ...options } = {}) {
    return this.server.begin({ query: this.#query(query), ...options });
  }

  /** A GET that the server holds; resolve `text()` for its payload. */
  async hold() {
    const begun = await this.begin();
    return { ...begun, text: async () => expectPayload(await begun.response()) };
  }

  /** The payload of one GET. */
  async get() {
    return expectPayload(await this.request());
  }

  async post(body, headers = { "Content-Type": "text/plain;charset=UTF-8" }) {
    const response = await this.request({ method: "POST", headers, body });
    assert.deepEqual([response.status, response.text], [200, "ok"]);
  }

  async join(nsp = "/", auth) {
    const prefix = nsp === "/" ? "40" : `40${nsp},`;
    await this.post(prefix + (auth === undefined ? "" : JSON.stringify(auth)));
    this.ids[nsp] = parseConnect(await this.get(), prefix);
  }

  async echo() {
    const id = this.nextEcho();
    await this.post(`42${id}["echo",${id}]`);
    assert.equal(await this.get(), `43${id}[${id}]`);
  }

  /** Asserts that the server no longer knows the session. */
  async gone() {
    const response = await this.request();
    assert.deepEqual(
      [response.status, response.text],
      [400, '{"code":1,"message":"Session ID unknown"}'],
    );
  }

  #query(query) {
    return { transport: "polling", sid: this.sid, ...query };
  }
}

function recordSession(conn) {
  const closed = new Promise((resolve) => {
    conn.once("close", (reason, description) => resolve({ reason, description }));
  });
  return { conn, closed };
}

function recordSocket(socket) {
  const record = { socket, errors: [], log: [] };
  record.disconnected = new Promise((resolve) => socket.once("disconnect", resolve));
  socket.on("error", (error) => record.errors.push(error));
  socket.on("log", (...args) => record.log.push(args));
  socket.on("echo", (...args) => args.pop()(...args));
  return record;
}

function parseOpen(packet) {
  assert.equal(packet[0], "0", packet);
  return JSON.parse(packet.slice(1));
}

function parseConnect(packet, prefix) {
  assert.ok(packet.startsWith(`${prefix}{`), packet);
  return JSON.parse(packet.slice(prefix.length)).sid;
}

function expectPayload(response) {
  assert.equal(response.status, 200, response.text);
  return response.text;
}

module.exports = { RS, event, isReference, startHostile, startServer };
