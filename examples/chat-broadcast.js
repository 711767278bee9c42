"use strict";

// The smallest chat: whatever one client sends goes to everybody, the sender included.
// examples/chat is the grown-up version.

const express = require("express");
const http = require("node:http");
const { Server } = require("ferrio");

const app = express();
const server = http.createServer(app);
const io = new Server(server);

io.on("connection", (socket) => {
  console.log("User connected");

  socket.on("chat message", (msg) => {
    console.log(`Message received: ${msg}`);
    io.emit("chat message", msg);
  });

  socket.on("disconnect", () => {
    console.log("User disconnected");
  });
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Server running on http://localhost:${server.address().port}`);
});
