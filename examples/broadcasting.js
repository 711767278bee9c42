"use strict";

// Who gets what: the others, everybody, or one socket.

const http = require("node:http");
const { Server } = require("ferrio");

const server = http.createServer();
const io = new Server(server);

io.on("connection", (socket) => {
  // Everybody except this socket.
  socket.broadcast.emit("announcement", "A new user has joined!");

  // Everybody, this socket included.
  io.emit("online", io.engine.clientsCount);

  // One socket: each has a room of its own, named after its id.
  socket.on("private message", (id, text) => {
    io.to(id).emit("private message", { from: socket.id, text });
  });
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`);
});
