// The same through the file that declares the class, as code for classic resolution does. Both
// ways in one program do not go together, with either package: hence two programs.

import { Server, Socket } from "socket.io";
import { expectType } from "../expect";

declare module "socket.io/dist/socket" {
  interface Socket {
    tenant: number;
  }
}

new Server().on("connection", (socket) => {
  expectType<number>()(socket.tenant);
  // @ts-expect-error: not a number
  socket.tenant = "1";
});

export function tenantOf(socket: Socket) {
  return socket.tenant.toFixed();
}
