"use strict";

// What it costs a server when a broadcast of another server arrives over Redis:
// `node bench/redis.js [--clients 2000] [--messages 60] [--rounds 3]`. The receiving server runs
// stock socket.io and ferrio with the official adapters (plain, sharded, streams), and ferrio with its
// own, taking turns; beside them one server alone, which emits itself. The publisher is this process:
// a server without clients, with the same official adapter. Every client has to hear every message, in
// order, or the measurement fails. Counted are the receiving process's CPU time and that of its
// JavaScript thread.

const fs = require("fs");
const http = require("http");
const net = require("net");
const { fork, spawn } = require("child_process");
const { once } = require("events");
const { ensureRedis } = require("../scripts/ensure-redis");

/** Time between two messages, so that deliveries do not pile up. */
const PACE_MS = 10;
const KINDS = [
  ...["stock + alone", "ferrio + alone", "ferrio/2 + alone"],
  ...["stock + official", "ferrio + official", "ferrio + native"],
  ...["stock + sharded", "ferrio + sharded", "stock + streams", "ferrio + streams"],
];

const [role, ...args] = process.argv.slice(2);
const roles = { receiver, clients };
(roles[role] ?? measureAll)(...args).catch((err) => {
  console.error(err);
  process.exit(1);
});

async function measureAll() {
  const options = optionsFrom(process.argv.slice(2));
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

async function measure(kind, url, { clients, messages }) {
  const server = fork(__filename, ["receiver", kind, url]);
  let load;
  try {
    const [port] = await once(server, "message");
    load = fork(__filename, ["clients", String(port), String(clients), String(messages)]);
    await once(load, "message");
    const emit = await emitterOf(kind.split(" + ")[1], url, server);
    const before = await ask(server);
    const done = once(load, "message");
    for (let n = 0; n < messages; n++) {
      emit("news", n, "x".repeat(64));
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
    const [verdict] = await done;
    if (verdict !== "all heard") {
      throw new Error(`${kind}: ${verdict}`);
    }
    const after = await ask(server);
    const deliveries = clients * messages;
    return {
      cpu: (after.cpu - before.cpu) / deliveries,
      js: (after.js - before.js) / deliveries,
      jsPerMessage: (after.js - before.js) / messages,
    };
  } finally {
    server.kill("SIGKILL");
    load?.kill("SIGKILL");
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
    const { user, system } = process.cpuUsage();
    const [nanos] = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ");
    process.send({ cpu: user + system, js: nanos / 1000 });
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

/** A package that only the tests need otherwise. */
function fromEcosystem(name) {
  const { ensureEcosystem, treeOf } = require("../scripts/ensure-ecosystem");
  ensureEcosystem();
  return require(require.resolve(name, { paths: [treeOf(false)] }));
}

/** Raw WebSocket clients that check what they hear. */
async function clients(port, count, messages) {
  const { WebSocket } = require("ws");
  let missing = count * messages;
  const onNews = (state, text) => {
    const [, n] = JSON.parse(text.slice(2));
    if (n !== state.next++) {
      process.send(`message ${n} came instead of ${state.next - 1}`);
    } else if (--missing === 0) {
      process.send("all heard");
    }
  };
  for (let i = 0; i < count; i++) {
    const url = `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`;
    const socket = new WebSocket(url, { perMessageDeflate: false });
    const state = { next: 0 };
    await new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.on("message", (data) => {
        const text = data.toString();
        if (text.startsWith("42")) {
          onNews(state, text);
        } else if (text.startsWith("40")) {
          resolve();
        } else {
          socket.send(text === "2" ? "3" : "40");
        }
      });
    });
  }
  process.send("connected");
}

async function ask(child) {
  const answered = once(child, "message");
  child.send("usage");
  const [answer] = await answered;
  return answer;
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

function describe({ cpu, js, jsPerMessage }) {
  return `${cpu.toFixed(2)} µs a delivery, JS ${js.toFixed(3)}; JS ${jsPerMessage.toFixed(0)} a message`;
}

function medians(list) {
  const middle = (name) => list.map((one) => one[name]).sort((a, b) => a - b)[list.length >> 1];
  return { cpu: middle("cpu"), js: middle("js"), jsPerMessage: middle("jsPerMessage") };
}

function rotated(list, by) {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

function optionsFrom(given) {
  const options = { clients: 2000, messages: 60, rounds: 3 };
  for (let i = 0; i + 1 < given.length; i += 2) {
    const name = given[i].replace(/^--/, "");
    const value = Number(given[i + 1]);
    if (!(name in options) || !Number.isInteger(value) || value < 1) {
      throw new Error(`bench/redis.js takes --clients, --messages and --rounds, not ${given[i]}`);
    }
    options[name] = value;
  }
  return options;
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
