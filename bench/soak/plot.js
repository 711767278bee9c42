"use strict";

// A soak over time: a panel for each thing that was sampled.

const { document, text } = require("../svg");

const WIDTH = 920;
const LEFT = 84;
const RIGHT = 24;
const TOP = 64;
const PANEL = 120;
const HEIGHT = 78;
/** No more points than can be seen. */
const POINTS = 400;

const STYLE = `
  .grid { stroke: #d0d7de; } .line { fill: none; stroke: #c4511d; stroke-width: 1.2; }
  .other { stroke: #3b6ea5; }
  @media (prefers-color-scheme: dark) { .grid { stroke: #30363d; } }`;

const MIB = 2 ** 20;
const PANELS = [
  { title: "Memory, MiB: resident (red), JavaScript heap in use (blue)", of: ["rss", "heap"] },
  { title: "Sockets (red) and open descriptors (blue)", of: ["sockets", "descriptors"] },
  { title: "CPU of the server, % of a core", of: ["cpu"] },
  {
    title: "Event loop, latest delay in each second, ms (it is blocked on purpose)",
    of: ["delay"],
  },
  { title: "Bytes that wait for the JavaScript thread, KiB", of: ["queued"] },
];

const READ = {
  rss: ({ rss }) => rss / MIB,
  heap: ({ heap }) => heap / MIB,
  sockets: ({ sockets }) => sockets,
  descriptors: ({ descriptors }) => descriptors,
  cpu: ({ at, cpuUs }, before) =>
    before ? (cpuUs - before.cpuUs) / 10 / Math.max(1, at - before.at) : 0,
  delay: ({ delayMax }) => delayMax,
  queued: ({ metrics }) => (metrics ? metrics.javascript.queuedBytes / 1_024 : 0),
};

/** The plot of a run as SVG. */
function plot({ options, machine, versions }, samples) {
  const { server, clients } = options;
  const title = `A soak of ${server} with ${clients.toLocaleString("en")} clients`;
  const about = `${machine.cpu}, ${machine.cores} cores · Node.js ${versions.node}`;
  const head = [text("title", LEFT, 26, title), text("note", LEFT, 44, about)];
  const panels = PANELS.map((panel, i) => draw(panel, samples, TOP + i * PANEL));
  const height = TOP + PANELS.length * PANEL + 12;
  return document(WIDTH, height, title, STYLE, [...head, ...panels].join("\n"));
}

module.exports = { plot };

function draw({ title, of }, samples, offset) {
  const lines = of.map((what) =>
    thinned(samples.map((sample, i) => ({ at: sample.at, y: READ[what](sample, samples[i - 1]) }))),
  );
  const [start, end] = [samples[0].at, samples.at(-1).at];
  const top = Math.max(...lines.flat().map(({ y }) => y), 1);
  const across = (at) => LEFT + ((at - start) / Math.max(1, end - start)) * (WIDTH - LEFT - RIGHT);
  const up = (y) => 24 + HEIGHT - (y / top) * HEIGHT;
  const drawn = lines.map((points, i) => {
    const path = points.map(({ at, y }) => `${across(at).toFixed(1)},${up(y).toFixed(1)}`);
    return `<polyline class="line${i > 0 ? " other" : ""}" points="${path.join(" ")}"/>`;
  });
  const minutes = `${((end - start) / 60_000).toFixed(0)} min`;
  const axis = [0, top].map(
    (y) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${up(y)}" y2="${up(y)}"/>` +
      text("note end", LEFT - 6, up(y) + 4, Math.round(y).toLocaleString("en")),
  );
  return (
    `<g transform="translate(0 ${offset})">${text("", LEFT, 14, title)}` +
    `${text("note end", WIDTH - RIGHT, 14, minutes)}${axis.join("")}\n${drawn.join("\n")}</g>`
  );
}

/** The highest of each few neighbours. */
function thinned(points) {
  const size = Math.ceil(points.length / POINTS);
  const kept = [];
  for (let i = 0; i < points.length; i += size) {
    kept.push(points.slice(i, i + size).reduce((high, one) => (one.y > high.y ? one : high)));
  }
  return kept;
}
