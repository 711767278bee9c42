"use strict";

// Workers of node:cluster with @socket.io/cluster-adapter, behind @socket.io/sticky or ("shared") on a
// port that they share. The primary tells the test the port once each worker is there.

const cluster = require("node:cluster");
const http = require("node:http");
const { load } = require("./installed");

const WORKERS = 4;

const isShared = process.argv[2] === "shared";
const { setupMaster, setupWorker } = load("@socket.io/sticky");
const { createAdapter, setupPrimary } = load("@socket.io/cluster-adapter");

if (cluster.isPrimary) {
  const httpServer = http.createServer();
  if (!isShared) {
    setupMaster(httpServer, { loadBalancingMethod: "round-robin" });
  }
  setupPrimary();
  cluster.setupPrimary({ serialization: "advanced" });
  // sticky tells a worker of each request that is given up, whether the worker still is there or not:
  // without somebody who listens, one that was killed in the midst of such a request takes this process along.
  cluster.on("fork", (worker) => worker.on("error", () => {}));
  let ready = 0;
  cluster.on("message", (worker, message) => {
    if (message.ready && ++ready === WORKERS) {
      if (isShared) {
        process.send(message.port);
      } else {
        httpServer.listen(0, "127.0.0.1", () => process.send(httpServer.address().port));
      }
    }
  });
  for (let i = 0; i < WORKERS; i++) {
    cluster.fork();
  }
  // As pm2 does.
  cluster.on("exit", () => cluster.fork());
  // Workers that lose their primary end by themselves.
  process.on("disconnect", () => process.exit());
} else {
  // Node's primary goes on reading a connection until the worker has it, and drops what comes meanwhile: a
  // client over WebSocket that is quick loses its first packet, and has to try again.
  const httpServer = http.createServer();
  const io = new (load("socket.io").Server)(httpServer, { connectTimeout: 500 });
  // So that a worker that is gone is soon not waited for any more.
  io.adapter(createAdapter({ heartbeatInterval: 200, heartbeatTimeout: 2_000 }));
  if (isShared) {
    // All get the same.
    httpServer.listen(0, "127.0.0.1", () => tell(httpServer.address().port));
  } else {
    setupWorker(io);
    tell();
  }
  io.on("connection", (socket) => {
    socket.join("red");
    socket.on("worker", (answer) => answer(cluster.worker.id));
    socket.on("die", () => process.kill(process.pid, "SIGKILL"));
    socket.on("length", (text, answer) => answer(text.length));
    socket.on("tell", (...args) => socket.to("red").emit("told", ...args));
    socket.on("count", async (answer) => answer((await io.fetchSockets().catch(() => [])).length));
  });
}

function tell(port) {
  process.send({ ready: true, port });
}
