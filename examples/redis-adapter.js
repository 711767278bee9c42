"use strict";

// Several servers as one: the Redis adapter carries broadcasts between them.
// Start this twice with different PORTs and one Redis (REDIS_URL, by default on port 6379).

const http = require("node:http");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");
const { Server } = require("ferrio");

main();

async function main() {
  const pubClient = createClient({ url: process.env.REDIS_URL ?? "redis://localhost:6379" });
  const subClient = pubClient.duplicate();
  for (const client of [pubClient, subClient]) {
    client.on("error", (err) => console.error("Redis:", err.message));
  }
  await Promise.all([pubClient.connect(), subClient.connect()]);

  const server = http.createServer();
  const io = new Server(server);
  io.adapter(createAdapter(pubClient, subClient));

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
}
