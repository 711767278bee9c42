"use strict";

// Volatile events are dropped when a client cannot take them right now. That suits what is out of
// date a moment later (a position); what must arrive (a score) is sent the ordinary way.

const http = require("node:http");
const { Server } = require("ferrio");

const server = http.createServer();
const io = new Server(server);

let tick = 0;
setInterval(() => {
  tick += 1;
  io.volatile.emit("position", { tick, x: Math.cos(tick / 20), y: Math.sin(tick / 20) });
}, 50);

io.on("connection", (socket) => {
  socket.on("cursor", (position) => {
    socket.broadcast.volatile.emit("cursor", { id: socket.id, ...position });
  });

  socket.on("score", (points) => {
    io.emit("score", { id: socket.id, points });
  });
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`);
});
