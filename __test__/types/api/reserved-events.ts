// The events that the library emits by itself.

import { type DisconnectReason, type ExtendedError, Server } from "socket.io";
import { type Equal, type Expect, expectType } from "../expect";
import type { ClientToServer } from "./maps";

export type Reasons = Expect<
  Equal<
    DisconnectReason,
    | "transport error"
    | "transport close"
    | "forced close"
    | "ping timeout"
    | "parse error"
    | "server shutting down"
    | "forced server close"
    | "client namespace disconnect"
    | "server namespace disconnect"
  >
>;

const io = new Server<ClientToServer>();

io.on("connection", (socket) => {
  for (const name of ["disconnect", "disconnecting"] as const) {
    socket.on(name, (reason) => expectType<DisconnectReason>()(reason));
  }
  socket.on("disconnecting", (reason, description) => {
    expectType<DisconnectReason>()(reason);
    expectType<any>()(description);
    if (reason === "ping timeout") return;
    // @ts-expect-error: no such reason
    if (reason === "bored") return;
  });
  socket.once("error", (err) => expectType<Error>()(err));
  // @ts-expect-error: the reason is text
  socket.on("disconnect", (reason: number) => reason);
  // @ts-expect-error: reserved events cannot be emitted
  socket.emit("disconnect", "ping timeout");
  // @ts-expect-error: for subclasses only
  socket.emitReserved("error", new Error());
  // @ts-expect-error: for subclasses only
  socket.emitUntyped("error");

  // a listener that is declared elsewhere, with the type by name
  const left = (reason: DisconnectReason, description?: unknown) => [reason, description];
  socket.on("disconnect", left);
});

// an application's event of a reserved name: the reserved signature wins
interface Clash {
  disconnect: (n: number) => void;
}
new Server<Clash>().on("connection", (socket) => {
  socket.on("disconnect", (reason) => expectType<DisconnectReason>()(reason));
});

io.use((socket, next) => {
  const err: ExtendedError = new Error(socket.id);
  err.data = { any: "thing" };
  next(err);
  next();
  // @ts-expect-error: not an error
  next("no");
});
expectType<typeof io>()(io.use(() => {}));
expectType<typeof io.sockets>()(io.sockets.use(async (_socket, next) => next()));
