"use strict";

// The server of stuck.js: broadcasts at a steady rate and says what it has cost.

const fs = require("fs");
const http = require("http");

const order = JSON.parse(process.argv[2]);
const { Server } = require(order.library === "ferrio" ? "../.." : "socket.io");

const TICK_MS = 10;
const padding = "x".repeat(order.bytes);
/** Of the stuck ones: how many are here, and why the others are not. */
let connected = 0;
const left = {};

const httpServer = http.createServer();
const io = new Server(httpServer, { serveClient: false, ...order.options });

io.on("connection", (socket) => {
  if (socket.handshake.query.name !== "stuck") {
    return;
  }
  connected++;
  socket.on("disconnect", (reason, details) => {
    connected--;
    const why = details?.description;
    const text = typeof why === "string" ? `${reason} (${why})` : reason;
    left[text] = (left[text] ?? 0) + 1;
  });
});

process.on("disconnect", () => process.exit(1));
process.on("message", async ({ ask }) => {
  if (ask === "go") {
    await broadcast();
  }
  process.send({ answer: ask, ...used(), connected, left });
});

httpServer.listen(0, "127.0.0.1", () => {
  process.send({ answer: "ready", port: httpServer.address().port });
});

/** What is late is made up for, so that all servers have the same to do in the same time. */
function broadcast() {
  const began = performance.now();
  let sent = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = ((performance.now() - began) / 1_000) * order.rate;
      for (; sent < Math.min(due, order.messages); sent++) {
        io.emit("message", sent, performance.timeOrigin + performance.now(), padding);
      }
      if (sent === order.messages) {
        clearInterval(timer);
        resolve();
      }
    }, TICK_MS);
  });
}

/** The most memory this process had, what it has, and what the kernel keeps for all sockets. */
function used() {
  const status = fs.readFileSync("/proc/self/status", "utf8");
  const pages = /TCP:.* mem (\d+)/.exec(fs.readFileSync("/proc/net/sockstat", "utf8"));
  return {
    peak: 1_024 * Number(/VmHWM:\s+(\d+)/.exec(status)[1]),
    rss: process.memoryUsage.rss(),
    kernel: 4_096 * Number(pages?.[1] ?? 0),
  };
}
