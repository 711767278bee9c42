"use strict";

// Rooms are groups of sockets that only the server knows. A socket joins and leaves as the
// server decides; it leaves all its rooms by itself when it disconnects.

const http = require("node:http");
const { Server } = require("ferrio");

const server = http.createServer();
const io = new Server(server);

io.on("connection", (socket) => {
  socket.on("join", (room, callback) => {
    socket.join(room);
    callback([...socket.rooms].filter((name) => name !== socket.id));
  });

  socket.on("leave", (room, callback) => {
    socket.leave(room);
    callback([...socket.rooms].filter((name) => name !== socket.id));
  });

  socket.on("greet", (room) => {
    io.to(room).emit("message", `Hello to ${room}`); // everybody in the room
  });

  socket.on("whisper", (room, text) => {
    socket.to(room).emit("message", text); // everybody in the room but the sender
  });

  socket.on("greet all but", (room) => {
    io.except(room).emit("message", `Hello to all outside of ${room}`);
  });

  socket.on("who", async (room, callback) => {
    const sockets = await io.in(room).fetchSockets();
    callback(sockets.map(({ id }) => id));
  });
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`);
});
