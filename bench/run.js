"use strict";

// `npm run bench`: which servers, which scenarios, how many rounds; takes turns between the
// servers, prints a table, writes the results and the plots. One measurement is in one.js.

const fs = require("fs");
const path = require("path");
const { parseArgs } = require("util");
const { machine } = require("./machine");
const { measure } = require("./one");
const { plots } = require("./plots");
const { prepare } = require("./prepare");
const { ALL_SCENARIOS, CURVES, QUICK_SCENARIOS, mostClients, scenarios } = require("./scenarios");
const { ALL_SERVERS, servers } = require("./servers");
const { summarize, table } = require("./summary");

/** A claim needs six rounds; a quick run makes none. */
const ROUNDS = 6;
const QUICK_SERVERS = ["ferrio", "ws", "floor", "floor10"];
const USAGE = `node bench/run.js [--quick] [--rounds N] [--scenario a,b] [--server a,b]
  [--json file] [--plots folder] [--pin]
scenarios: ${ALL_SCENARIOS.join(", ")}
curves (all of them): ${CURVES.join(", ")}
--pin:     the server with all its threads on the first core, the load on the second
servers:   ${Object.keys(servers).join(", ")}`;

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    console.log(USAGE);
    return;
  }
  const tooLarge = options.scenarios.filter((name) => scenarios[name].size > mostClients());
  for (const name of tooLarge) {
    console.error(`${name} is left out: too few descriptors for so many clients`);
  }
  options.scenarios = options.scenarios.filter((name) => !tooLarge.includes(name));
  const ready = await prepare(options.servers);
  const started = new Date();
  const file = options.json || path.join(__dirname, "results", `${stamp(started)}.json`);
  const results = {
    command: `node bench/run.js ${process.argv.slice(2).join(" ")}`.trim(),
    started: started.toISOString(),
    quick: options.quick,
    pinned: options.pin,
    machine: machine(),
    versions: {},
    scenarios: Object.fromEntries(options.scenarios.map((name) => [name, {}])),
  };
  let failures = 0;
  for (let round = 0; round < options.rounds; round++) {
    for (const scenario of options.scenarios) {
      failures += await takeTurns(results, scenario, rotate(ready, round), round, options);
    }
    results.rounds = round + 1;
    results.summary = summarize(results);
    write(file, `${JSON.stringify(results, null, 1)}\n`);
  }
  console.log(`\n${table(results)}\n\n${file}`);
  for (const [name, svg] of Object.entries(plots(results))) {
    const plot = path.join(options.plots || path.dirname(file), `${name}.svg`);
    write(plot, svg);
    console.log(plot);
  }
  process.exitCode = failures > 0 ? 1 : 0;
}

/** Every server once in one scenario. Returns how often ferrio failed. */
async function takeTurns(results, name, order, round, options) {
  let failures = 0;
  for (const server of order) {
    const { floor, only } = servers[server];
    if ((only && !only.includes(name)) || (floor && scenarios[name].withoutFloor)) {
      continue;
    }
    const rounds = (results.scenarios[name][server] = results.scenarios[name][server] || []);
    const label = `round ${round + 1}  ${name.padEnd(12)} ${server.padEnd(14)}`;
    try {
      const { versions, ...figures } = await measure(server, scenarios[name], options);
      Object.assign(results.versions, versions);
      rounds.push(figures);
      console.log(`${label} ${oneLine(figures)}`);
    } catch (error) {
      // A peer that fails is a result, shown in the table; ferrio that fails is an error.
      failures += servers[server].ours ? 1 : 0;
      rounds.push({ error: error.message });
      console.log(`${label} failed: ${error.message}`);
    }
  }
  return failures;
}

function oneLine(figures) {
  const { cpuUsPerOperation: cpu, jsUsPerOperation: js, loadBusy } = figures;
  const shown = (value) => (value === null ? "-" : value.toPrecision(3));
  const perSecond = Math.round(figures.operationsPerSecond);
  return (
    `${shown(cpu).padStart(7)} µs/op  js ${shown(js).padStart(7)}` +
    `  ${String(perSecond).padStart(8)}/s  load ${(loadBusy * 100).toFixed(0)}% of a core`
  );
}

function readOptions(args) {
  const list = { type: "string" };
  const { values } = parseArgs({
    args,
    options: {
      help: { type: "boolean" },
      quick: { type: "boolean", default: false },
      rounds: list,
      scenario: list,
      server: list,
      json: list,
      plots: list,
      pin: { type: "boolean", default: false },
    },
  });
  const { quick } = values;
  const rounds = Number(values.rounds || (quick ? 1 : ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new Error(`--rounds takes a number from 1 to 100\n${USAGE}`);
  }
  return {
    ...values,
    rounds,
    scenarios: choose(values.scenario, scenarios) || (quick ? QUICK_SCENARIOS : ALL_SCENARIOS),
    servers: choose(values.server, servers) || (quick ? QUICK_SERVERS : ALL_SERVERS),
  };
}

/** The names in a list that was given; "curves" stands for all of them. */
function choose(text, known) {
  if (!text) {
    return null;
  }
  const names = text.split(",").flatMap((name) => (name === "curves" ? CURVES : [name]));
  const unknown = names.find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined) {
    throw new Error(`there is no ${unknown}\n${USAGE}`);
  }
  return names;
}

/** Who begins changes from round to round. */
function rotate(list, by) {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

function stamp(date) {
  return date.toISOString().slice(0, 19).replace(/[:-]/g, "");
}

function write(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}
