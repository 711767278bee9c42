"use strict";

// What it costs a server when a broadcast of another server arrives over Redis:
// `node bench/redis.js [--clients 2000] [--messages 60] [--rounds 3] [--apart]`. The receiving server runs
// stock socket.io and ferrio with the official adapters (plain, sharded, streams), and ferrio with its
// own, taking turns; beside them one server alone, which emits itself. The publisher is this process:
// a server without clients, with the same official adapter. Every client has to hear every message, in
// order, or the measurement fails. Counted are the receiving process's CPU time and that of its
// JavaScript thread.

const http = require("http");
const net = require("net");
const { fork, spawn } = require("child_process");
const { once } = require("events");
const { ensureRedis } = require("../scripts/ensure-redis");
const { forServer, standApart } = require("./apart");
const { ask, describe, fromEcosystem, measureDeliveries } = require("./receiving");
const { medians, optionsFrom, ownUsage, rotated } = require("./receiving");

const KINDS = [
  ...["stock + alone", "ferrio + alone", "ferrio/2 + alone"],
  ...["stock + official", "ferrio + official", "ferrio + native"],
  ...["stock + sharded", "ferrio + sharded", "stock + streams", "ferrio + streams"],
];

const [role, ...args] = process.argv.slice(2);
(role === "receiver" ? receiver(...args) : measureAll()).catch((err) => {
  console.error(err);
  process.exit(1);
});

async function measureAll() {
  const given = standApart(process.argv.slice(2), () => {
    ensureRedis();
    fromEcosystem("@socket.io/redis-streams-adapter");
  });
  const options = optionsFrom(given, "bench/redis.js");
  const port = await freePort();
  const redis = spawn(ensureRedis(), [
    ...["--port", String(port), "--save", "", "--bind", "127.0.0.1"],
  ]);
  try {
    await untilListening(port);
    const url = `redis://127.0.0.1:${port}`;
    const figures = Object.fromEntries(KINDS.map((kind) => [kind, []]));
    for (let round = 0; round < options.rounds; round++) {
      for (const kind of rotated(KINDS, round)) {
        const figure = await measure(kind, url, options);
        figures[kind].push(figure);
        console.log(`round ${round + 1}  ${kind.padEnd(18)} ${describe(figure)}`);
      }
    }
    summarize(figures, options);
  } finally {
    redis.kill("SIGKILL");
  }
  process.exit();
}

async function measure(kind, url, options) {
  const server = fork(__filename, ["receiver", kind, url], forServer());
  try {
    const [port] = await once(server, "message");
    return await measureDeliveries({
      port,
      emitter: () => emitterOf(kind.split(" + ")[1], url, server),
      usage: () => ask(server, "usage"),
      options,
    });
  } catch (err) {
    throw new Error(`${kind}: ${err.message}`, { cause: err });
  } finally {
    server.kill("SIGKILL");
  }
}

/** The server whose cost is measured. */
async function receiver(kind, url) {
  const [library, adapter] = kind.split(" + ");
  const { Server } = require(library === "stock" ? "socket.io" : "..");
  const server = http.createServer();
  const options = { ...(await adapterOf(adapter, url)), serveClient: false };
  if (library !== "stock") {
    options.ioThreads = library.endsWith("/2") ? 2 : 1;
  }
  const io = new Server(server, options);
  server.listen(0, "127.0.0.1", () => process.send(server.address().port));
  process.on("message", (message) => {
    if (Array.isArray(message)) {
      io.emit(...message);
      return;
    }
    process.send(ownUsage());
  });
}

/** The publishing servers, by adapter. They stay until the end. */
const emitters = {};

/** What emits to the clients: another server, or the one they are connected to. */
async function emitterOf(adapter, url, server) {
  if (adapter === "alone") {
    return (...args) => server.send(args);
  }
  const name = adapter === "native" ? "official" : adapter;
  emitters[name] ??= new (require("socket.io").Server)(await adapterOf(name, url));
  const io = emitters[name];
  // A server that nobody else knows of yet would be listened to by nobody.
  while ((await io.of("/").adapter.serverCount()) < 2);
  return (...args) => io.emit(...args);
}

/** The option that joins a server to others. */
async function adapterOf(adapter, url) {
  if (adapter === "alone") {
    return {};
  }
  if (adapter === "native") {
    return { adapter: require("../redis-adapter").createAdapter({ url }) };
  }
  const publisher = require("redis").createClient({ url });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  if (adapter === "streams") {
    const { createAdapter } = fromEcosystem("@socket.io/redis-streams-adapter");
    return { adapter: createAdapter(publisher) };
  }
  const { createAdapter, createShardedAdapter } = require("@socket.io/redis-adapter");
  const create = adapter === "sharded" ? createShardedAdapter : createAdapter;
  return { adapter: create(publisher, subscriber) };
}

function summarize(figures, { clients, messages, rounds }) {
  console.log(
    `\nMedians of ${rounds} rounds, ${clients} clients, ${messages} messages of 64 bytes; µs of CPU.\n`,
  );
  console.log("| receiving server | a delivery | of it JS | JS a message | less CPU | JS share |");
  console.log("|---|---|---|---|---|---|");
  const stockOf = (kind) => {
    const adapter = kind.split(" + ")[1];
    return medians(figures[`stock + ${adapter === "native" ? "official" : adapter}`]);
  };
  for (const kind of KINDS) {
    const { cpu, js, jsPerMessage } = medians(figures[kind]);
    const stock = stockOf(kind);
    const share = (100 * jsPerMessage) / stock.jsPerMessage;
    console.log(
      `| ${kind} | ${cpu.toFixed(2)} | ${js.toFixed(3)} | ${jsPerMessage.toFixed(0)} | ` +
        `${(stock.cpu / cpu).toFixed(1)}x | ${share.toFixed(2)} % |`,
    );
  }
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function untilListening(port) {
  for (let tries = 0; tries < 200; tries++) {
    const socket = net.connect(port, "127.0.0.1");
    const open = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (open) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("redis-server does not listen");
}
