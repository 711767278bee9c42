"use strict";

// Namespaces split an application into channels that share one connection but have their own
// handlers, rooms and middleware. The client's side is namespaces-client.js.

const http = require("node:http");
const { Server } = require("ferrio");

const server = http.createServer();
const io = new Server(server);

const chatNamespace = io.of("/chat");
chatNamespace.on("connection", (socket) => {
  console.log("User connected to /chat namespace");
  socket.on("message", (text) => {
    chatNamespace.emit("message", text); // only those in /chat get it
  });
});

const notifications = io.of("/notifications");
notifications.on("connection", (socket) => {
  console.log("User connected to /notifications namespace");
  socket.on("notify", (text) => {
    notifications.emit("notification", { text });
  });
});

// A whole family of namespaces: /tenant-1, /tenant-2, ...
io.of(/^\/tenant-\d+$/).on("connection", (socket) => {
  socket.emit("welcome", socket.nsp.name);
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`);
});
