"use strict";

// A socket that goes away: "disconnecting" still knows its rooms, "disconnect" is the place to
// clean up. The reason tells a goodbye from a lost connection.

const http = require("node:http");
const { Server } = require("ferrio");

const server = http.createServer();
const io = new Server(server);

const names = new Map(); // socket id -> name

io.on("connection", (socket) => {
  names.set(socket.id, socket.handshake.auth.name ?? "somebody");
  socket.join("lobby");

  socket.on("disconnecting", (reason) => {
    for (const room of socket.rooms) {
      if (room !== socket.id) {
        socket.to(room).emit("user:left", { name: names.get(socket.id), room, reason });
      }
    }
  });

  socket.on("disconnect", (reason) => {
    console.log(`User disconnected: ${socket.id} (${reason})`);
    names.delete(socket.id);
    io.emit("online", [...names.values()]);
  });

  // The server can end it, too.
  socket.on("log out", () => socket.disconnect());
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`);
});
