// An ES module that imports the package.

import { Namespace, Server, Socket } from "socket.io";
import type { DisconnectReason } from "socket.io";

export const io = new Server();
io.on("connection", (socket: Socket) => {
  const nsp: Namespace = socket.nsp;
  socket.on("disconnect", (reason: DisconnectReason) => [nsp.name, reason]);
});
