"use strict";

// From rounds to figures: medians, how far the rounds lie apart, and the ratio to stock
// socket.io, taken within each round since both then met the same disturbance.

const { scenarios } = require("./scenarios");
const { servers } = require("./servers");

const STOCK = "ws";
const DEFAULT_FIGURE = "cpuUsPerOperation";

/** What the table shows of each scenario: figure, unit, and what stands in brackets. */
const SHOWN = {
  cpuUsPerOperation: { unit: "CPU µs", beside: "jsUsPerOperation" },
  jsUsPerEmit: { unit: "JS thread µs" },
  rssKiBPerOperation: { unit: "KiB" },
  cpuMsPerThousandClientsAndSecond: { unit: "CPU ms per 1,000 clients and second" },
  p50Ms: { unit: "ms, p50 (p99)", beside: "p99Ms" },
  lost: { unit: "lost clients (longest ms between pings)", beside: "longestPingGapMs" },
};

/** Median, least and greatest of every figure, and the ratio to stock of the main one. */
function summarize({ scenarios: measured }) {
  const summary = {};
  for (const [name, byServer] of Object.entries(measured)) {
    summary[name] = {};
    for (const [server, rounds] of Object.entries(byServer)) {
      summary[name][server] = {
        rounds: rounds.length,
        failed: rounds.filter((round) => round.error).length,
        figures: spreads(rounds.filter((round) => !round.error)),
        ratioToStock: ratio(figureOf(name), rounds, byServer[STOCK]),
      };
    }
  }
  return summary;
}

/** The results as a Markdown table. */
function table({ scenarios: measured, summary, rounds, quick }) {
  const present = Object.keys(servers).filter((server) =>
    Object.values(measured).some((byServer) => byServer[server]),
  );
  const lines = [
    `Medians of ${rounds} round(s); in brackets the JS thread; x is the ratio to stock.`,
    ...(quick ? ["A quick run: smaller than the titles say, and no basis for a claim."] : []),
    "",
    `| scenario | unit | ${present.map((server) => servers[server].title).join(" | ")} |`,
    `|---|---|${present.map(() => "---|").join("")}`,
  ];
  for (const [name, byServer] of Object.entries(summary)) {
    const cells = present.map((server) => cell(name, server, byServer[server]));
    const { unit } = SHOWN[figureOf(name)];
    lines.push(`| ${scenarios[name].title} | ${unit} | ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

function figureOf(name) {
  return scenarios[name].figure || DEFAULT_FIGURE;
}

module.exports = { SHOWN, STOCK, figureOf, number, summarize, table };

function cell(name, server, entry) {
  if (!entry) {
    return "-";
  }
  const figure = figureOf(name);
  const main = entry.figures[figure];
  if (!main) {
    return "failed";
  }
  const beside = entry.figures[SHOWN[figure].beside];
  const ratioText =
    server !== STOCK && entry.ratioToStock ? ` ${number(entry.ratioToStock.median)}x` : "";
  const failed = entry.failed ? `, ${entry.failed} of ${entry.rounds} failed` : "";
  const besideText = beside ? ` (${number(beside.median)})` : "";
  return `${number(main.median)}${besideText}${ratioText}${failed}`;
}

function spreads(rounds) {
  const figures = {};
  for (const key of new Set(rounds.flatMap((round) => Object.keys(round)))) {
    const values = rounds.map((round) => round[key]).filter(Number.isFinite);
    if (values.length > 0) {
      figures[key] = spread(values);
    }
  }
  return figures;
}

function ratio(figure, rounds, stock = []) {
  const ratios = rounds
    .map((round, i) => round[figure] / (stock[i] || {})[figure])
    .filter(Number.isFinite);
  return ratios.length > 0 ? spread(ratios) : null;
}

function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
  return { median, least: sorted[0], greatest: sorted[sorted.length - 1] };
}

/** Two or three digits that matter, never an exponent. */
function number(value) {
  const size = Math.abs(value);
  const places = size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3;
  return value.toFixed(places);
}
