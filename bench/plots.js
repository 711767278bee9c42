"use strict";

// The bars: one SVG with a panel for each scenario, a bar for each server. The dark part
// of a bar is the JS thread. Every panel begins at zero and has a scale of its own.
// Curves are drawn in curves.js.

const { curvePage } = require("./curves");
const { scenarios } = require("./scenarios");
const { servers } = require("./servers");
const { SHOWN, figureOf, number } = require("./summary");
const { document, text } = require("./svg");

const WIDTH = 920;
const COLUMNS = 2;
const GAP = 28;
const PANEL = (WIDTH - GAP * (COLUMNS + 1)) / COLUMNS;
const NAME = 150;
const VALUE = 62;
const BAR = 15;
const STEP = 20;
const HEAD = 42;
const TOP = 64;

const STYLE = `
  .all { fill: #9db7d5; } .js { fill: #3b6ea5; }
  .ferrio .all { fill: #f0a884; } .ferrio .js { fill: #c4511d; }
  .floor .all { fill: #c9ccd1; }
  @media (prefers-color-scheme: dark) { .floor .all { fill: #545b64; } }`;

/** The plots of a run by name, as SVG. */
function plots(results) {
  const drawn = { "cpu-per-operation": page(results), curves: curvePage(results) };
  return Object.fromEntries(Object.entries(drawn).filter(([, svg]) => svg));
}

module.exports = { plots };

function page(results) {
  const names = Object.keys(results.summary).filter(
    (name) => !scenarios[name].curve && bars(results, name).length > 0,
  );
  if (names.length === 0) {
    return null;
  }
  const rows = Math.ceil(names.length / COLUMNS);
  let y = TOP;
  const panels = [];
  for (let row = 0; row < rows; row++) {
    const inRow = names.slice(row * COLUMNS, (row + 1) * COLUMNS);
    inRow.forEach((name, column) => {
      panels.push(panel(results, name, GAP + column * (PANEL + GAP), y));
    });
    y += HEAD + STEP * Math.max(...inRow.map((name) => bars(results, name).length)) + GAP;
  }
  const { machine, rounds, started, versions } = results;
  const about = [
    rounds > 1 ? `medians of ${rounds} rounds` : "one round",
    `${machine.cpu}, ${machine.cores} cores`,
    `Node.js ${versions.node}`,
    started.slice(0, 10),
  ];
  const title = "What the same work costs the server process: shorter is better";
  const head = [
    text("title", GAP, 28, title),
    text("note", GAP, 46, `Dark: the JS thread. ${about.join(" · ")}`),
  ];
  return document(WIDTH, y, title, STYLE, [...head, ...panels].join("\n"));
}

function panel(results, name, x, y) {
  const rows = bars(results, name);
  const most = Math.max(...rows.map((row) => row.value), Number.MIN_VALUE);
  const full = PANEL - NAME - VALUE;
  const { unit } = SHOWN[figureOf(name)];
  const per = figureOf(name).endsWith("PerOperation") ? ` per ${scenarios[name].operation}` : "";
  const drawn = rows.map(({ server, value, js }, i) => {
    const top = HEAD + i * STEP;
    const kind = servers[server].ours ? "ferrio" : servers[server].floor ? "floor" : "peer";
    const length = (amount) => ((Math.max(0, amount) / most) * full).toFixed(1);
    const dark = js
      ? `<rect class="js" x="${NAME}" y="${top}" width="${length(js)}" height="${BAR}"/>`
      : "";
    const width = length(value);
    const bar = `<rect class="all" x="${NAME}" y="${top}" width="${width}" height="${BAR}"/>`;
    const end = (NAME + Number(width) + 6).toFixed(1);
    return (
      `<g class="${kind}">${text("end", NAME - 8, top + 12, shortName(server))}` +
      `${bar}${dark}${text("", end, top + 12, number(value))}</g>`
    );
  });
  return (
    `<g transform="translate(${x.toFixed(1)} ${y})">` +
    `${text("title", 0, 14, scenarios[name].title)}${text("note", 0, 30, unit + per)}\n` +
    `${drawn.join("\n")}</g>`
  );
}

function bars({ summary }, name) {
  const figure = figureOf(name);
  const { beside } = SHOWN[figure];
  const js = beside === "jsUsPerOperation" ? beside : undefined;
  return Object.keys(servers).flatMap((server) => {
    const entry = summary[name][server];
    const main = entry && entry.figures[figure];
    if (!main) {
      return [];
    }
    const part = js && entry.figures[js];
    return [{ server, value: main.median, js: part ? Math.min(part.median, main.median) : 0 }];
  });
}

function shortName(server) {
  return servers[server].short || servers[server].title;
}
