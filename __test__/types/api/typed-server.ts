// The four type parameters of a server, and where each of them shows.

import { type BroadcastOperator, Namespace, type RemoteSocket, Server, Socket } from "socket.io";
import { type Equal, type Expect, expectType } from "../expect";
import type { ClientToServer, Profile, ServerToClient, ServerToServer } from "./maps";

type Io = Server<ClientToServer, ServerToClient, ServerToServer, Profile>;
type Nsp = Namespace<ClientToServer, ServerToClient, ServerToServer, Profile>;
type Peer = Socket<ClientToServer, ServerToClient, ServerToServer, Profile>;

const io: Io = new Server<ClientToServer, ServerToClient, ServerToServer, Profile>(3000);

export type Inherited = [
  // what is listened to is what is emitted, unless said otherwise
  Expect<Equal<Server<ClientToServer>, Server<ClientToServer, ClientToServer>>>,
  Expect<Equal<Socket<ClientToServer>, Socket<ClientToServer, ClientToServer>>>,
  Expect<Equal<Namespace<ClientToServer>, Namespace<ClientToServer, ClientToServer>>>,
];

expectType<Nsp>()(io.sockets);
expectType<Nsp>()(io.of("/orders"));
expectType<Nsp>()(io.of(/^\/room-\d+$/));
expectType<Nsp>()(io.of((name, auth, next) => next(null, name.length > 3 && auth["token"] === 1)));
expectType<Map<string, Peer>>()(io.sockets.sockets);
expectType<Io>()(io.sockets.server);
expectType<Promise<RemoteSocket<ServerToClient, Profile>[]>>()(io.fetchSockets());

io.of("/orders", (socket) => expectType<Peer>()(socket));
io.on("connect", (socket) => expectType<Peer>()(socket));
io.on("new_namespace", (nsp) => expectType<Nsp>()(nsp));
io.on("joined", (name) => expectType<string>()(name));
io.sockets.on("load", (since, answer) => {
  expectType<number>()(since);
  expectType<(percent: number) => void>()(answer);
});
// @ts-expect-error: namespaces are announced on the server only
io.sockets.on("new_namespace", () => {});
// @ts-expect-error: a server does not hear what clients send
io.on("say", () => {});

io.on("connection", (socket) => {
  expectType<Peer>()(socket);
  expectType<Profile>()(socket.data);
  expectType<string>()(socket.data.name);
  expectType<number | undefined>()(socket.data.age);
  socket.data = { name: "Ada" };
  // @ts-expect-error: not a profile
  socket.data = {};

  socket.on("say", (text, loud) => {
    expectType<string>()(text);
    expectType<boolean>()(loud);
  });
  socket.on("ask", (question, answer) => {
    expectType<string>()(question);
    answer("yes", true);
    // @ts-expect-error: the second value is missing
    answer("yes");
  });
  socket.once("maybe", (value, answer) => {
    expectType<number>()(value);
    answer?.(true);
    // @ts-expect-error: there may be no acknowledgement
    answer(true);
  });
  // @ts-expect-error: no such event
  socket.on("unknown", () => {});
  // @ts-expect-error: the listener takes what the event does not give
  socket.on("nothing", (value: string) => value);
  // Node's own methods are untyped
  socket.off("unknown", () => {});

  expectType<((text: string, loud: boolean) => void)[]>()(socket.listeners("say"));

  socket.emit("said", "Ada", "hello");
  // @ts-expect-error: a string is missing
  socket.emit("said", "Ada");
  // @ts-expect-error: not a string
  socket.emit("said", "Ada", 1);
  // @ts-expect-error: not sent by servers
  socket.emit("say", "hello", true);
  // @ts-expect-error: there is no event `message`
  socket.send("hello");
  // @ts-expect-error: there is no event `message`
  socket.write("hello");
});

io.emit("count", 1);
// @ts-expect-error: not a number
io.emit("count", "1");
// @ts-expect-error: no such event
io.emit("unknown");
// @ts-expect-error: there is no event `message`
io.send("hello");

io.serverSideEmit("joined", "Ada");
io.serverSideEmit("load", 1, (err, percents) => {
  expectType<Error>()(err);
  expectType<number[]>()(percents);
});
// @ts-expect-error: not told between servers
io.serverSideEmit("count", 1);
expectType<Promise<number[]>>()(io.serverSideEmitWithAck("load", 1));
expectType<Promise<number[]>>()(io.of("/x").serverSideEmitWithAck("load", 1));
// @ts-expect-error: asks for no acknowledgement
io.serverSideEmitWithAck("joined", "Ada");

const chat = new Server<{ message: (text: string, n: number) => void }>();
expectType<typeof chat>()(chat.send("hello", 1));
expectType<typeof chat>()(chat.write("hello", 1));
// @ts-expect-error: a number is missing
chat.send("hello");

declare const operator: BroadcastOperator<ServerToClient, Profile>;
operator.emit("count", 1);
async function everybody() {
  for (const socket of await operator.in("room").fetchSockets()) {
    expectType<RemoteSocket<ServerToClient, Profile>>()(socket);
    expectType<Profile>()(socket.data);
    expectType<Set<string>>()(socket.rooms);
    socket.emit("said", "Ada", "hello");
    socket.join(["a", "b"]);
    socket.leave("a");
    expectType<typeof socket>()(socket.disconnect(true));
    // @ts-expect-error: what was fetched is a copy
    socket.data = { name: "Bob" };
  }
}
everybody();
