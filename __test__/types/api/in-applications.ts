// Servers and sockets in the hands of application code: passed around, subclassed, extended.

import express from "express";
import { createServer } from "http";
import { Namespace, Server, type ServerOptions, Socket } from "socket.io";
import type { EventsMap } from "socket.io/dist/typed-events";
import { expectType } from "../expect";
import type { ClientToServer, Profile, ServerToClient, ServerToServer } from "./maps";

const app = express();
const httpServer = createServer(app);
const io = new Server<ClientToServer, ServerToClient, ServerToServer, Profile>(httpServer, {
  cors: { origin: "http://localhost:8080" },
});
app.get("/online", (_req, res) => {
  res.json({ online: io.engine.clientsCount });
});
io.engine.use(express.json());

// handlers by file
type Handler = (
  io: Server<ClientToServer, ServerToClient, ServerToServer, Profile>,
  socket: Socket<ClientToServer, ServerToClient, ServerToServer, Profile>,
) => void;
const chat: Handler = (server, socket) => {
  socket.on("say", (text) => server.to("lobby").emit("said", socket.data.name, text));
};
io.on("connection", (socket) => chat(io, socket));

// a class around a server
class Gateway {
  readonly server: Server;
  constructor(options: Partial<ServerOptions>) {
    this.server = new Server(options);
    this.server.on("connection", this.connected.bind(this));
  }
  private connected(socket: Socket): void {
    socket.emit("welcome", socket.id);
  }
  nsp(name: string): Namespace {
    return this.server.of(name);
  }
}
new Gateway({}).nsp("/x").emit("hello");

// a subclass
class Tracing extends Server {
  emitted = 0;
  override attach(...args: Parameters<Server["attach"]>) {
    return super.attach(...args);
  }
}
expectType<Tracing>()(new Tracing().use((_socket, next) => next()).listen(0));

// a function over all event maps
function listen<L extends EventsMap, E extends EventsMap>(
  server: Server<L, E>,
  connected: (socket: Socket<L, E>) => void,
) {
  server.on("connection", (socket) => connected(socket));
  return server;
}
listen(new Server<ClientToServer, ServerToClient>(), (socket) => {
  socket.on("say", (text) => expectType<string>()(text));
});

// symbols as names of events
const secret: unique symbol = Symbol("secret");
interface WithSymbol {
  [secret]: (n: number) => void;
}
new Server<WithSymbol>().on("connection", (socket) => {
  socket.on(secret, (n) => expectType<number>()(n));
});
