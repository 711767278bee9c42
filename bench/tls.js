"use strict";

// What TLS costs a server: CPU time a connection and an echoed event, for stock socket.io and ferrio on
// Node's https server, ferrio's native listener with TLS, and the same without.
//
//   node bench/tls.js [--clients 200] [--connections 1000] [--seconds 5] [--rounds 3]
//
// Clients are bare WebSockets in this process. Only the server's time is counted, of all its threads.

const { fork } = require("child_process");
const http = require("http");
const https = require("https");
const { parseArgs } = require("util");
const { WebSocket } = require("ws");
const { selfSigned } = require("../__test__/support/certificate");

/** The servers by name: each is made in a process of its own. */
const SERVERS = {
  "socket.io, https": (pem) => attached("socket.io", https.createServer(pem)),
  "ferrio, https": (pem) => attached("..", https.createServer(pem)),
  "ferrio, native TLS": (pem) => opened({ tls: pem }),
  "ferrio, native, plain": () => opened({}),
  "socket.io, plain": () => attached("socket.io", http.createServer()),
};
const AT_ONCE = 50;
const PAYLOAD = "x".repeat(64);

if (process.send) {
  serve();
} else {
  main();
}

/** In the server's process. */
function serve() {
  process.once("message", ({ name, pem }) => {
    const io = SERVERS[name](pem);
    io.on("connection", (socket) => socket.on("e", (value) => socket.emit("e", value)));
    const { httpServer } = io;
    httpServer.on("listening", () => process.send({ port: httpServer.address().port }));
    process.on("message", () => {
      const { user, system } = process.cpuUsage();
      process.send({ cpu: user + system });
    });
    process.on("disconnect", () => process.exit());
  });
}

function attached(name, httpServer) {
  const { Server } = require(name);
  const io = new Server(httpServer);
  httpServer.listen(0, "127.0.0.1");
  return io;
}

function opened(options) {
  const { Server } = require("..");
  return new Server().listen({ port: 0, host: "127.0.0.1" }, options);
}

async function main() {
  const { values } = parseArgs({
    options: {
      clients: { type: "string", default: "200" },
      connections: { type: "string", default: "1000" },
      seconds: { type: "string", default: "5" },
      rounds: { type: "string", default: "3" },
    },
  });
  const pem = Object.fromEntries(
    Object.entries(selfSigned()).map(([name, bytes]) => [name, String(bytes)]),
  );
  console.log("| server | CPU µs a connection | CPU µs an echo | echoes/s |\n|---|---|---|---|");
  for (const name of Object.keys(SERVERS)) {
    const rounds = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      rounds.push(await measure(name, pem, values));
    }
    const columns = rounds[0].map((_, i) => {
      const column = rounds.map((row) => row[i]).sort((a, b) => a - b);
      return `${column[column.length >> 1].toFixed(1)} (${column[0].toFixed(1)} to ${column.at(-1).toFixed(1)})`;
    });
    console.log(`| ${name} | ${columns.join(" | ")} |`);
  }
}

async function measure(name, pem, { clients, connections, seconds }) {
  const child = fork(__filename);
  const answer = () => new Promise((resolve) => child.once("message", resolve));
  const cpu = async () => {
    child.send("usage");
    return (await answer()).cpu;
  };
  child.send({ name, pem });
  const { port } = await answer();
  const scheme = name.endsWith("plain") ? "ws" : "wss";
  const url = `${scheme}://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`;
  try {
    await connectAll(url, AT_ONCE, (ws) => ws.terminate());
    const atFirst = await cpu();
    await connectAll(url, Number(connections), (ws) => ws.terminate());
    const connected = await cpu();
    let echoes = 0;
    const message = `42["e","${PAYLOAD}"]`;
    const sockets = await connectAll(url, Number(clients), (ws) => {
      ws.on("message", () => {
        echoes++;
        ws.send(message);
      });
      ws.send(message);
    });
    await pause(1000);
    const [before, from, start] = [await cpu(), echoes, performance.now()];
    await pause(Number(seconds) * 1000);
    const [after, to, end] = [await cpu(), echoes, performance.now()];
    sockets.forEach((ws) => ws.terminate());
    return [
      (connected - atFirst) / Number(connections),
      (after - before) / (to - from),
      ((to - from) / (end - start)) * 1000,
    ];
  } finally {
    child.kill();
  }
}

/** Opens connections, some at once, and joins the main namespace with each. */
async function connectAll(url, count, whenJoined) {
  const sockets = [];
  const worker = async () => {
    while (sockets.length < count) {
      const ws = new WebSocket(url, { rejectUnauthorized: false, perMessageDeflate: false });
      sockets.push(ws);
      await new Promise((resolve, reject) => {
        ws.once("error", reject);
        ws.once("open", () => ws.send("40"));
        ws.on("message", function joined(data) {
          if (String(data).startsWith("40")) {
            ws.off("message", joined);
            resolve();
          }
        });
      });
      whenJoined(ws);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return sockets;
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
