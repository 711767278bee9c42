// Applications add members of their own to sockets, servers and requests.

import { Server, Socket } from "socket.io";
import { expectType } from "../expect";

declare module "socket.io" {
  interface Socket {
    user: string;
  }
  interface Server {
    startedAt: Date;
  }
  interface Namespace {
    topic?: string;
  }
}

declare module "http" {
  interface IncomingMessage {
    session: { visits: number };
  }
}

const io = new Server<{ say: (text: string) => void }>();
expectType<Date>()(io.startedAt);
expectType<string | undefined>()(io.of("/").topic);

io.use((socket, next) => {
  socket.user = "Ada";
  expectType<{ visits: number }>()(socket.request.session);
  next();
});

io.on("connection", (socket) => {
  expectType<string>()(socket.user);
  expectType<string>()(socket.timeout(1).user);
  expectType<number>()(socket.request.session.visits);
  expectType<number>()(socket.client.request.session.visits);
  // @ts-expect-error: not a string
  socket.user = 1;
});

function greet(socket: Socket) {
  return socket.user.toUpperCase();
}
io.on("connection", greet);
