"use strict";

// The curves: how a cost grows with the number of clients, a panel for each, both axes
// logarithmic. A cost that does not grow is a level line.

const { curves, scenarios } = require("./scenarios");
const { servers } = require("./servers");
const { SHOWN, number } = require("./summary");
const { document, text } = require("./svg");

const WIDTH = 920;
const HEIGHT = 300;
const LEFT = 84;
const RIGHT = 150;
const TOP = 56;
const BOTTOM = 40;
const COLORS = {
  ferrio: "#c4511d",
  "ferrio-native": "#e08a4f",
  ws: "#3b6ea5",
  eiows: "#7a5ea8",
  uws: "#2f8f6b",
  socketioxide: "#a08a2b",
  floor: "#8b929b",
};

const OTHER = "#b0567c";

const STYLE = `
  .grid { stroke: #d0d7de; } .line { fill: none; stroke-width: 2; }
  @media (prefers-color-scheme: dark) { .grid { stroke: #30363d; } }`;

/** The curves of a run as one SVG, or null if it has none. */
function curvePage({ summary }) {
  const drawn = Object.keys(curves).flatMap((name) => {
    const lines = linesOf(summary, name);
    return lines.length > 0 ? [{ name, lines }] : [];
  });
  if (drawn.length === 0) {
    return null;
  }
  const height = drawn.length * HEIGHT;
  const panels = drawn.map(({ name, lines }, i) => panel(name, lines, i * HEIGHT));
  const title = "How costs grow with the number of clients";
  return document(WIDTH, height, title, STYLE, panels.join("\n"));
}

module.exports = { curvePage };

/** The points of each server, those that were measured. */
function linesOf(summary, curve) {
  const { figure } = curves[curve];
  const names = Object.keys(summary).filter((name) => scenarios[name].curve === curve);
  return Object.keys(servers).flatMap((server) => {
    const points = names.flatMap((name) => {
      const entry = summary[name][server];
      const main = entry && entry.figures[figure];
      const clients = entry && entry.figures.clients;
      return main && main.median > 0 ? [{ x: clients.median, y: main.median }] : [];
    });
    return points.length > 1 ? [{ server, points }] : [];
  });
}

function panel(name, lines, offset) {
  const { title, figure } = curves[name];
  const points = lines.flatMap((line) => line.points);
  const across = scale(
    points.map(({ x }) => x),
    LEFT,
    WIDTH - RIGHT,
  );
  const bottom = HEIGHT - BOTTOM;
  const up = scale(
    points.map(({ y }) => y),
    bottom,
    TOP,
  );
  const grid = [
    ...across.ticks.map(
      (x) =>
        line(across.at(x), across.at(x), TOP, bottom) +
        text("note middle", across.at(x), bottom + 16, x.toLocaleString("en")),
    ),
    ...up.ticks.map(
      (y) =>
        line(LEFT, WIDTH - RIGHT, up.at(y), up.at(y)) +
        text("note end", LEFT - 6, Number(up.at(y)) + 4, y.toLocaleString("en")),
    ),
  ];
  const drawn = lines.map(({ server, points: own }) => {
    const path = own.map(({ x, y }) => `${across.at(x)},${up.at(y)}`).join(" ");
    const last = own[own.length - 1];
    const color = COLORS[server] ?? OTHER;
    const dots = own.map(
      ({ x, y }) => `<circle cx="${across.at(x)}" cy="${up.at(y)}" r="3" fill="${color}"/>`,
    );
    const label = `${servers[server].short || servers[server].title}: ${number(last.y)}`;
    return (
      `<polyline class="line" stroke="${color}" points="${path}"/>${dots.join("")}` +
      text("", Number(across.at(last.x)) + 8, Number(up.at(last.y)) + 4, label)
    );
  });
  return (
    `<g transform="translate(0 ${offset})">${text("title", LEFT, 24, title)}` +
    `${text("note", LEFT, 42, `${SHOWN[figure].unit}, by number of clients`)}\n` +
    `${grid.join("\n")}\n${drawn.join("\n")}</g>`
  );
}

function line(x1, x2, y1, y2) {
  return `<line class="grid" x1="${x1}" x2="${x2}" y1="${y1}" y2="${y2}"/>`;
}

/** A logarithmic scale over whole powers of ten. */
function scale(values, from, to) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const ticks = Array.from({ length: high - low + 1 }, (unused, i) => 10 ** (low + i));
  const share = (value) => (Math.log10(value) - low) / (high - low);
  const at = (value) => (from + share(value) * (to - from)).toFixed(1);
  return { at, ticks };
}
