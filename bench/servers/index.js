"use strict";

// The servers that take part: how each is started, what it needs built or installed first,
// and how the results name it.

const path = require("path");

const bench = path.join(__dirname, "..");
const LOAD = path.join(bench, "load", "target", "release", "load");
const FLOOR = path.join(bench, "load", "target", "release", "floor");
const SOCKETIOXIDE = path.join(bench, "peers", "target", "release", "socketioxide-peer");

const servers = {
  ferrio: { title: "ferrio", javascript: true, ours: true },
  "ferrio-native": {
    title: "ferrio, native listener",
    short: "ferrio, native",
    javascript: true,
    ours: true,
  },
  "ferrio-node": {
    title: "ferrio, all through Node",
    short: "ferrio, Node",
    javascript: true,
    ours: true,
    whenNamed: true,
  },
  ws: { title: "socket.io + ws", javascript: true, installed: true },
  eiows: { title: "socket.io + eiows", javascript: true, installed: true },
  uws: {
    title: "socket.io on uWebSockets.js",
    short: "socket.io on uWS",
    javascript: true,
    installed: true,
  },
  socketioxide: { title: "socketioxide", command: SOCKETIOXIDE, crate: "peers" },
  floor: {
    title: "floor: one write each",
    short: "floor",
    command: FLOOR,
    crate: "load",
    floor: true,
  },
  floor10: {
    title: "floor: one write per tick",
    short: "floor, one write",
    command: FLOOR,
    crate: "load",
    floor: true,
    env: { FLOOR_BATCH: "1" },
    // In the others one tick holds one message, so it would be the same program twice.
    only: ["broadcast10"],
  },
};

// The same server with so many I/O threads, to be compared with each other only.
for (const threads of [1, 2, 4]) {
  servers[`ferrio-io${threads}`] = {
    title: `ferrio, ${threads} I/O thread${threads > 1 ? "s" : ""}`,
    javascript: true,
    ours: true,
    app: "ferrio",
    env: { BENCH_IO_THREADS: String(threads) },
    whenNamed: true,
  };
}

/** Those that take part when none is named. */
const ALL_SERVERS = Object.keys(servers).filter((name) => !servers[name].whenNamed);

/** The command line and environment of a server. */
function launch(name, environment) {
  const { app = name, command, env, javascript } = servers[name];
  return {
    command: javascript ? process.execPath : command,
    args: javascript ? ["--expose-gc", path.join(__dirname, "app.js")] : [],
    env: { ...environment, ...env, BENCH_SERVER: app, NODE_ENV: "production" },
  };
}

module.exports = { ALL_SERVERS, LOAD, launch, servers };
