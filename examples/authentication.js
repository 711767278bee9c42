"use strict";

// Token authentication in a middleware: who has no valid token is never connected.
// The client sends its token with io(url, { auth: { token: "..." } }).

const http = require("node:http");
const { Server } = require("ferrio");

const server = http.createServer();
const io = new Server(server);

// Stands for a look-up in your database or the verification of a signed token.
const USERS = new Map([["valid_token", { name: "Skyy" }]]);

io.use((socket, next) => {
  const { token } = socket.handshake.auth;
  const user = USERS.get(token);
  if (user) {
    socket.data.user = user;
    next();
  } else {
    const error = new Error("Authentication failed");
    error.data = { retry: false }; // reaches the client as error.data
    next(error);
  }
});

io.on("connection", (socket) => {
  const { name } = socket.data.user;
  console.log(`${name} is in`);
  socket.emit("welcome", `Welcome, ${name}!`);
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`);
});
