"use strict";

// A soak: thousands of clients of all kinds come, talk and go for a long time, some of them
// badly, and every message is accounted for. Fails if one is missing, doubled or out of order, or if
// anything is left when all have gone. Explained in docs/soak.md.
//
//   npm run soak -- [--minutes 10 | --seconds 5] [--clients 2000] [--seed 1] [--server ferrio]
//                   [--acts 0.5] [--life 60] [--json file] [--save]
//
// --acts is how often a client does something in a second, --life how many seconds it stays.
// --save writes the result to docs/soak/.

const { spawn } = require("child_process");
const fs = require("fs");
const path = require("path");
const { parseArgs } = require("util");
const { descriptorLimit, machine } = require("./machine");
const { summarize, verdict, print } = require("./soak/report");
const { timing } = require("./soak/messages");
const { plot } = require("./soak/plot");

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seconds: { type: "string" },
    clients: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    server: { type: "string", default: "ferrio" },
    acts: { type: "string", default: "0.5" },
    life: { type: "string", default: "60" },
    json: { type: "string" },
    save: { type: "boolean", default: false },
  },
});

/** What coming and going of all clients may take beyond the time asked for. */
const BEYOND_MS = 180_000;
/** After everything, an idle second shows what stays. */
const REST_MS = 1_000;

main().catch((error) => {
  console.error(`soak: ${error.message}`);
  process.exit(1);
});

async function main() {
  const options = checkedOptions();
  const durationMs = options.seconds * 1_000;
  // Always ends, whatever hangs.
  setTimeout(() => {
    console.error("soak: it has not ended in time");
    process.exit(1);
  }, durationMs + BEYOND_MS).unref();

  const started = new Date().toISOString();
  const samples = [];
  const rooms = Math.max(5, Math.round(options.clients / 10));
  const server = start("server.js", ["--expose-gc"], {
    server: options.server,
    seed: options.seed,
    rooms,
    // Each fiftieth of a second, this many messages to one.
    rate: Math.ceil(options.clients / 500),
    blockEveryMs: Math.min(45_000, durationMs / 3),
    ...timing(options.seconds),
  });
  server.onSample = (sample) => samples.push(sample);
  const first = await server.next("ready");
  const clients = start("clients.js", [], {
    port: first.port,
    seed: options.seed + 1,
    clients: options.clients,
    reals: Math.min(32, Math.ceil(options.clients / 10)),
    rooms,
    actsPerSecond: options.acts,
    lifeSeconds: options.life,
    ...timing(options.seconds),
  });
  await progress(durationMs, clients, samples);
  const steady = samples.slice();

  const left = await clients.ask("leave", () => server.tell("stop"));
  const gone = await server.ask("end");
  await pause(REST_MS);
  const last = await server.ask("tidy");
  clients.end();
  server.end();

  const run = { options, started, version: first.version, machine: machine(), samples: steady };
  const result = summarize({ ...run, first, last: { ...gone, ...last }, clients: left });
  result.verdict = verdict(result);
  print(result);
  write(result, samples);
  process.exit(result.verdict.length === 0 ? 0 : 1);
}

function checkedOptions() {
  const { server } = values;
  if (server !== "ferrio" && server !== "socket.io") {
    throw new Error(`--server is ferrio or socket.io, not ${server}`);
  }
  return {
    server,
    seconds: positive("seconds", values.seconds ?? 60 * positive("minutes", values.minutes)),
    clients: positive("clients", values.clients),
    seed: positive("seed", values.seed),
    acts: positive("acts", values.acts),
    life: positive("life", values.life),
  };
}

function positive(name, value) {
  const number = Number(value);
  if (!(number > 0 && number < 1e6)) {
    throw new Error(`--${name} must be a number above 0, not ${value}`);
  }
  return number;
}

/** Waits for the time asked for, and says each minute how it goes. */
async function progress(durationMs, clients, samples) {
  const until = Date.now() + durationMs;
  while (Date.now() < until) {
    await pause(Math.min(60_000, until - Date.now()));
    const { counts, faults } = await clients.ask("report");
    const { sockets, rss } = samples.at(-1) ?? {};
    const kinds = Object.entries(faults).map(([kind, { count }]) => `${kind}: ${count}`);
    console.log(
      `${sockets} sockets, ${(rss / 2 ** 20).toFixed(0)} MiB, ` +
        `${counts["lives begun"]} lives, ${counts["messages received"]} messages` +
        (kinds.length > 0 ? `; ${kinds.join(", ")}` : ""),
    );
  }
}

/** A process that answers what it is asked, and must not end before it is told to. */
function start(file, flags, order) {
  const script = path.join(__dirname, "soak", file);
  const command = [process.execPath, ...flags, script, JSON.stringify(order)];
  const child = spawn("sh", ["-c", 'ulimit -n "$0"; exec "$@"', descriptorLimit(), ...command], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  process.on("exit", () => child.kill("SIGKILL"));
  const waiting = new Map();
  const talker = {
    onSample: () => {},
    next: (answer) => new Promise((resolve) => waiting.set(answer, resolve)),
    tell: (ask) => child.send({ ask }),
    ask(ask, whileWaiting) {
      child.send({ ask });
      whileWaiting?.();
      return this.next(ask);
    },
    end() {
      child.removeAllListeners("exit");
      child.kill("SIGKILL");
    },
  };
  child.on("message", (message) => {
    if (message.answer === "sample") {
      talker.onSample(message);
    } else {
      waiting.get(message.answer)?.(message);
      waiting.delete(message.answer);
    }
  });
  child.on("exit", (code, signal) => {
    console.error(`soak: ${file} ended: ${code ?? signal}`);
    process.exit(1);
  });
  return talker;
}

function write(result, samples) {
  if (values.json) {
    fs.writeFileSync(values.json, `${JSON.stringify({ ...result, samples })}\n`);
  }
  if (values.save) {
    const folder = path.join(__dirname, "..", "docs", "soak");
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, "result.json"), `${JSON.stringify(result, null, 2)}\n`);
    fs.writeFileSync(path.join(folder, "soak.svg"), plot(result, samples));
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
