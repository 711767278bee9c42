// What the members of a socket take and return.

import type { IncomingHttpHeaders, IncomingMessage } from "http";
import type { ParsedUrlQuery } from "querystring";
import { type Event, Server, Socket } from "socket.io";
import { expectType } from "../expect";

new Server().on("connection", (socket) => {
  expectType<boolean>()(socket.connected);
  expectType<boolean>()(socket.disconnected);
  expectType<boolean>()(socket.recovered);
  expectType<IncomingMessage>()(socket.request);
  expectType<IncomingHttpHeaders>()(socket.handshake.headers);
  expectType<ParsedUrlQuery>()(socket.handshake.query);
  expectType<string>()(socket.handshake.time);
  expectType<string>()(socket.handshake.address);
  expectType<string>()(socket.handshake.url);
  expectType<number>()(socket.handshake.issued);
  expectType<boolean>()(socket.handshake.secure);
  expectType<boolean>()(socket.handshake.xdomain);
  expectType<{ [key: string]: any }>()(socket.handshake.auth);

  expectType<Promise<void> | void>()(socket.join("a"));
  expectType<Promise<void> | void>()(socket.join(["a", "b"]));
  expectType<Promise<void> | void>()(socket.leave("a"));
  // @ts-expect-error: one room at a time
  socket.leave(["a"]);
  expectType<Socket>()(socket.disconnect());
  expectType<Socket>()(socket.disconnect(true));
  expectType<Socket>()(socket.volatile.compress(true));

  socket.use((event, next) => {
    expectType<Event>()(event);
    const [name, ...args] = event;
    expectType<string>()(name);
    expectType<any[]>()(args);
    event[1] = "changed";
    next(new Error("no"));
    next();
  });
  const logged = (name: string, ...args: any[]) => [name, args];
  expectType<Socket>()(socket.onAny(logged).prependAny(logged).offAny(logged).offAny());
  socket.onAnyOutgoing(logged).prependAnyOutgoing(logged).offAnyOutgoing(logged).offAnyOutgoing();
  expectType<((...args: any[]) => void)[]>()(socket.listenersAny());
  expectType<((...args: any[]) => void)[]>()(socket.listenersAnyOutgoing());

  // @ts-expect-error: read only
  socket.id = "other";
  // @ts-expect-error: read only
  socket.rooms = new Set();
});
