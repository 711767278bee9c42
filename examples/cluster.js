"use strict";

// One process per CPU core behind one port (node:cluster), joined by the Redis adapter.
// WebSocket only: the requests of a polling client would land on different processes.

const cluster = require("node:cluster");
const http = require("node:http");
const os = require("node:os");
const { createAdapter } = require("@socket.io/redis-adapter");
const Redis = require("ioredis");
const { Server } = require("ferrio");

if (cluster.isPrimary) {
  startWorkers(Number(process.env.WORKERS ?? os.availableParallelism()));
} else {
  startServer();
}

function startWorkers(count) {
  let listening = 0;
  cluster.on("listening", (worker, { port }) => {
    listening += 1;
    if (listening === count) {
      console.log(`${count} workers are listening on http://localhost:${port}`);
    }
  });
  for (let i = 0; i < count; i++) {
    cluster.fork();
  }
}

function startServer() {
  const pubClient = new Redis(process.env.REDIS_URL ?? "redis://localhost:6379");
  const subClient = pubClient.duplicate();
  for (const client of [pubClient, subClient]) {
    client.on("error", (err) => console.error("Redis:", err.message));
  }

  const server = http.createServer();
  const io = new Server(server, {
    transports: ["websocket"],
    adapter: createAdapter(pubClient, subClient),
  });

  io.on("connection", (socket) => {
    socket.emit("worker", process.pid);
    socket.on("say", (text) => io.emit("message", text)); // to the clients of all workers
    socket.on("online", async (callback) => callback((await io.fetchSockets()).length));
  });

  server.listen(process.env.PORT ?? 3000);
}
