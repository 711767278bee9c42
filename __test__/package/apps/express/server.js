"use strict";

const express = require("express");
const http = require("http");
const { Server } = require(process.env.PACKAGE || "ferrio");

const app = express();
const server = http.createServer(app);
const io = new Server(server);

app.get("/", (req, res) => res.send("hello from express"));
io.on("connection", (socket) => {
  socket.on("echo", (value, answer) => answer(value));
  socket.on("binary", (data, answer) => answer(Buffer.from(data).reverse()));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
