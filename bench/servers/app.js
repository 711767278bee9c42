"use strict";

// The application all JavaScript servers run, written against the socket.io API alone:
// which package carries it is the only difference. Talks to the runner in lines: prints
// its port, and answers every line it gets with what the process has used so far, but for
// "watch", from which on it watches the delays of its event loop until asked again, and "block N",
// after which it computes for N milliseconds.

const fs = require("fs");
const http = require("http");
const { monitorEventLoopDelay } = require("perf_hooks");
const readline = require("readline");

const FIRST = 10_000_000;
const DIGITS = 8;

const payload = Number(process.env.BENCH_PAYLOAD || 64);
const options = {
  serveClient: false,
  pingInterval: Number(process.env.BENCH_PING_INTERVAL || 25_000),
  pingTimeout: Number(process.env.BENCH_PING_TIMEOUT || 20_000),
};

/** As many I/O threads as ferrio starts by itself, unless a number is given. */
const { BENCH_IO_THREADS: threads } = process.env;
const own = threads === undefined ? options : { ...options, ioThreads: Number(threads) };

const servers = {
  ferrio: () => attached(require("../.."), own, ["../../package.json"]),
  "ferrio-native": () =>
    attached(require("../.."), { ...own, acceptor: "native" }, ["../../package.json"]),
  "ferrio-node": () =>
    attached(require("../.."), { ...own, acceptor: "node" }, ["../../package.json"]),
  ws: () => attached(require("socket.io"), options, ["socket.io/package.json", "ws/package.json"]),
  eiows: () =>
    attached(require("socket.io"), { ...options, wsEngine: require("eiows").Server }, [
      "socket.io/package.json",
      "eiows/package.json",
    ]),
  uws: () => onMicroWebSockets(),
};

/** The handler of each event, made for a socket. */
const handlers = {
  b: (socket, everyone) => (emits) => {
    for (let i = 0; i < emits; i++) {
      everyone.io.emit("b", everyone.number++, everyone.padding);
    }
  },
  join: (socket) => (room, done) => {
    socket.join(room);
    done();
  },
  say:
    (socket, { io }) =>
    (room, n, text) => {
      io.to(room).emit("say", n, text);
    },
  e:
    () =>
    (first, ...rest) => {
      const done = rest.pop();
      done(first, ...rest);
    },
  move: (socket) => (n, text, done) => {
    socket.leave("r0");
    socket.join("r0");
    done(n, text);
  },
  m: (socket, everyone, received) => (n) => {
    received.inOrder = received.inOrder && n === FIRST + received.count;
    received.count++;
  },
  sync: (socket, everyone, received) => (expected, window, done) => {
    done(received.inOrder ? received.count : -1);
  },
  block: () => (ms) => {
    const until = Date.now() + ms;
    while (Date.now() < until);
  },
};

/** CPU time spent on blocking. */
let blockedUs = 0;

/** The monitor counts the time between two of its timers, this one included. */
const RESOLUTION_MS = 20;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
servers[process.env.BENCH_SERVER || "ws"]();

function attached(library, settings, manifests) {
  const server = http.createServer();
  application(new library.Server(server, settings));
  server.listen(0, "127.0.0.1", () => announce(server.address().port, manifests));
}

function onMicroWebSockets() {
  const { App, us_socket_local_port: portOf } = require("@trufflesuite/uws-js-unofficial");
  const io = new (require("socket.io").Server)(options);
  const app = App();
  io.attachApp(app);
  application(io);
  app.listen("127.0.0.1", 0, (token) =>
    announce(portOf(token), [
      "socket.io/package.json",
      "@trufflesuite/uws-js-unofficial/package.json",
    ]),
  );
}

/** Registers only what the scenario uses, so that an idle connection costs what it must. */
function application(io) {
  const wanted = new Set((process.env.BENCH_EVENTS || Object.keys(handlers).join()).split(","));
  const used = Object.entries(handlers).filter(([event]) => wanted.has(event));
  const everyone = { io, number: FIRST, padding: paddingOf(payload) };
  io.on("connection", (socket) => {
    const received = { count: 0, inOrder: true };
    for (const [event, handlerFor] of used) {
      socket.on(event, handlerFor(socket, everyone, received));
    }
  });
}

function paddingOf(bytes) {
  const alphabet = "abcdefghijklmnopqrstuvwxyz";
  return alphabet.repeat(bytes / alphabet.length + 1).slice(0, Math.max(0, bytes - DIGITS));
}

function announce(port, manifests) {
  const versions = { node: process.versions.node };
  for (const manifest of manifests) {
    const { name, version } = require(manifest);
    versions[name] = version;
  }
  say({ port, versions });
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    if (line === "watch") {
      delay.enable();
      return;
    }
    if (line.startsWith("block ")) {
      const before = threadUs();
      const until = Date.now() + Number(line.slice(6));
      while (Date.now() < until);
      blockedUs += threadUs() - before;
      return;
    }
    if (line === "gc") {
      global.gc();
    }
    say(usage());
    // Watching takes fifty wake-ups a second: not while CPU time is measured.
    delay.disable();
  });
  lines.on("close", () => process.exit());
}

/** CPU of the whole process and of this thread so far, memory, and delays since last asked. */
function usage() {
  const { user, system } = process.cpuUsage();
  const late = (interval) => Math.max(0, interval / 1000 - RESOLUTION_MS * 1000);
  const delays = {
    p50Us: late(delay.percentile(50)),
    p99Us: late(delay.percentile(99)),
    maxUs: late(delay.max),
  };
  const measured = delay.count > 0;
  delay.reset();
  return {
    cpuUs: user + system,
    jsUs: threadUs(),
    blockedUs,
    rss: process.memoryUsage.rss(),
    delays: measured ? delays : null,
  };
}

/** CPU time of this thread so far. */
function threadUs() {
  const [nanos] = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ");
  return nanos / 1000;
}

function say(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
