// CommonJS without TypeScript, but with checks.
"use strict";

const { Server } = require("socket.io");

/** @type {import("socket.io").Server} */
const io = new Server();

io.on("connection", (socket) => {
  socket.emit("hello", socket.id.length);
  // @ts-expect-error: nothing of that name
  socket.nothingOfThatName();
});

module.exports = io;
