"use strict";

// Stand-alone leak test: node --expose-gc __test__/leak/connections.js
// Thousands of sessions come and go, each in another way (clients.js, in a child process); then
// nothing of them may be left: no session, socket, room, file descriptor or memory.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { fork } = require("node:child_process");
const { once } = require("node:events");
const { setImmediate: turn, setTimeout: pause } = require("node:timers/promises");
const { target, name } = require("../support/target");

/** Sessions over WebSocket; a fifth as many more come over polling. */
const CYCLES = Number(process.env.FERRIO_LEAK_CYCLES || 20_000);

/** What a connection of the second half may leave on the JS heap: less than any object of ours. */
const HEAP_BYTES_PER_CONNECTION = 48;
/** What measuring itself moves, whatever the number of connections. */
const HEAP_NOISE_BYTES = 400_000;
/** Allocators keep pages; a leaked session or buffer per connection would exceed this by far. */
const RSS_BYTES_PER_CONNECTION = 1_500;
const RSS_NOISE_BYTES = 24_000_000;

const PATIENCE_MS = 20_000;

async function main() {
  assert.equal(typeof globalThis.gc, "function", "run me with node --expose-gc");
  assert.ok(Number.isInteger(CYCLES) && CYCLES >= 10, "FERRIO_LEAK_CYCLES must be 10 or more");

  const server = new CountingServer();
  await server.listen();
  const clients = fork(path.join(__dirname, "clients.js"), { execArgv: [] });
  const crashed = once(clients, "exit").then(([code, signal]) => {
    throw new Error(`the clients' process ended: ${code ?? signal}`);
  });
  const answer = async () => (await Promise.race([once(clients, "message"), crashed]))[0];
  await answer();
  const started = Date.now();

  const run = async (cycles) => {
    const batch = { port: server.port, websocket: cycles, polling: Math.ceil(cycles / 5) };
    clients.send(batch);
    const outcome = await answer();
    assert.equal(outcome.error, undefined, outcome.error);
    server.expected += batch.websocket + batch.polling;
    await server.quiet();
  };

  // The first tenth fills caches and pools, so that the rest can be compared.
  await run(Math.ceil(CYCLES / 10));
  const base = await measure();
  await run(Math.ceil((CYCLES * 4) / 10));
  const middle = await measure();
  await run(Math.ceil(CYCLES / 2));
  await descriptorsDownTo(base.descriptors);
  const end = await measure();

  server.assertEmpty();
  const half = Math.ceil(CYCLES / 2) * 1.2;
  const heap = end.heap - middle.heap;
  const rss = end.rss - middle.rss;
  const seconds = (Date.now() - started) / 1000;
  console.log(
    `${name}: ${server.expected} sessions in ${seconds.toFixed(1)} s, ` +
      `heap ${mega(base.heap)} > ${mega(middle.heap)} > ${mega(end.heap)} MB ` +
      `(${(heap / half).toFixed(1)} bytes a connection in the second half), ` +
      `rss ${mega(base.rss)} > ${mega(middle.rss)} > ${mega(end.rss)} MB, ` +
      `descriptors ${base.descriptors ?? "not counted"} > ${end.descriptors ?? "not counted"}`,
  );
  assert.ok(heap <= HEAP_NOISE_BYTES + half * HEAP_BYTES_PER_CONNECTION, `heap grew by ${heap}`);
  assert.ok(rss <= RSS_NOISE_BYTES + half * RSS_BYTES_PER_CONNECTION, `rss grew by ${rss}`);

  clients.disconnect();
  await crashed.catch(() => {});
  await server.io.close();
}

/** The server under test with the handlers that clients.js relies on. */
class CountingServer {
  /** Sessions that must have come and gone. */
  expected = 0;
  #closed = 0;
  #disconnected = 0;
  #changed = () => {};

  constructor() {
    this.httpServer = http.createServer();
    this.io = new target.Server(this.httpServer);
    this.io.engine.on("connection", (conn) => {
      conn.on("close", () => {
        this.#closed++;
        this.#changed();
      });
    });
    this.io.on("connection", (socket) => {
      socket.data.payload = Buffer.alloc(100);
      socket.join(["everybody", `room ${this.#disconnected % 50}`]);
      socket.on("echo", (value, answer) => answer(value));
      // A question that is never answered must not keep the socket.
      socket.on("question", () => socket.emit("question", () => socket.id));
      socket.on("leave", () => socket.disconnect(true));
      socket.on("disconnect", () => {
        this.#disconnected++;
        this.#changed();
      });
    });
  }

  async listen() {
    this.httpServer.listen(0, "127.0.0.1");
    await once(this.httpServer, "listening");
    this.port = this.httpServer.address().port;
  }

  /** Resolves when every expected session has closed and every socket was told. */
  async quiet() {
    let late;
    await new Promise((resolve, reject) => {
      const counts = () => `${this.#closed} closed, ${this.#disconnected} disconnected`;
      late = setTimeout(() => {
        reject(new Error(`of ${this.expected} sessions only ${counts()}`));
      }, PATIENCE_MS);
      this.#changed = () => {
        if (this.#closed >= this.expected && this.#disconnected >= this.expected) resolve();
      };
      this.#changed();
    }).finally(() => clearTimeout(late));
    assert.equal(this.#closed, this.expected);
    assert.equal(this.#disconnected, this.expected);
  }

  assertEmpty() {
    const nsp = this.io.of("/");
    assert.equal(this.io.engine.clientsCount, 0);
    assert.equal(Object.keys(this.io.engine.clients).length, 0);
    assert.equal(nsp.sockets.size, 0);
    assert.equal(nsp.adapter.rooms.size, 0);
    assert.equal(nsp.adapter.sids.size, 0);
  }
}

async function measure() {
  // Finalizers run after a collection and free what the next one finds.
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await turn();
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, rss, descriptors: countDescriptors() };
}

/** Open file descriptors, where the system lists them. */
function countDescriptors() {
  if (process.platform !== "linux") return undefined;
  return fs.readdirSync("/proc/self/fd").length;
}

/** Sockets are closed a little after their sessions, and no event tells of it. */
async function descriptorsDownTo(count) {
  const deadline = Date.now() + PATIENCE_MS;
  while (countDescriptors() > count) {
    const left = `${countDescriptors()} file descriptors are open, ${count} were`;
    assert.ok(Date.now() < deadline, left);
    await pause(20);
  }
}

function mega(bytes) {
  return (bytes / 1e6).toFixed(1);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
