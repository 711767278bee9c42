"use strict";

// One measurement: a fresh server process, a fresh load process, one scenario. Both are
// ended here, whatever happens. Nothing is kept from one measurement to the next.

const { spawn } = require("child_process");
const path = require("path");
const readline = require("readline");
const { setTimeout: sleep } = require("timers/promises");
const { descriptorLimit } = require("./machine");
const { loadOf } = require("./scenarios");
const { LOAD, launch, servers } = require("./servers");

/** How long a process may take to answer a line, beyond what it was asked to do. */
const PATIENCE_MS = 120_000;

/**
 * Measures one scenario on one server.
 *
 * @param {string} server a name from servers/index.js
 * @param {object} scenario one of scenarios.js
 * @param {{quick: boolean, pin: boolean}} options
 * @returns {Promise<object>} the figures, per operation where they can be
 */
async function measure(server, scenario, { quick, pin }) {
  const load = loadOf(scenario, quick);
  const patience = PATIENCE_MS + load.measureMs + (load.limitMs ?? 0);
  const app = talkTo(launch(server, environment(scenario, load)), pin && 0);
  let generator;
  try {
    const { port, versions } = await app.next();
    const args = argumentsOf(scenario, load, port);
    generator = talkTo({ command: LOAD, args }, pin && 1, patience);
    await generator.next();
    if (servers[server].javascript && load.warmUpMs > 0) {
      app.tell("watch");
    }
    await generator.next();
    const look = async () => {
      if (scenario.settleMs && servers[server].javascript) {
        // V8 looks for memory to give back some time after it has collected.
        await app.ask("gc");
        await sleep(scenario.settleMs);
      }
      return app.ask(scenario.collectGarbage ? "gc" : "usage");
    };
    const before = await look();
    const done = await generator.ask("go");
    const after = await look();
    return { versions, ...figures(load, before, after, done) };
  } finally {
    await Promise.all([generator && generator.end(), app.end()]);
  }
}

module.exports = { measure, talkTo };

function heartbeat({ pingInterval = 25_000, pingTimeout = 20_000 }) {
  return { pingInterval, pingTimeout };
}

function environment(scenario, load) {
  const { pingInterval, pingTimeout } = heartbeat(scenario);
  return {
    BENCH_PAYLOAD: String(load.payload),
    BENCH_PING_INTERVAL: String(pingInterval),
    BENCH_PING_TIMEOUT: String(pingTimeout),
    BENCH_EVENTS: scenario.events.join(),
    BENCH_BINARY: load.scenario === "binary" ? "1" : "0",
  };
}

function argumentsOf(scenario, load, port) {
  return Object.entries({ ...heartbeat(scenario), ...load, port }).flatMap(([key, value]) => [
    `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    String(value),
  ]);
}

function figures(load, before, after, done) {
  const { operations, wallUs, loadCpuUs } = done;
  const jsUs = after.jsUs === undefined ? null : after.jsUs - before.jsUs;
  const per = (total) => (operations > 0 ? total / operations : null);
  const seconds = wallUs / 1e6;
  const cpuUs = after.cpuUs - before.cpuUs;
  const clients = load.clients || load.count;
  return {
    clients,
    operations,
    seconds,
    cpuUsPerOperation: per(cpuUs),
    jsUsPerOperation: jsUs === null ? null : per(jsUs),
    // Where an emit goes to all clients: what one costs the JS thread, whatever their number.
    jsUsPerEmit: jsUs === null || load.scenario !== "broadcast" ? null : per(jsUs) * clients,
    operationsPerSecond: operations / seconds,
    cpuMsPerThousandClientsAndSecond: cpuUs / 1000 / (clients / 1000) / seconds,
    rssKiBPerOperation: per((after.rss - before.rss) / 1024),
    rssMiB: after.rss / 2 ** 20,
    p50Ms: done.p50Us / 1000,
    p99Ms: done.p99Us / 1000,
    eventLoopDelay: before.delays || null,
    lost: done.lost,
    pings: done.pings,
    longestPingGapMs: done.pingGapUs / 1000,
    // The share of one core the generator used: well below 1, or it was the limit.
    loadBusy: loadCpuUs / wallUs,
    loadCpuUsPerOperation: per(loadCpuUs),
    serverBusy: cpuUs / wallUs,
  };
}

/** Starts a process that speaks in lines of JSON, on one core only if one is given. */
function talkTo({ command, args, env }, core, patience = PATIENCE_MS) {
  const pinned = Number.isInteger(core) ? ["taskset", "-c", String(core)] : [];
  const start = ["-c", 'ulimit -n "$0"; exec "$@"', String(descriptorLimit())];
  const child = spawn("sh", [...start, ...pinned, command, ...args], {
    cwd: path.join(__dirname, ".."),
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const name = path.basename(args.find((arg) => arg.endsWith(".js")) || command);
  const lines = [];
  const waiting = [];
  let complaints = "";
  let gone = null;
  const exited = new Promise((resolve) => {
    const leave = (reason) => {
      gone = gone || new Error(`${name} ended (${reason}) ${complaints.slice(-2000)}`);
      waiting.splice(0).forEach(({ reject }) => reject(gone));
      resolve();
    };
    child.on("error", (error) => leave(error.message));
    child.on("close", (code, signal) => leave(signal || code));
  });
  child.stderr.on("data", (chunk) => (complaints += chunk));
  child.stdin.on("error", () => {});
  readline.createInterface({ input: child.stdout }).on("line", (line) => {
    const value = JSON.parse(line);
    const waiter = waiting.shift();
    if (!waiter) {
      lines.push(value);
    } else if (value.error) {
      waiter.reject(new Error(`${name}: ${value.error}`));
    } else {
      waiter.resolve(value);
    }
  });

  const next = () =>
    new Promise((resolve, reject) => {
      if (lines.length > 0) {
        resolve(lines.shift());
      } else if (gone) {
        reject(gone);
      } else {
        const timer = setTimeout(() => reject(new Error(`${name} did not answer`)), patience);
        waiting.push({
          resolve: (value) => (clearTimeout(timer), resolve(value)),
          reject: (error) => (clearTimeout(timer), reject(error)),
        });
      }
    });

  const tell = (line) => child.stdin.write(`${line}\n`);

  return {
    next,
    tell,
    ask(line) {
      tell(line);
      return next();
    },
    async end() {
      child.stdin.end();
      child.kill("SIGKILL");
      await exited;
    },
  };
}
