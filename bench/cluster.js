"use strict";

// What a broadcast costs two workers of node:cluster behind @socket.io/sticky, joined by
// @socket.io/cluster-adapter: `node bench/cluster.js [--clients 1000] [--messages 60] [--rounds 3]`. One
// worker emits, each delivers to half of the clients. Stock socket.io and ferrio take turns. Every client
// has to hear every message, in order, or the measurement fails. Counted is the CPU time of all three
// processes, and that of their JavaScript threads.

const cluster = require("cluster");
const http = require("http");
const { fork } = require("child_process");
const { once } = require("events");
const { ask, describe, fromEcosystem, measureDeliveries } = require("./receiving");
const { medians, optionsFrom, ownUsage, rotated } = require("./receiving");

const KINDS = ["stock", "ferrio"];
const WORKERS = 2;

const [role, kind] = process.argv.slice(2);
if (cluster.isWorker) {
  work();
} else {
  (role === "primary" ? lead() : measureAll()).catch((err) => {
    console.error(err);
    process.exit(1);
  });
}

async function measureAll() {
  const options = optionsFrom(process.argv.slice(2), "bench/cluster.js");
  const figures = Object.fromEntries(KINDS.map((name) => [name, []]));
  for (let round = 0; round < options.rounds; round++) {
    for (const name of rotated(KINDS, round)) {
      const figure = await measure(name, options);
      figures[name].push(figure);
      console.log(`round ${round + 1}  ${name.padEnd(7)} ${describe(figure)}`);
    }
  }
  summarize(figures, options);
}

async function measure(name, options) {
  const primary = fork(__filename, ["primary", name]);
  try {
    const [port] = await once(primary, "message");
    return await measureDeliveries({
      port,
      emitter: async () => {
        // A worker that nobody knows of yet would not be told.
        while ((await ask(primary, "count")) < WORKERS);
        return (...args) => primary.send(args);
      },
      usage: () => ask(primary, "usage"),
      options,
    });
  } catch (err) {
    throw new Error(`${name}: ${err.message}`, { cause: err });
  } finally {
    primary.kill("SIGKILL");
  }
}

/** The process that hands connections and messages on. */
async function lead() {
  const { setupPrimary: setupSticky } = fromEcosystem("@socket.io/sticky");
  const { setupPrimary } = fromEcosystem("@socket.io/cluster-adapter");
  const httpServer = http.createServer();
  setupSticky(httpServer, { loadBalancingMethod: "round-robin" });
  setupPrimary();
  cluster.setupPrimary({ exec: __filename, args: ["worker", kind], serialization: "advanced" });
  const workers = Array.from({ length: WORKERS }, () => cluster.fork());
  await Promise.all(workers.map((worker) => answer(worker, "ready")));
  process.on("message", async (message) => {
    if (message === "usage") {
      const others = workers.map((worker) => answer(worker, "usage"));
      workers.forEach((worker) => worker.send({ question: "usage" }));
      const all = [ownUsage(), ...(await Promise.all(others))];
      const sum = (name) => all.reduce((total, one) => total + one[name], 0);
      process.send({ cpu: sum("cpu"), js: sum("js") });
    } else if (message === "count") {
      const counted = answer(workers[0], "count");
      workers[0].send({ question: "count" });
      process.send(await counted);
    } else {
      workers[0].send({ question: "emit", args: message });
    }
  });
  process.on("disconnect", () => process.exit());
  httpServer.listen(0, "127.0.0.1", () => process.send(httpServer.address().port));
}

/** Resolves with what a worker says in answer to a question. Others speak over the same channel. */
function answer(worker, question) {
  return new Promise((resolve) => {
    worker.on("message", function hear(message) {
      if (message.answers === question) {
        worker.off("message", hear);
        resolve(message.value);
      }
    });
  });
}

/** A server. */
function work() {
  const { Server } = require(kind === "stock" ? "socket.io" : "..");
  const io = new Server(http.createServer(), {
    adapter: fromEcosystem("@socket.io/cluster-adapter").createAdapter(),
    serveClient: false,
    ...(kind === "ferrio" && { ioThreads: 1 }),
  });
  fromEcosystem("@socket.io/sticky").setupWorker(io);
  process.on("message", async ({ question, args }) => {
    if (question === "emit") {
      io.emit(...args);
    } else if (question !== undefined) {
      const value = question === "usage" ? ownUsage() : await io.of("/").adapter.serverCount();
      process.send({ answers: question, value });
    }
  });
  process.send({ answers: "ready" });
}

function summarize(figures, { clients, messages, rounds }) {
  console.log(
    `\nMedians of ${rounds} rounds, ${WORKERS} workers, ${clients} clients, ${messages} messages of ` +
      "64 bytes; µs of CPU of all processes.\n",
  );
  console.log("| workers | a delivery | of it JS | JS a message | less CPU |");
  console.log("|---|---|---|---|---|");
  const stock = medians(figures.stock);
  for (const name of KINDS) {
    const { cpu, js, jsPerMessage } = medians(figures[name]);
    console.log(
      `| ${name} | ${cpu.toFixed(2)} | ${js.toFixed(3)} | ${jsPerMessage.toFixed(0)} | ` +
        `${(stock.cpu / cpu).toFixed(1)}x |`,
    );
  }
}
