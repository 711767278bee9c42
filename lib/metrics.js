"use strict";

// `ferrio/metrics`: what the process has counted, as an object, as the text that Prometheus
// reads, and as a handler for Express or http.

const { performance } = require("perf_hooks");
const { core } = require("./dispatch");

/** Close reasons in the order of the core's numbers. */
const REASONS = [
  "transport error",
  "transport close",
  "forced close",
  "ping timeout",
  "parse error",
  "limit exceeded",
];
/** Upper bounds of the core's buckets for heartbeats, in ms. */
const HEARTBEAT_BUCKETS = [5, 20, 50, 200, 1000, 5000];

/**
 * Everything that was counted since the process started, by all servers in it.
 * @returns {import("../types/metrics").Metrics}
 */
function metrics() {
  const { shards, threads, queuedBytes, drains, waited } = JSON.parse(core.metrics());
  const sum = (name) => shards.reduce((total, shard) => total + shard[name], 0);
  const sumAt = (name, at) => shards.reduce((total, shard) => total + shard[name][at], 0);
  const { active, idle, utilization } = performance.eventLoopUtilization();
  return {
    connections: { websocket: sum("websockets"), polling: sum("pollings") },
    opened: sum("opened"),
    closed: Object.fromEntries(REASONS.map((reason, at) => [reason, sumAt("closed", at)])),
    events: { in: sum("eventsIn"), out: sum("packetsOut") },
    bytes: { in: sum("bytesIn"), out: sum("bytesOut") },
    broadcasts: sum("broadcasts"),
    deliveries: sum("deliveries"),
    dropped: { backpressure: sum("slow"), rateLimit: sum("rateLimited"), panic: sum("panics") },
    heartbeat: {
      buckets: Object.fromEntries(
        [...HEARTBEAT_BUCKETS, Infinity].map((bound, at) => [bound, sumAt("heartbeats", at)]),
      ),
      sum: sum("heartbeatMs"),
    },
    javascript: { queuedBytes, batches: drains, waited, active, idle, utilization },
    // Connections that JavaScript's own thread serves are on none of these.
    threads: shards.slice(0, threads).map((shard) => ({
      connections: shard.websockets + shard.pollings,
      rounds: shard.rounds,
      reads: shard.reads,
      bytesIn: shard.bytesIn,
      bytesOut: shard.bytesOut,
      deliveries: shard.deliveries,
    })),
  };
}

/**
 * The same in the text format that Prometheus reads.
 * @returns {string}
 */
function prometheus() {
  const now = metrics();
  const lines = [];
  const add = (name, type, help, values) => {
    lines.push(`# HELP ferrio_${name} ${help}`, `# TYPE ferrio_${name} ${type}`);
    for (const [labels, value] of values) {
      lines.push(`ferrio_${name}${labels} ${value}`);
    }
  };
  const by = (label, object) =>
    Object.entries(object).map(([key, value]) => [`{${label}="${key}"}`, value]);
  const threads = (name) => now.threads.map((thread, at) => [`{thread="${at}"}`, thread[name]]);

  add("connections", "gauge", "Connections open now.", by("transport", now.connections));
  add("opened_total", "counter", "Connections opened.", [["", now.opened]]);
  add("closed_total", "counter", "Connections closed, by reason.", by("reason", now.closed));
  add("events_total", "counter", "Events and acknowledgements.", by("direction", now.events));
  add("bytes_total", "counter", "Bytes on the wire.", by("direction", now.bytes));
  add("broadcasts_total", "counter", "Broadcasts, on each I/O thread.", [["", now.broadcasts]]);
  add("deliveries_total", "counter", "Recipients of broadcasts.", [["", now.deliveries]]);
  add("dropped_total", "counter", "What a limit or a fault has cost.", by("reason", now.dropped));
  addHeartbeats(lines, now.heartbeat);
  add("queued_bytes", "gauge", "Bytes that wait for the JavaScript thread.", [
    ["", now.javascript.queuedBytes],
  ]);
  add("batches_total", "counter", "Batches that the JavaScript thread has taken.", [
    ["", now.javascript.batches],
  ]);
  add("batches_waited_seconds_total", "counter", "How long batches waited for JavaScript.", [
    ["", now.javascript.waited],
  ]);
  add("event_loop_utilization", "gauge", "Share of time that JavaScript was busy.", [
    ["", now.javascript.utilization],
  ]);
  add("thread_rounds_total", "counter", "Wake-ups of an I/O thread.", threads("rounds"));
  add("thread_reads_total", "counter", "Reads of an I/O thread.", threads("reads"));
  add("thread_connections", "gauge", "Connections of an I/O thread.", threads("connections"));
  return `${lines.join("\n")}\n`;
}

function addHeartbeats(lines, { buckets, sum }) {
  const name = "ferrio_heartbeat_seconds";
  lines.push(`# HELP ${name} Round-trip of pings.`, `# TYPE ${name} histogram`);
  let count = 0;
  for (const [bound, more] of Object.entries(buckets)) {
    count += more;
    const le = bound === "Infinity" ? "+Inf" : Number(bound) / 1000;
    lines.push(`${name}_bucket{le="${le}"} ${count}`);
  }
  lines.push(`${name}_sum ${sum / 1000}`, `${name}_count ${count}`);
}

/** A handler for `app.get("/metrics", handler)` or `http.createServer(handler)`. */
function handler(req, res) {
  res.setHeader("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  res.end(prometheus());
}

module.exports = { handler, metrics, prometheus };
