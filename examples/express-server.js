"use strict";

// Express and Socket.IO on one HTTP server, open to pages of any origin. The browser's side is
// pages/client.html: open the printed URL, type a message and press Send.

const path = require("node:path");
const http = require("node:http");
const express = require("express");
const { Server } = require("ferrio");

const app = express();
const server = http.createServer(app);

const io = new Server(server, {
  cors: {
    origin: "*", // any page may connect; name your own origins in production
    methods: ["GET", "POST"],
  },
});

app.get("/", (req, res) => {
  res.send('The server is running! Try the <a href="/client.html">client page</a>.');
});
app.use(express.static(path.join(__dirname, "pages")));

io.on("connection", (socket) => {
  console.log("A user connected:", socket.id);

  socket.on("message", (data) => {
    console.log("Message received:", data);
    socket.emit("response", `Message received: ${data}`);
  });

  socket.on("disconnect", () => {
    console.log("A user disconnected:", socket.id);
  });
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Server is running on http://localhost:${server.address().port}`);
});
