// Without engine.io installed, `io.engine` and `socket.conn` have types of their own.

import type { IncomingMessage, ServerResponse } from "http";
import type { Duplex } from "stream";
import { Server, type Socket } from "socket.io";
import { type Equal, type Expect, expectType } from "../expect";

// @ts-expect-error: this is the case that is tested here
import type {} from "engine.io";

const io = new Server({ cors: { origin: "*" }, perMessageDeflate: { threshold: 1 } });

// an import that was not found must not show as `any`
export type Typed = [
  Expect<Equal<Equal<typeof io.engine, any>, false>>,
  Expect<Equal<Equal<Socket["conn"], any>, false>>,
];

expectType<number>()(io.engine.clientsCount);
io.engine.opts.pingInterval = 1000;
io.engine.generateId = async (req) => {
  expectType<IncomingMessage>()(req);
  return "id";
};
io.engine.use((_req: IncomingMessage, _res: ServerResponse, next: () => void) => next());
io.engine.on("connection_error", (err) => err.code);
io.engine.handleRequest({} as IncomingMessage, {} as ServerResponse);
io.engine.handleUpgrade({} as IncomingMessage, {} as Duplex, Buffer.alloc(0));
io.engine["clients"]["id"];
// @ts-expect-error: nothing of that name
io.engine.nothingOfThatName;

io.on("connection", (socket) => {
  const { conn } = socket;
  expectType<number>()(conn.protocol);
  expectType<string>()(conn.remoteAddress);
  expectType<string>()(conn.transport.name);
  expectType<boolean>()(conn.transport.writable);
  expectType<IncomingMessage>()(conn.request);
  expectType<"opening" | "open" | "closing" | "closed">()(conn.readyState);
  expectType<typeof conn>()(socket.client.conn);
  expectType<typeof conn>()(conn.send("x", { compress: false }, (transport) => transport.name));
  expectType<any>()(conn["id"]);
  expectType<any>()(conn["writeBuffer"]);
  conn.on("upgrade", (transport) => transport.name);
  conn.close(true);
  // @ts-expect-error: private
  conn.id;
  // @ts-expect-error: nothing of that name
  conn.nothingOfThatName;
});
