"use strict";

// Events are yours to name. This shows a plain event, one that the server answers
// (an acknowledgement), one that the client must answer, and consistent names ("user:joined").

const http = require("node:http");
const { Server } = require("ferrio");

const server = http.createServer();
const io = new Server(server);

io.on("connection", (socket) => {
  socket.on("myCustomEvent", (data) => {
    console.log(data);
    socket.emit("myCustomEvent", { message: `Hello, you said: ${data.message}` });
  });

  // The last argument is a function when the client wants an answer.
  socket.on("user:join", ({ username }, callback) => {
    socket.broadcast.emit("user:joined", { username });
    callback({ ok: true, online: io.engine.clientsCount });
  });

  // Binary data needs no preparation; it can be anywhere inside an argument, or an answer.
  socket.on("file:upload", ({ name, content }, callback) => {
    callback({ name, bytes: content.length, start: content.subarray(0, 4) });
  });

  socket.on("quiz:start", async () => {
    try {
      const answer = await socket.timeout(5000).emitWithAck("quiz:question", "What is 6 x 7?");
      socket.emit("quiz:result", answer === 42 ? "right" : "wrong");
    } catch {
      socket.emit("quiz:result", "too late");
    }
  });
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`);
});
