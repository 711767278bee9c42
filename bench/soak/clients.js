"use strict";

// The clients of a soak: keeps a population alive that acts, comes and goes until it is told to
// leave. It does what soak.js tells it over IPC and ends when that is gone.

const http = require("http");
const net = require("net");
const { Dice } = require("./dice");
const { Ledger } = require("./ledger");
const { Life } = require("./life");
const { PATIENCE_MS } = require("./messages");
const { Raw } = require("./raw");
const { Real } = require("./real");

const TICK_MS = 50;
/** How many handshakes are under way at most. */
const AT_ONCE = 64;

const ACTS = {
  event: 40,
  asked: 30,
  binary: 6,
  join: 8,
  leave: 5,
  say: 8,
  visit: 2,
  throw: 0.1,
  stall: 0.5,
};
const ENDS = { bye: 70, destroy: 10, "break off": 7, kick: 5, garble: 6, silence: 2 };
const REAL_ENDS = { bye: 60, destroy: 30, kick: 10 };
const TRANSPORTS = { websocket: 55, polling: 15, upgrade: 30 };
/** One in eight speaks the protocol of Socket.IO 2. */
const PROTOCOLS = { 4: 7, 3: 1 };

const order = JSON.parse(process.argv[2]);
const dice = new Dice(order.seed);
const ledger = new Ledger();
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 1_000 });

/** Lives that may act, and all that have not ended. */
const alive = [];
const lives = new Set();
const reals = new Set();
let names = 0;
let isOver = false;
/** Fractions of acts and ends that are due. */
let actsDue = 0;
let endsDue = 0;

process.on("disconnect", () => process.exit(1));
process.on("message", async ({ ask }) => {
  if (ask === "leave") {
    isOver = true;
    await allLeave();
  }
  process.send({ answer: ask, alive: alive.length, ...ledger.report() });
});

setInterval(() => {
  if (!isOver) {
    populate();
    act();
    churn();
  }
}, TICK_MS);
setInterval(() => {
  if (!isOver) {
    intrude();
  }
}, 1_000);

function populate() {
  while (reals.size < order.reals && underWay() < AT_ONCE) {
    beginReal(reals.size % 4 === 3 ? 3 : 4);
  }
  while (lives.size < order.clients && underWay() < AT_ONCE) {
    begin();
  }
}

function underWay() {
  let begun = alive.length;
  for (const life of lives) {
    if (life.ending) {
      begun++;
    }
  }
  return lives.size - begun;
}

function begin() {
  const protocol = Number(dice.weighed(PROTOCOLS));
  const transport = dice.weighed(TRANSPORTS);
  const life = newLife(`${names++} v${protocol} ${transport}`);
  const query = `name=${encodeURIComponent(life.name)}`;
  life.connection = new Raw({ port: order.port, protocol, transport, query, agent }, life);
}

function beginReal(protocol) {
  const transport = dice.weighed(TRANSPORTS);
  const name = `real v${protocol} ${transport}`;
  const target = { port: order.port, protocol, transport, query: { name } };
  const real = new Real(target, (connection) => {
    const life = newLife(`${names++} ${name}`);
    life.connection = connection;
    life.isReal = true;
    return life;
  });
  reals.add(real);
}

function newLife(name) {
  const life = new Life(name, ledger, dice, order, changed);
  lives.add(life);
  return life;
}

function changed(life, isAlive) {
  if (isAlive) {
    life.place = alive.push(life) - 1;
    return;
  }
  lives.delete(life);
  retire(life);
  // Of those that were cut off, the real ones come back by themselves.
  if (life.isReal && life.ending !== "destroy") {
    life.connection.stop();
    reals.delete(life.connection);
  }
}

/** One that is to end does not act any more. */
function retire(life) {
  if (alive[life.place] === life) {
    const last = alive.pop();
    if (last !== life) {
      alive[life.place] = last;
      last.place = life.place;
    }
  }
}

function act() {
  actsDue += (alive.length * order.actsPerSecond * TICK_MS) / 1_000;
  for (; actsDue >= 1; actsDue--) {
    const life = dice.pick(alive);
    if (life) {
      life.act(dice.weighed(ACTS), order.rooms);
    }
  }
}

function churn() {
  endsDue += (alive.length / order.lifeSeconds) * (TICK_MS / 1_000);
  for (; endsDue >= 1; endsDue--) {
    const life = dice.pick(alive);
    if (life && life.end(dice.weighed(life.isReal ? REAL_ENDS : ENDS))) {
      retire(life);
    }
  }
}

/** What is no client at all: half a request, or bytes that are none. */
function intrude() {
  ledger.add("intruders");
  const socket = net.connect(order.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  if (dice.below(2)) {
    socket.write("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgr");
    setTimeout(() => socket.destroy(), dice.below(2_000));
    return;
  }
  socket.write(Buffer.from([0, 1, 2, 3, 255, 13, 10, 13, 10]));
  const late = setTimeout(() => {
    ledger.fault("client: an intruder is still there", "");
    socket.destroy();
  }, PATIENCE_MS);
  socket.on("close", () => clearTimeout(late));
}

async function allLeave() {
  const until = Date.now() + PATIENCE_MS * 1.5;
  // Those on their way back stay away.
  for (const real of reals) {
    if (!real.listener) {
      real.stop();
    }
  }
  while (lives.size > 0 && Date.now() < until) {
    for (const life of [...alive]) {
      if (life.end("bye")) {
        retire(life);
      }
    }
    for (const life of lives) {
      // These are over for the server, or will be: what they wait for takes longer than this.
      if (life.ending && life.ending !== "bye") {
        life.connection.destroy();
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const life of lives) {
    ledger.fault("client: did not end", life.name);
    life.connection.destroy();
  }
  for (const real of reals) {
    real.stop();
  }
  agent.destroy();
}
