"use strict";

// A server on a worker thread, on Redis or with the cluster adapter; it tells its port, and then how many servers it knows of.

const http = require("node:http");
const { parentPort, workerData } = require("node:worker_threads");
const { load } = require("./installed");

const { kind, url } = workerData;

(async () => {
  const httpServer = http.createServer();
  const io = new (load("socket.io").Server)(httpServer, { adapter: await adapter() });
  io.on("connection", (socket) => {
    socket.on("count", async (answer) => answer(await io.of("/").adapter.serverCount()));
    socket.on("tell", (...args) => io.emit("told", ...args));
  });
  httpServer.listen(0, "127.0.0.1", () => parentPort.postMessage(httpServer.address().port));
})();

async function adapter() {
  if (kind === "native") {
    return load("socket.io/redis-adapter").createAdapter(url);
  }
  if (kind === "cluster") {
    return load("@socket.io/cluster-adapter").createAdapter();
  }
  const { Redis } = load("ioredis");
  return load("@socket.io/redis-adapter").createAdapter(new Redis(url), new Redis(url));
}
