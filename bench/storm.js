"use strict";

// A connection storm: all clients as fast as they get in, as after a deploy. Stock socket.io, ferrio
// attached to Node's http server, and ferrio's native listener take turns.
//
//   node bench/storm.js [--clients 5000] [--at-once 1000] [--rounds 3] [--scenario connect,upgrade]
//                       [--block 0,2000] [--before 1000] [--server ws,ferrio,ferrio-native]
//
// `connect` is WebSocket only, `upgrade` begins with polling. With `--block 2000` the
// application computes for two seconds when the storm begins. `--before` says how many connect, and stay, before: a
// thousand leave the server nearly as fresh as after a deploy, five thousand as warm as when a network
// comes back. More than about a thousand
// handshakes under way overrun the kernel's queue of the loopback interface
// (net.core.netdev_max_backlog): then lost packets that are sent again after seconds are measured.

const { parseArgs } = require("util");
const { talkTo } = require("./one");
const { prepare } = require("./prepare");
const { LOAD, launch } = require("./servers");

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "5000" },
    "at-once": { type: "string", default: "1000" },
    rounds: { type: "string", default: "3" },
    scenario: { type: "string", default: "connect,upgrade" },
    block: { type: "string", default: "0,2000" },
    before: { type: "string", default: "1000" },
    server: { type: "string", default: "ws,ferrio,ferrio-native" },
  },
});

const LIMIT_MS = 60_000;

main();

async function main() {
  const names = await prepare(values.server.split(","));
  const clients = Number(values.clients);
  for (const scenario of values.scenario.split(",")) {
    for (const block of values.block.split(",").map(Number)) {
      const results = new Map(names.map((name) => [name, []]));
      for (let round = 0; round < Number(values.rounds); round++) {
        for (const name of names) {
          results.get(name).push(await storm(name, scenario, clients, block));
        }
      }
      print(scenario, clients, block, results);
    }
  }
}

/** One storm on a fresh server. */
async function storm(name, scenario, clients, block) {
  const app = talkTo(
    launch(name, { BENCH_PAYLOAD: "64", BENCH_EVENTS: scenario === "upgrade" ? "e" : "none" }),
  );
  let generator;
  try {
    const { port } = await app.next();
    const load = {
      scenario,
      port,
      handshakes: Number(values["at-once"]),
      count: clients,
      "warm-count": Number(values.before),
      "warm-up-ms": 0,
      "measure-ms": LIMIT_MS,
      "limit-ms": LIMIT_MS,
    };
    const args = Object.entries(load).flatMap(([key, value]) => [`--${key}`, String(value)]);
    generator = talkTo({ command: LOAD, args });
    await generator.next();
    await generator.next();
    const before = await app.ask("usage");
    if (block > 0) {
      app.tell(`block ${block}`);
    }
    const done = await generator.ask("go");
    const after = await app.ask("usage");
    const busy = after.blockedUs - before.blockedUs;
    return {
      cpu: (after.cpuUs - before.cpuUs - busy) / clients,
      js: (after.jsUs - before.jsUs - busy) / clients,
      rate: (clients / done.wallUs) * 1e6,
      slowest: done.maxUs / 1000,
    };
  } catch (error) {
    return { failure: error.message.split("\n")[0] };
  } finally {
    await Promise.all([generator?.end(), app.end()]);
  }
}

function print(scenario, clients, block, results) {
  const start = scenario === "connect" ? "WebSocket only" : "polling, then upgrade";
  console.log(
    `\n${clients} clients, ${values["at-once"]} at once, ${values.before} before, ${start}, JavaScript blocked for ${block} ms`,
  );
  console.log(
    "server          CPU us/conn   of it JS   connections/s   slowest client ms   failed",
  );
  for (const [name, rounds] of results) {
    const good = rounds.filter(({ failure }) => failure === undefined);
    const of = (key, width, digits = 0) =>
      median(
        good.map((round) => round[key]),
        width,
        digits,
      );
    const failures = rounds.filter(({ failure }) => failure !== undefined);
    console.log(
      name.padEnd(14) +
        of("cpu", 13) +
        of("js", 11) +
        of("rate", 16) +
        of("slowest", 20) +
        `${failures.length}/${rounds.length}`.padStart(9) +
        (failures.length > 0 ? `  ${failures[0].failure}` : ""),
    );
  }
}

function median(numbers, width, digits) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  return (middle === undefined ? "-" : middle.toFixed(digits)).padStart(width);
}
