"use strict";

// The measured table of the README. `node bench/readme.js results.json` keeps the medians of a
// run in docs/bench/measured.json and writes the table between the marks; without a file it writes
// the table anew from what is kept. A test compares the two.

const fs = require("fs");
const path = require("path");
const { scenarios } = require("./scenarios");

const root = path.join(__dirname, "..");
const KEPT = path.join(root, "docs", "bench", "measured.json");
const README = path.join(root, "README.md");
const MARKS = /(<!-- measured -->\n)[^]*?(<!-- \/measured -->)/;

/** The figures that are kept: enough for the table, and for those who ask how it came about. */
function keep({ command, started, machine, versions, rounds, summary }) {
  const { cpu, cores, kernel } = machine;
  // Where the results went does not matter to those who run it again.
  const again = command.replace(/ --(?:json|plots) \S+/g, "");
  const medians = {};
  for (const [name, byServer] of Object.entries(summary)) {
    const figure = scenarios[name].figure ?? "cpuUsPerOperation";
    medians[name] = Object.fromEntries(
      Object.entries(byServer).map(([server, { figures }]) => [
        server,
        { figure: figures[figure]?.median, js: figures.jsUsPerOperation?.median ?? null },
      ]),
    );
  }
  return { command: again, started, machine: { cpu, cores, kernel }, versions, rounds, medians };
}

/** The text between the marks. */
function render({ command, machine, versions, rounds, medians }) {
  const hasNative = Object.values(medians).some((byServer) => byServer[NATIVE]);
  const rows = Object.entries(medians)
    .filter(([name]) => scenarios[name].figure !== "lost")
    .map(([name, { ferrio, ws, floor, floor10, [NATIVE]: native }]) => {
      const unit = UNITS[scenarios[name].figure];
      const title = unit ? `${scenarios[name].title}: ${unit}` : scenarios[name].title;
      const js = (value) => (unit || value === null ? "" : ` (${short(value)})`);
      const bottom = (floor10 ?? floor)?.figure;
      const less = `${short(ws.figure / ferrio.figure)}x`;
      return (
        `| ${title} | ${short(ferrio.figure)}${js(ferrio.js)} ` +
        (hasNative
          ? `| ${differs(native, ferrio) ? short(native.figure) + js(native.js) : ""} `
          : "") +
        `| ${short(ws.figure)}${js(ws.js)} ` +
        `| ${less} | ${bottom === undefined ? "-" : short(bottom)} |`
      );
    });
  return [
    "CPU of the whole server process in µs per operation, the JavaScript thread's share in brackets; 64-byte payloads, one",
    `${machine.cpu} virtual machine with ${machine.cores} cores, Node ${versions.node}, medians of ${rounds} interleaved rounds in one run:`,
    `\`${command}\`.`,
    "The floor is a program that only writes (or echoes) ready-made frames." +
      (hasNative ? " The native listener has a figure where it makes a difference." : ""),
    "",
    `| scenario | ferrio ${versions.ferrio} |${hasNative ? " with the native listener |" : ""} ` +
      `socket.io ${versions["socket.io"]} + ws | less | floor |`,
    `|---|---|${hasNative ? "---|" : ""}---|---|---|`,
    ...rows,
    "",
  ].join("\n");
}

const NATIVE = "ferrio-native";

/** Less than a tenth is no difference that rounds on a shared machine can show. */
function differs(native, ferrio) {
  return native !== undefined && Math.abs(native.figure / ferrio.figure - 1) > 0.1;
}

/** Units of the figures that are not CPU time per operation. */
const UNITS = {
  rssKiBPerOperation: "KiB",
  cpuMsPerThousandClientsAndSecond: "CPU ms per 1,000 clients and second",
  p50Ms: "ms",
};

/** Two or three digits that mean something. */
function short(value) {
  if (value >= 100) {
    return String(Math.round(value));
  }
  return value >= 9.95 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toPrecision(2);
}

module.exports = { KEPT, MARKS, README, render };

if (require.main === module) {
  const [results] = process.argv.slice(2);
  if (results !== undefined) {
    const kept = keep(JSON.parse(fs.readFileSync(results, "utf8")));
    fs.writeFileSync(KEPT, `${JSON.stringify(kept, null, 2)}\n`);
  }
  const text = render(JSON.parse(fs.readFileSync(KEPT, "utf8")));
  const readme = fs.readFileSync(README, "utf8");
  fs.writeFileSync(
    README,
    readme.replace(MARKS, (_, start, end) => start + text + end),
  );
}
