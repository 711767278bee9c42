"use strict";

// The chat's server: serves the page with Express and wires events to the rooms.
// What a room is lives in rooms.js, what clients may send in requests.js.

const http = require("node:http");
const path = require("node:path");
const express = require("express");
const { Server } = require("ferrio");
const { Limiter, RequestError, parse } = require("./requests");
const { Rooms } = require("./rooms");

const app = express();
const server = http.createServer(app);
const io = new Server(server, { maxHttpBufferSize: 64 * 1024 });
const rooms = new Rooms([
  { name: "lobby", topic: "Say hello, everybody starts here" },
  { name: "music", topic: "What are you listening to?" },
  { name: "coffee-break", topic: "Anything but work" },
]);

app.disable("x-powered-by");
app.use((req, res, next) => {
  res.set("Content-Security-Policy", "default-src 'self'; connect-src 'self' ws: wss:");
  next();
});
app.use(express.static(path.join(__dirname, "public")));

io.use((socket, next) => {
  try {
    const user = parse.user(socket.handshake.auth);
    if (isTaken(user)) {
      throw new RequestError(`Somebody called ${user.name} is here already`);
    }
    socket.data.user = user;
    next();
  } catch (error) {
    // The page tells a refusal from a network fault by this mark.
    next(Object.assign(new Error(describe(error)), { data: { refused: true } }));
  }
});

io.on("connection", (socket) => {
  const { user } = socket.data;
  const messages = new Limiter({ burst: 8, perSecond: 1 });
  const notices = new Limiter({ burst: 20, perSecond: 4 });
  socket.emit("welcome", { user, rooms: rooms.list() });

  answer(socket, "room:enter", (request) => {
    notices.take();
    const room = rooms.open(parse.room(request));
    socket.join(channel(room));
    if (room.enter(user, socket.id)) {
      socket.to(channel(room)).emit("room:entered", { room: room.name, user });
      announceRooms();
    }
    return { room: room.describe() };
  });

  answer(socket, "room:leave", (request) => {
    const room = rooms.entered(parse.room(request), socket.id);
    socket.leave(channel(room));
    leave(room);
  });

  answer(socket, "message", (request) => {
    const room = rooms.entered(parse.room(request), socket.id);
    const { text, nonce } = parse.message(request);
    const known = room.find(user.id, nonce);
    if (known) {
      return { message: known }; // sent again because our first answer was lost
    }
    messages.take();
    const message = room.add({ user, text, nonce });
    socket.to(channel(room)).emit("message", message);
    return { message };
  });

  answer(socket, "typing", (request) => {
    notices.take();
    const room = rooms.entered(parse.room(request), socket.id);
    const typing = request.typing === true;
    // Nobody misses a typing notice that a slow client did not get.
    socket.to(channel(room)).volatile.emit("typing", { room: room.name, user, typing });
  });

  socket.on("disconnect", (reason) => {
    if (reason === "server shutting down") {
      return; // everybody is about to come back: nobody has left
    }
    for (const room of rooms.enteredBy(socket.id)) {
      leave(room);
    }
  });

  function leave(room) {
    if (room.leave(user.id, socket.id)) {
      io.to(channel(room)).emit("room:left", { room: room.name, user });
      rooms.tidy(room);
      announceRooms();
    }
  }
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`The chat is open at http://localhost:${server.address().port}`);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => io.close());
}

/** Runs the handler and tells the client what came of it: `{ ok, error?, ...result }`. */
function answer(socket, event, handler) {
  socket.on(event, (request, callback) => {
    const reply = typeof callback === "function" ? callback : () => {};
    try {
      reply({ ok: true, ...handler(request) });
    } catch (error) {
      reply({ ok: false, error: describe(error) });
    }
  });
}

/** What a client may know about an error; anything unexpected stays in our own log. */
function describe(error) {
  if (error instanceof RequestError) {
    return error.message;
  }
  console.error(error);
  return "Something went wrong on the server";
}

/** True when another person uses the name; one person may have several connections. */
function isTaken({ id, name }) {
  const key = name.toLowerCase();
  return [...io.sockets.sockets.values()].some(({ data: { user } }) => {
    return user.id !== id && user.name.toLowerCase() === key;
  });
}

function announceRooms() {
  io.emit("rooms", rooms.list());
}

/** The Socket.IO room of a chat room; the prefix keeps it apart from the sockets' own rooms. */
function channel(room) {
  return `chat:${room.name}`;
}
