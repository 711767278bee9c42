"use strict";

// The server of a soak: an application that numbers what it sends and checks the numbers of
// what it gets, and a sample of the process each second. It does what soak.js tells it over
// IPC and ends when that is gone.

const fs = require("fs");
const http = require("http");
const { monitorEventLoopDelay } = require("perf_hooks");
const { Ledger } = require("./ledger");
const { Dice } = require("./dice");
const { PATIENCE_MS, binaryOf, checksBinary } = require("./messages");

const order = JSON.parse(process.argv[2]);
const library = require(order.server === "ferrio" ? "../.." : "socket.io");
const dice = new Dice(order.seed);
const ledger = new Ledger();
const delay = monitorEventLoopDelay({ resolution: 20 });

/** Sockets that may be written to: those that have not announced that they leave. */
const live = [];
/** The number of the next message of each room. */
const rooms = new Map();
/** Questions to rooms whose answers have not been counted yet. */
const questions = new Set();
let broadcasts = 0;
let volatiles = 0;
let connected = 0;
let isOver = false;
let firstDescriptors = 0;

// Longer than any client leaves a connection unused, so that none is closed as a request comes.
const httpServer = http.createServer({ keepAliveTimeout: 300_000 });
const io = new library.Server(httpServer, {
  serveClient: false,
  allowEIO3: true,
  cleanupEmptyChildNamespaces: true,
  pingInterval: order.pingInterval,
  pingTimeout: order.pingTimeout,
});

io.on("connection", welcome);
io.of("/side").on("connection", echo);
io.of(/^\/dynamic-\d+$/).on("connection", echo);

// What a handler throws on purpose, and nothing else.
process.on("uncaughtException", (error) => {
  if (error.message === "thrown on purpose") {
    ledger.add("handlers that threw");
  } else {
    ledger.fault("uncaught", error.stack);
  }
});

process.on("disconnect", () => process.exit(1));
process.on("message", async ({ ask }) => {
  if (ask === "stop") {
    isOver = true;
  }
  if (ask === "end") {
    await allGone();
  }
  if (ask === "end" || ask === "tidy") {
    await collect();
  }
  process.send({ answer: ask, ...sample(), ...ledger.report() });
});

httpServer.listen(0, "127.0.0.1", async () => {
  delay.enable();
  await collect();
  firstDescriptors = descriptors();
  const { port } = httpServer.address();
  const manifest = order.server === "ferrio" ? "../../package.json" : "socket.io/package.json";
  const { version } = require(manifest);
  process.send({ answer: "ready", port, version, ...sample() });
  setInterval(() => process.send({ answer: "sample", ...sample() }), 1_000);
  speak();
});

function welcome(socket) {
  connected++;
  ledger.add("connections");
  const account = { events: 0, told: 0, unanswered: 0, isLeaving: false, place: live.length };
  live.push(socket);
  socket.data = account;

  socket.on("event", (n, padding, done) => {
    counted(account, n);
    done?.(n);
  });
  socket.on("binary", (n, bytes, done) => {
    counted(account, n);
    if (!checksBinary(n, bytes)) {
      ledger.fault("server: changed attachment", `${n}`);
    }
    done(n, binaryOf(n + 1));
  });
  socket.on("join", (n, room, done) => {
    counted(account, n);
    socket.join(room);
    done(rooms.get(room) ?? 0);
  });
  socket.on("leave", (n, room, done) => {
    counted(account, n);
    socket.leave(room);
    done(rooms.get(room) ?? 0);
  });
  socket.on("say", (n, room, done) => {
    counted(account, n);
    const number = nextOf(room);
    socket.to(room).emit("room", room, number);
    done(number);
  });
  socket.on("throw", (n) => {
    counted(account, n);
    throw new Error("thrown on purpose");
  });
  socket.on("kick", (n) => {
    counted(account, n);
    account.isLeaving = true;
    socket.disconnect(true);
  });
  // Everything before this has been sent when the answer is: it says how much that was.
  socket.on("bye", (n, done) => {
    counted(account, n);
    account.isLeaving = true;
    account.isOrderly = true;
    remove(socket);
    const joined = [...socket.rooms].filter((room) => room !== socket.id);
    done({
      events: account.events,
      told: account.told,
      broadcasts,
      rooms: joined.map((room) => [room, rooms.get(room) ?? 0]),
    });
  });
  socket.on("disconnect", (reason) => {
    connected--;
    remove(socket);
    ledger.add("disconnections");
    ledger.add(`closed: ${reason}`);
    if (account.isGone) {
      ledger.fault("server: disconnected twice", socket.id);
    }
    account.isGone = true;
    const isReal = describe(socket).includes("real");
    if (account.isOrderly && !isReal && reason !== "client namespace disconnect") {
      ledger.fault("server: left in order", `${reason}, ${describe(socket)}`);
    }
    if (account.isOrderly && account.unanswered > 0) {
      ledger.fault("server: unanswered", `${account.unanswered} by ${describe(socket)}`);
    }
  });

  socket.emit("hello", broadcasts);
}

function echo(socket) {
  socket.on("echo", (n, done) => done(n));
}

/** Every event of a client carries the next number, whatever it is. */
function counted(account, n) {
  if (n !== account.events) {
    ledger.fault("server: events", `${n} instead of ${account.events}`);
  }
  account.events = n + 1;
  ledger.add("events received");
}

function describe(socket) {
  return String(socket.handshake.query.name);
}

function remove(socket) {
  const { place } = socket.data;
  if (live[place] === socket) {
    const last = live.pop();
    if (last !== socket) {
      live[place] = last;
      last.data.place = place;
    }
  }
}

function nextOf(room) {
  const number = rooms.get(room) ?? 0;
  rooms.set(room, number + 1);
  ledger.add("room messages");
  return number;
}

/** What the server says of itself, as long as the soak lasts. */
function speak() {
  every(1_000, () => {
    const number = broadcasts++;
    ledger.add("broadcasts");
    if (number % 5 === 4) {
      io.emit("broadcast", number, binaryOf(number));
    } else {
      io.emit("broadcast", number, "x".repeat(dice.below(512)));
    }
  });
  every(5_000, () => io.volatile.emit("volatile", volatiles++));
  every(20, () => {
    for (let i = 0; i < order.rate; i++) {
      tell(dice.pick(live));
    }
    if (rooms.size > 0 && live.length > 0) {
      const room = `room ${dice.below(order.rooms)}`;
      io.to(room).emit("room", room, nextOf(room));
    }
  });
  every(2_000, () => {
    const question = {};
    questions.add(question);
    io.to(`room ${dice.below(order.rooms)}`)
      .timeout(order.questionTimeout)
      .emit("question", () => {
        if (!questions.delete(question)) {
          ledger.fault("server: a question answered twice", "");
        }
        ledger.add("questions to rooms");
      });
  });
  every(order.blockEveryMs, () => {
    ledger.add("blocked for a second");
    const until = Date.now() + 1_000;
    while (Date.now() < until);
  });
}

function every(ms, action) {
  const timer = setInterval(() => {
    if (isOver) {
      clearInterval(timer);
    } else {
      action();
    }
  }, ms);
}

/** A numbered message to one, with an acknowledgement asked for by half of them. */
function tell(socket) {
  if (!socket || socket.data.isLeaving) {
    return;
  }
  const account = socket.data;
  const number = account.told++;
  ledger.add("messages to one");
  if (number % 2 === 0) {
    socket.emit("tell", number, "y".repeat(dice.below(256)));
    return;
  }
  account.unanswered++;
  let answers = 0;
  socket.emit("tell", number, "y".repeat(dice.below(256)), (n) => {
    account.unanswered--;
    ledger.add("acknowledged by clients");
    if (n !== number || ++answers > 1) {
      ledger.fault("server: acknowledgement", `${n}, the ${answers}th, for ${number}`);
    }
  });
}

/** Resolves when no connection and no open question is left, or after the longest time those take. */
async function allGone() {
  const until = Date.now() + order.pingInterval + order.pingTimeout + PATIENCE_MS;
  const isGone = () =>
    io.engine.clientsCount === 0 &&
    connected === 0 &&
    questions.size === 0 &&
    descriptors() <= firstDescriptors;
  while (!isGone() && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function collect() {
  for (let i = 0; i < 5; i++) {
    global.gc();
    await new Promise(setImmediate);
  }
}

function sample() {
  const memory = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const late = (nanos) => Math.max(0, nanos / 1e6 - 20);
  const taken = {
    at: Date.now(),
    rss: memory.rss,
    heap: memory.heapUsed,
    external: memory.external,
    descriptors: descriptors(),
    connections: io.engine.clientsCount,
    sockets: connected,
    ...held(),
    delayP99: late(delay.percentile(99)),
    delayMax: late(delay.max),
    cpuUs: user + system,
    metrics: io.metrics?.(),
  };
  delay.reset();
  return taken;
}

/** What the namespaces hold. */
function held() {
  const namespaces = [...io._nsps.values()];
  const sum = (count) => namespaces.reduce((total, nsp) => total + count(nsp), 0);
  return {
    namespaces: namespaces.length,
    rooms: sum((nsp) => nsp.adapter.rooms.size),
    sids: sum((nsp) => nsp.adapter.sids.size),
    members: sum((nsp) => nsp.sockets.size),
    questions: questions.size,
  };
}

function descriptors() {
  return fs.readdirSync("/proc/self/fd").length;
}
