"use strict";

// What is measured: for each scenario the load, its size, and which figure counts. The
// sizes and times of a quick run are smaller; nothing else differs.

const { descriptorLimit } = require("./machine");

/** What a process needs descriptors for besides the connections of its clients. */
const OTHER_DESCRIPTORS = 300;

/** Milliseconds of the warm-up and of the measured part where a scenario ends by time. */
const FULL = { warmUpMs: 1500, measureMs: 3000 };
const QUICK = { warmUpMs: 400, measureMs: 700 };

/** A server that answers a waiting poll only by its next ping needs this much patience. */
const SLOW_UPGRADE_MS = 60_000;

/**
 * V8 collects what connecting has left, and gives the memory back that it has used for that, some
 * ten seconds after the last collection, if nothing else happens.
 */
const SETTLE_MS = 20_000;

const scenarios = {
  broadcast: {
    title: "broadcast to 1,000, one emit at a time",
    events: ["b"],
    operation: "delivery",
    load: { scenario: "broadcast", clients: 1000, window: 1 },
    quick: { clients: 500 },
  },
  broadcast10: {
    title: "broadcast to 1,000, 10 emits in a tick",
    events: ["b"],
    operation: "delivery",
    load: { scenario: "broadcast", clients: 1000, window: 10 },
    quick: { clients: 500 },
  },
  rooms: {
    title: "500 rooms of 10, emits at full speed",
    events: ["join", "say"],
    operation: "delivery",
    load: { scenario: "rooms", clients: 5000, window: 10 },
    quick: { clients: 1000 },
  },
  echo: {
    title: "echo with ack, 500 clients",
    events: ["e"],
    operation: "round trip",
    load: { scenario: "echo", clients: 500 },
    quick: { clients: 200 },
  },
  oneway: {
    title: "one-way events, pipelined",
    events: ["m", "sync"],
    operation: "event",
    load: { scenario: "oneway", clients: 100, window: 100 },
    quick: {},
  },
  binary: {
    title: "echo of a 64 KiB Buffer",
    events: ["e"],
    operation: "round trip",
    load: { scenario: "binary", clients: 50, payload: 65536 },
    quick: { clients: 20 },
  },
  connect: {
    title: "connection, WebSocket only",
    events: ["e"],
    operation: "connection",
    load: { scenario: "connect", warmCount: 1000, count: 3000, measureMs: 30_000, warmUpMs: 0 },
    quick: { warmCount: 300, count: 600 },
  },
  upgrade: {
    title: "connection, polling and upgrade",
    events: ["e"],
    withoutFloor: true,
    operation: "connection",
    load: {
      scenario: "upgrade",
      warmCount: 500,
      count: 1500,
      measureMs: 30_000,
      limitMs: SLOW_UPGRADE_MS,
      warmUpMs: 0,
    },
    quick: { warmCount: 100, count: 300 },
  },
  upgraded: {
    title: "polling and upgrade, 4 at a time: time until upgraded",
    events: ["e"],
    figure: "p50Ms",
    withoutFloor: true,
    operation: "connection",
    load: {
      scenario: "upgrade",
      // Where milliseconds count, the load waits to be woken.
      napUs: 0,
      handshakes: 4,
      warmCount: 500,
      count: 120,
      measureMs: 30_000,
      limitMs: SLOW_UPGRADE_MS,
      warmUpMs: 0,
    },
    quick: { warmCount: 100, count: 40 },
  },
  idle: {
    title: "idle connection with one handler: memory",
    events: ["e"],
    operation: "connection",
    figure: "rssKiBPerOperation",
    collectGarbage: true,
    settleMs: SETTLE_MS,
    load: { scenario: "connect", warmCount: 500, count: 5000, measureMs: 30_000, warmUpMs: 0 },
    quick: { warmCount: 200, count: 1000 },
  },
  heartbeat: {
    title: "heartbeats, every 5 s",
    events: ["e"],
    operation: "ping",
    figure: "cpuMsPerThousandClientsAndSecond",
    pingInterval: 5000,
    pingTimeout: 20_000,
    // Connections spread over one interval, as the pings of real clients are.
    load: {
      scenario: "heartbeat",
      clients: 2000,
      rate: 400,
      napUs: 1000,
      // As long as SETTLE_MS with the time that connecting takes.
      warmUpMs: 15_000,
      measureMs: 8000,
    },
    quick: { clients: 500, rate: 500, warmUpMs: 0, measureMs: 5000 },
  },
  blocked: {
    title: "application blocked for 3 s, ping interval and timeout 1 s",
    events: ["block", "e"],
    operation: "ping",
    figure: "lost",
    pingInterval: 1000,
    pingTimeout: 1000,
    load: {
      scenario: "blocked",
      clients: 1000,
      rate: 1000,
      napUs: 1000,
      blockMs: 3000,
      warmUpMs: 0,
      measureMs: 4500,
    },
    quick: { clients: 200, rate: 400 },
  },
  large: {
    title: "broadcast of 16 KiB to 5,000",
    events: ["b"],
    operation: "delivery",
    load: { scenario: "broadcast", clients: 5000, window: 1, payload: 16_384 },
    quick: { clients: 500 },
  },
};

/** Milliseconds that so many clients may take to connect, on a busy machine too. */
function connecting(clients) {
  return 60_000 + 10 * clients;
}

/** How a cost grows with the number of clients; each point is a scenario, as "emit@1000". */
const curves = {
  emit: {
    title: "JS thread: one emit to all clients",
    figure: "jsUsPerEmit",
    sizes: [1000, 3000, 10_000, 18_000, 50_000, 100_000],
    events: ["b"],
    operation: "delivery",
    // The same number of emits a second at all sizes: code that runs seldom is cold code,
    // and would make an emit to many seem dearer on the JS thread than one to few.
    at: (clients) => ({
      scenario: "broadcast",
      clients,
      window: 1,
      paceMs: 250,
      warmUpMs: 3000,
      measureMs: 6000,
      limitMs: connecting(clients),
    }),
  },
  move: {
    title: "leave and join a room of all clients, 100 at a time",
    figure: "cpuUsPerOperation",
    sizes: [100, 1000, 10_000],
    events: ["join", "move"],
    operation: "round trip",
    withoutFloor: true,
    at: (clients) => ({ scenario: "move", clients, active: 100 }),
  },
  rest: {
    title: "memory of an idle connection",
    figure: "rssKiBPerOperation",
    sizes: [1000, 5000, 18_000, 50_000, 100_000],
    events: ["e"],
    operation: "connection",
    collectGarbage: true,
    settleMs: SETTLE_MS,
    at: (count) => ({
      scenario: "connect",
      warmCount: 500,
      count,
      measureMs: connecting(count),
      warmUpMs: 0,
    }),
  },
};

for (const [name, { title, sizes, at, ...rest }] of Object.entries(curves)) {
  for (const size of sizes) {
    scenarios[`${name}@${size}`] = {
      ...rest,
      title: `${title}: ${size.toLocaleString("en")}`,
      curve: name,
      size,
      load: at(size),
      quick: {},
    };
  }
}

/** What a run takes when it is not told: everything but the curves. */
const ALL_SCENARIOS = Object.keys(scenarios).filter((name) => !scenarios[name].curve);
const CURVES = Object.keys(scenarios).filter((name) => scenarios[name].curve);

/** What a quick run takes: the shortest, and each for another part of the server. */
const QUICK_SCENARIOS = [
  "broadcast",
  "broadcast10",
  "rooms",
  "echo",
  "oneway",
  "binary",
  "connect",
];

/** How many clients a process has descriptors for. */
function mostClients() {
  return Math.floor((descriptorLimit() - OTHER_DESCRIPTORS) / 100) * 100;
}

/** The load of a scenario with its defaults filled in, as large as the limits allow. */
function loadOf(scenario, quick) {
  const times = quick ? QUICK : FULL;
  const load = { payload: 64, ...times, ...scenario.load, ...(quick ? scenario.quick : {}) };
  const most = mostClients();
  if (load.clients > most) {
    load.clients = most;
  }
  if (load.count > most - load.warmCount) {
    load.count = most - load.warmCount;
  }
  return load;
}

module.exports = {
  ALL_SCENARIOS,
  CURVES,
  QUICK_SCENARIOS,
  curves,
  loadOf,
  mostClients,
  scenarios,
};
