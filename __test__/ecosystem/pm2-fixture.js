"use strict";

// A worker of @socket.io/pm2, which brings the balancer and the primary side of the cluster adapter.

const http = require("node:http");
const { createRequire } = require("node:module");
const { load } = require("./installed");

const { createAdapter } = load("@socket.io/cluster-adapter");
// That of the version which pm2 has in its primary.
const { setupWorker } = createRequire(load.resolve("@socket.io/pm2"))("@socket.io/sticky");

// As in cluster-fixture.js: the primary may drop the first packet of a client.
const io = new (load("socket.io").Server)(http.createServer(), { connectTimeout: 500 });
// So that a worker that is gone is soon not waited for any more.
io.adapter(createAdapter({ heartbeatInterval: 200, heartbeatTimeout: 2_000 }));
setupWorker(io);
io.on("connection", (socket) => {
  socket.on("worker", (answer) => answer(process.pid));
  socket.on("tell", (...args) => socket.broadcast.emit("told", ...args));
  socket.on("count", async (answer) => answer((await io.fetchSockets().catch(() => [])).length));
});
// pm2 takes it into service, and goes on with the next one.
process.send("ready");
