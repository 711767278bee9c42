"use strict";

// A plain WebSocket server (the `ws` package) and Socket.IO on one HTTP server and port: `ws`
// takes the upgrades of its own path and leaves all the others alone.

const http = require("node:http");
const { WebSocketServer } = require("ws");
const { Server } = require("ferrio");

const server = http.createServer((req, res) => res.end("Hello over HTTP\n"));

const io = new Server(server);
io.on("connection", (socket) => {
  socket.on("message", (text) => socket.emit("message", `Socket.IO: ${text}`));
});

const webSocketServer = new WebSocketServer({ noServer: true });
webSocketServer.on("connection", (webSocket) => {
  console.log("Client connected");

  webSocket.on("message", (message) => {
    console.log(`Received: ${message}`);
    webSocket.send(`Server: ${message}`);
  });

  webSocket.on("close", () => {
    console.log("Client disconnected");
  });
});

server.on("upgrade", (req, socket, head) => {
  if (new URL(req.url, "http://localhost").pathname === "/ws") {
    webSocketServer.handleUpgrade(req, socket, head, (webSocket) => {
      webSocketServer.emit("connection", webSocket, req);
    });
  }
});

server.listen(process.env.PORT ?? 3000, () => {
  const { port } = server.address();
  console.log(`Socket.IO on http://localhost:${port}, ws on ws://localhost:${port}/ws`);
});
