"use strict";

// The load of `npx ferrio bench`: WebSocket clients that speak the protocol by hand,
// since whole Socket.IO clients would be slower than what they measure.

// ws comes with engine.io.
const { WebSocket } = require(require.resolve("ws", { paths: [require.resolve("engine.io")] }));

const PAYLOAD = "x".repeat(64);
/** The packets that a client sends, before the handshake and in each scenario. */
const CONNECT = "40";
const ECHO = `421["echo","${PAYLOAD}"]`;
const ECHO_ANSWER = `431["${PAYLOAD}"]`;
const ALL = `42["all","${PAYLOAD}"]`;

const sockets = [];
let operations = 0;
let running = false;
let kind = "echo";
/** Deliveries of the broadcast under way that are still to come. */
let missing = 0;

async function connect({ port, clients, kind: wanted }) {
  kind = wanted;
  while (sockets.length < clients) {
    sockets.push(await open(port));
  }
}

function open(port) {
  return new Promise((resolve, reject) => {
    const url = `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`;
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.once("error", reject);
    socket.on("message", (data) => {
      const text = data.toString();
      if (text === "2") {
        socket.send("3");
      } else if (text.startsWith("0{")) {
        socket.send(CONNECT);
      } else if (text.startsWith("40")) {
        resolve(socket);
      } else {
        onMessage(socket, text);
      }
    });
  });
}

function onMessage(socket, text) {
  if (kind === "echo") {
    if (text !== ECHO_ANSWER) {
      throw new Error(`an answer that nobody expected: ${text}`);
    }
    operations++;
    if (running) {
      socket.send(ECHO);
    }
    return;
  }
  operations++;
  if (--missing === 0 && running) {
    broadcast();
  }
}

function broadcast() {
  missing = sockets.length;
  sockets[0].send(ALL);
}

/** Loads the server for that many seconds. */
function run(seconds) {
  return new Promise((resolve) => {
    operations = 0;
    const start = () => (kind === "echo" ? sockets.forEach((one) => one.send(ECHO)) : broadcast());
    running = true;
    start();
    setTimeout(() => {
      running = false;
      resolve({ operations });
    }, seconds * 1000);
  });
}

process.on("message", async (/** @type {any} */ order) => {
  if (order.run === undefined) {
    await connect(order);
    process.send({});
  } else {
    process.send(await run(order.run));
  }
});
process.on("disconnect", () => process.exit());
