"use strict";

// What measurements of broadcasts that arrive share (redis.js, cluster.js): clients that check what
// they hear, options and figures.

const { fork } = require("child_process");
const fs = require("fs");
const { once } = require("events");
const { WebSocket } = require("ws");

/** Time between two messages, so that deliveries do not pile up. */
const PACE_MS = 10;
const CONNECT_MS = 500;

/**
 * Connects clients, has messages emitted, and resolves with what the servers used for each delivery.
 *
 * @param {object} given
 * @param {number} given.port
 * @param {() => Promise<(...args: any[]) => void>} given.emitter resolves with what emits
 * @param {() => Promise<{cpu: number, js: number}>} given.usage what the servers have used so far
 * @param {{clients: number, messages: number}} given.options
 */
async function measureDeliveries({ port, emitter, usage, options: { clients, messages } }) {
  const load = fork(__filename, [port, clients, messages].map(String));
  try {
    await once(load, "message");
    const emit = await emitter();
    const before = await usage();
    const done = once(load, "message");
    for (let n = 0; n < messages; n++) {
      emit("news", n, "x".repeat(64));
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
    const [verdict] = await done;
    if (verdict !== "all heard") {
      throw new Error(verdict);
    }
    const after = await usage();
    const deliveries = clients * messages;
    return {
      cpu: (after.cpu - before.cpu) / deliveries,
      js: (after.js - before.js) / deliveries,
      jsPerMessage: (after.js - before.js) / messages,
    };
  } finally {
    load.kill("SIGKILL");
  }
}

/** What this process and its JavaScript thread have used so far, in microseconds of CPU. */
function ownUsage() {
  const { user, system } = process.cpuUsage();
  const [nanos] = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ");
  return { cpu: user + system, js: nanos / 1000 };
}

/** Resolves with a child's answer to a message. */
async function ask(child, question) {
  const answered = once(child, "message");
  child.send(question);
  const [answer] = await answered;
  return answer;
}

function medians(list) {
  const middle = (name) => list.map((one) => one[name]).sort((a, b) => a - b)[list.length >> 1];
  return { cpu: middle("cpu"), js: middle("js"), jsPerMessage: middle("jsPerMessage") };
}

function describe({ cpu, js, jsPerMessage }) {
  return `${cpu.toFixed(2)} µs a delivery, JS ${js.toFixed(3)}; JS ${jsPerMessage.toFixed(0)} a message`;
}

function rotated(list, by) {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

/** Options of the command line. */
function optionsFrom(given, program) {
  const options = { clients: 2000, messages: 60, rounds: 3 };
  for (let i = 0; i + 1 < given.length; i += 2) {
    const name = given[i].replace(/^--/, "");
    const value = Number(given[i + 1]);
    if (!(name in options) || !Number.isInteger(value) || value < 1) {
      throw new Error(`${program} takes --clients, --messages and --rounds, not ${given[i]}`);
    }
    options[name] = value;
  }
  return options;
}

/** A package that only the tests need otherwise. */
function fromEcosystem(name) {
  const { ensureEcosystem, treeOf } = require("../scripts/ensure-ecosystem");
  ensureEcosystem();
  return require(require.resolve(name, { paths: [treeOf(false)] }));
}

module.exports = {
  ask,
  describe,
  fromEcosystem,
  measureDeliveries,
  medians,
  optionsFrom,
  ownUsage,
  rotated,
};

/** Raw WebSocket clients that check what they hear. */
async function listen(port, count, messages) {
  let missing = count * messages;
  const onNews = (state, text) => {
    const [, n] = JSON.parse(text.slice(2));
    if (n !== state.next++) {
      process.send(`message ${n} came instead of ${state.next - 1}`);
    } else if (--missing === 0) {
      process.send("all heard");
    }
  };
  const url = `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`;
  for (let i = 0; i < count; i++) {
    const state = { next: 0 };
    while (!(await connect(url, (text) => onNews(state, text))));
  }
  process.send("connected");
}

/**
 * Resolves with whether the namespace has answered. Under sticky it may not: Node's primary goes on
 * reading a connection until the worker has it, and drops what comes meanwhile.
 */
function connect(url, onNews) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  return new Promise((resolve, reject) => {
    const tooLate = setTimeout(() => {
      socket.terminate();
      resolve(false);
    }, CONNECT_MS);
    socket.once("error", reject);
    socket.on("message", (data) => {
      const text = data.toString();
      if (text.startsWith("42")) {
        onNews(text);
      } else if (text.startsWith("40")) {
        clearTimeout(tooLate);
        resolve(true);
      } else {
        socket.send(text === "2" ? "3" : "40");
      }
    });
  });
}

if (require.main === module) {
  const [port, count, messages] = process.argv.slice(2).map(Number);
  listen(port, count, messages).catch((err) => {
    console.error(err);
    process.exit(1);
  });
}
