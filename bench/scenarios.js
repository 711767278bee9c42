"use strict";

// What is measured: for each scenario the load, its size, and which figure counts. The
// sizes of a quick run are smaller; nothing else differs.

/** Milliseconds of the warm-up and of the measured part where a scenario ends by time. */
const FULL = { warmUpMs: 1500, measureMs: 3000 };
const QUICK = { warmUpMs: 400, measureMs: 700 };

const scenarios = {
  broadcast: {
    title: "broadcast to 1,000, one emit at a time",
    operation: "delivery",
    load: { scenario: "broadcast", clients: 1000, window: 1 },
    quick: { clients: 500 },
  },
  broadcast10: {
    title: "broadcast to 1,000, 10 emits in a tick",
    operation: "delivery",
    load: { scenario: "broadcast", clients: 1000, window: 10 },
    quick: { clients: 500 },
  },
  rooms: {
    title: "500 rooms of 10, emits at full speed",
    operation: "delivery",
    load: { scenario: "rooms", clients: 5000, window: 10 },
    quick: { clients: 1000 },
  },
  echo: {
    title: "echo with ack, 500 clients",
    operation: "round trip",
    load: { scenario: "echo", clients: 500 },
    quick: { clients: 200 },
  },
  oneway: {
    title: "one-way events, pipelined",
    operation: "event",
    load: { scenario: "oneway", clients: 100, window: 100 },
    quick: {},
  },
  binary: {
    title: "echo of a 64 KiB Buffer",
    operation: "round trip",
    load: { scenario: "binary", clients: 50, payload: 65536 },
    quick: { clients: 20 },
  },
  connect: {
    title: "connection, WebSocket only",
    operation: "connection",
    load: { scenario: "connect", warmCount: 1000, count: 3000, measureMs: 30_000, warmUpMs: 0 },
    quick: { warmCount: 300, count: 600 },
  },
  upgrade: {
    title: "connection, polling and upgrade",
    operation: "connection",
    load: { scenario: "upgrade", warmCount: 500, count: 1500, measureMs: 30_000, warmUpMs: 0 },
    quick: { warmCount: 100, count: 300 },
  },
  idle: {
    title: "idle connection with one handler: memory",
    operation: "connection",
    figure: "rssKiBPerOperation",
    collectGarbage: true,
    load: { scenario: "connect", warmCount: 500, count: 5000, measureMs: 30_000, warmUpMs: 0 },
    quick: { warmCount: 200, count: 1000 },
  },
  heartbeat: {
    title: "heartbeats, every 5 s",
    operation: "ping",
    figure: "cpuMsPerThousandClientsAndSecond",
    pingInterval: 5000,
    pingTimeout: 20_000,
    // Connections spread over one interval, as the pings of real clients are.
    load: { scenario: "heartbeat", clients: 2000, rate: 400, warmUpMs: 0, measureMs: 10_000 },
    quick: { clients: 500, rate: 500, measureMs: 5000 },
  },
  blocked: {
    title: "application blocked for 3 s, ping interval and timeout 1 s",
    operation: "ping",
    figure: "lost",
    pingInterval: 1000,
    pingTimeout: 1000,
    load: {
      scenario: "blocked",
      clients: 1000,
      rate: 1000,
      blockMs: 3000,
      warmUpMs: 0,
      measureMs: 4500,
    },
    quick: { clients: 200, rate: 400 },
  },
  large: {
    title: "broadcast of 16 KiB to 5,000",
    operation: "delivery",
    load: { scenario: "broadcast", clients: 5000, window: 1, payload: 16_384 },
    quick: { clients: 500 },
  },
};

/** What a quick run takes: the shortest, and each for another part of the server. */
const QUICK_SCENARIOS = ["broadcast", "broadcast10", "rooms", "echo", "oneway", "binary", "connect"];

/** The load of a scenario with its defaults filled in. */
function loadOf(scenario, quick) {
  const times = quick ? QUICK : FULL;
  return { payload: 64, ...times, ...scenario.load, ...(quick ? scenario.quick : {}) };
}

module.exports = { QUICK_SCENARIOS, loadOf, scenarios };
