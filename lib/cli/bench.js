"use strict";

// `npx ferrio bench`: the same small application on ferrio and on the socket.io that is
// installed beside it, taking turns, each in a process of its own. The load comes from a
// third process in JavaScript, which is often the limit: so what is compared is the CPU
// time that the server spends on an operation. The repository has the full benchmark.

const path = require("path");
const { fork } = require("child_process");
const { createRequire } = require("module");

const ROUNDS = 3;
const DEFAULT_SECONDS = 3;
const MOST_SECONDS = 60;

/** What is measured; the fields are read by bench-load.js. */
const SCENARIOS = [
  { name: "echo with ack, 100 clients", kind: "echo", clients: 100, operation: "round trip" },
  { name: "broadcast to 500 clients", kind: "broadcast", clients: 500, operation: "delivery" },
];

/**
 * Runs the comparison and prints it.
 * @param {string[]} args seconds a measurement
 * @returns {Promise<number>} the exit code
 */
async function bench([seconds = String(DEFAULT_SECONDS)]) {
  const duration = Number(seconds);
  if (!(duration >= 1 && duration <= MOST_SECONDS)) {
    console.error(`ferrio: seconds has to be a number from 1 to ${MOST_SECONDS}`);
    return 2;
  }
  const servers = [{ name: "ferrio", module: path.join(__dirname, "..", "..") }];
  const stock = stockSocketIo();
  if (stock === undefined) {
    console.log(
      "The original socket.io is not installed here, so there is nothing to compare with.",
    );
    console.log(
      "(npm install --no-save original-socket.io@npm:socket.io puts it beside ferrio.)\n",
    );
  } else {
    servers.push(stock);
  }
  for (const scenario of SCENARIOS) {
    console.log(scenario.name);
    const costs = await measureAll(servers, scenario, duration);
    for (const { name } of servers) {
      const cost = median(costs[name]);
      const ratio = median(costs.ferrio) / cost;
      const compared = name === "ferrio" ? "" : `   ferrio needs ${ratio.toFixed(2)} of that`;
      console.log(
        `  ${name.padEnd(18)} ${cost.toFixed(1).padStart(7)} µs of CPU a ${scenario.operation}${compared}`,
      );
    }
  }
  return 0;
}

/** CPU µs an operation of each round, by server; the servers take turns. */
async function measureAll(servers, scenario, duration) {
  const costs = Object.fromEntries(servers.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, module } of servers) {
      costs[name].push(await measure(module, scenario, duration));
    }
  }
  return costs;
}

/** The original, under its own name or the one that the hint above gives it. */
function stockSocketIo() {
  const from = createRequire(path.join(process.cwd(), "package.json"));
  for (const name of ["socket.io", "original-socket.io"]) {
    try {
      const manifest = from(`${name}/package.json`);
      if (manifest.name === "socket.io") {
        return {
          name: `socket.io ${manifest.version}`,
          module: path.dirname(from.resolve(`${name}/package.json`)),
        };
      }
    } catch {
      // Not under this name.
    }
  }
  return undefined;
}

async function measure(module, scenario, duration) {
  const server = start("bench-server.js", [module]);
  const load = start("bench-load.js", []);
  try {
    const { port } = await server.ask({});
    await load.ask({ ...scenario, port });
    await load.ask({ run: 1 });
    const before = await server.ask({ usage: true });
    const { operations } = await load.ask({ run: duration });
    const after = await server.ask({ usage: true });
    return (after.cpuUs - before.cpuUs) / operations;
  } finally {
    server.end();
    load.end();
  }
}

/** A helper process that answers each message with one. */
function start(file, args) {
  const child = fork(path.join(__dirname, file), args, {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        const onExit = () => reject(new Error(`${file} ended unexpectedly`));
        if (!child.connected) {
          return onExit();
        }
        child.once("exit", onExit);
        child.once("message", (answer) => {
          child.removeListener("exit", onExit);
          resolve(/** @type {any} */ (answer));
        });
        child.send(question);
      }),
    end: () => child.kill("SIGKILL"),
  };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

module.exports = { bench };
