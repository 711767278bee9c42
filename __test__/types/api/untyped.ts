// Without type arguments every event goes, with any arguments.

import { createServer } from "http";
import { type DefaultEventsMap, type DisconnectReason, Namespace, Server, Socket } from "socket.io";
import { type Equal, type Expect, expectType } from "../expect";

const io = new Server(createServer());

export type Defaults = [
  Expect<Equal<Server, Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, any>>>,
  Expect<Equal<Socket, Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, any>>>,
  Expect<Equal<Namespace, Namespace<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, any>>>,
];

io.on("connection", (socket) => {
  expectType<Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, any>>()(socket);
  expectType<string>()(socket.id);
  expectType<any>()(socket.data);
  expectType<Set<string>>()(socket.rooms);

  socket.on("anything", (first, ...rest) => {
    expectType<any>()(first);
    expectType<any[]>()(rest);
  });
  socket.once("anything", async (value) => value);
  socket.on("disconnect", (reason, description) => {
    expectType<DisconnectReason>()(reason);
    expectType<any>()(description);
  });

  expectType<boolean>()(socket.emit("anything", 1, "2", { three: 3 }));
  socket.emit("anything", (answer: any) => answer);
  expectType<Promise<any>>()(socket.emitWithAck("anything", 1));
  socket.send("hello", 1).write("hello").compress(false).volatile.emit("x");
  socket.timeout(10).emit("anything", 1, (err: Error, value: any) => [err, value]);
  socket.to("room").except(["a", "b"]).volatile.local.emit("anything", 1);
  socket.broadcast.emit("anything");
  socket.data.any.thing = 1;

  // @ts-expect-error: rooms are named by strings
  socket.join(1);
  // @ts-expect-error: events are named by strings
  socket.emit(1);
});

io.on("anything", (value) => expectType<any>()(value));
io.emit("anything", 1, 2, 3);
io.emit("anything", (err: Error, responses: any[]) => [err, responses]);
io.send("hello").write("hello").of("/").send("hello").write("hello");
io.serverSideEmit("anything", 1);
expectType<Promise<any[]>>()(io.serverSideEmitWithAck("anything", 1));
expectType<Promise<any>>()(io.timeout(10).emitWithAck("anything", 1));
expectType<Promise<Set<string>>>()(io.allSockets());

// @ts-expect-error: nothing of that name
io.nothingOfThatName();
