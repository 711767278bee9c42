"use strict";

// The server pings every client and drops those that stop answering. Nothing has to be written
// for it; this shows how to set it and where to watch it.

const http = require("node:http");
const { Server } = require("ferrio");

const server = http.createServer();
const io = new Server(server, {
  pingInterval: Number(process.env.PING_INTERVAL ?? 25_000), // ms between two pings
  pingTimeout: 20_000, // ms to wait for the answer
});

io.on("connection", (socket) => {
  socket.conn.on("heartbeat", () => {
    console.log(`${socket.id} is alive`);
    socket.emit("alive", { transport: socket.conn.transport.name });
  });

  socket.on("disconnect", (reason) => {
    console.log(`${socket.id} is gone: ${reason}`); // "ping timeout" if it fell silent
  });
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`);
});
