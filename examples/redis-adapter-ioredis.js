"use strict";

// The same as redis-adapter.js with the ioredis client, which connects by itself.

const http = require("node:http");
const { createAdapter } = require("@socket.io/redis-adapter");
const Redis = require("ioredis");
const { Server } = require("ferrio");

const pubClient = new Redis(process.env.REDIS_URL ?? "redis://localhost:6379");
const subClient = pubClient.duplicate();
for (const client of [pubClient, subClient]) {
  client.on("error", (err) => console.error("Redis:", err.message));
}

const server = http.createServer();
const io = new Server(server, { adapter: createAdapter(pubClient, subClient) });

io.on("connection", (socket) => {
  socket.on("join", (room, callback) => {
    socket.join(room);
    callback();
  });

  // Reaches the members of the room on every server.
  socket.on("say", (room, text) => {
    io.to(room).emit("message", text);
  });

  socket.on("online", async (callback) => {
    const sockets = await io.fetchSockets();
    callback(sockets.length);
  });
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`);
});
