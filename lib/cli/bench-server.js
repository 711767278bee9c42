"use strict";

// The application of `npx ferrio bench`, on the package that the first argument names.

const http = require("http");
const { Server } = require(process.argv[2]);

const server = http.createServer();
const io = new Server(server, { serveClient: false });
io.on("connection", (socket) => {
  socket.on("echo", (value, answer) => answer(value));
  socket.on("all", (value) => io.emit("all", value));
});

process.on("message", (/** @type {any} */ { usage }) => {
  if (usage) {
    const { user, system } = process.cpuUsage();
    process.send({ cpuUs: user + system });
  } else {
    server.listen(0, "127.0.0.1", () => process.send({ port: server.address()["port"] }));
  }
});
process.on("disconnect", () => process.exit());
