"use strict";

// The four places where something can go wrong, and what to do in each.

const http = require("node:http");
const { Server } = require("ferrio");

const server = http.createServer();
const io = new Server(server);

// 1. The connection itself was refused: a bad request, an unknown session, a forbidden origin.
io.engine.on("connection_error", ({ code, message }) => {
  console.error(`Connection refused: ${message} (code ${code})`);
});

// 2. Your middleware refused the client, which gets a "connect_error" with this message.
io.use((socket, next) => {
  const version = Number(socket.handshake.auth.version ?? 1);
  next(version < 1 ? new Error("Please update the app") : undefined);
});

io.on("connection", (socket) => {
  // 3. A middleware for events refused one: it ends in the socket's "error" event below.
  socket.use(([event], next) => {
    next(event.startsWith("admin:") ? new Error(`"${event}" is not allowed`) : undefined);
  });

  socket.on("error", (err) => {
    console.error("Socket error:", err.message);
    socket.emit("error", err.message);
  });

  // 4. Your own handler failed. Catch it: nobody else can tell the client.
  socket.on("divide", async (a, b, callback) => {
    try {
      callback({ ok: true, result: await divide(a, b) });
    } catch (err) {
      callback({ ok: false, error: err.message });
    }
  });
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`);
});

async function divide(a, b) {
  if (b === 0) {
    throw new Error("Division by zero");
  }
  return a / b;
}
