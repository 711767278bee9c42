"use strict";

// Whatever a client sends can be anything: check it before you use it, and check that there is
// a callback before you call it.

const http = require("node:http");
const { Server } = require("ferrio");

const server = http.createServer();
const io = new Server(server, {
  maxHttpBufferSize: 100_000, // bytes: a larger message ends the connection
});

io.on("connection", (socket) => {
  socket.on("send-message", (data) => {
    if (typeof data?.message !== "string" || data.message.trim() === "") {
      socket.emit("error", "Invalid message format");
      return;
    }
    io.emit("new-message", { message: data.message.trim() });
  });

  // The same with an acknowledgement, which tells the sender what came of it.
  socket.on("set-age", (age, callback) => {
    if (typeof callback !== "function") {
      return;
    }
    if (!Number.isInteger(age) || age < 0 || age > 150) {
      callback({ ok: false, error: "Age must be a whole number from 0 to 150" });
      return;
    }
    socket.data.age = age;
    callback({ ok: true, age });
  });
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`);
});
