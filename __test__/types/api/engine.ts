// The engine beneath: `io.engine` and `socket.conn`, with engine.io's own types as annotations.

import type {
  ServerOptions as EngineOptions,
  Server as EngineServer,
  Socket as EngineSocket,
  Transport,
} from "engine.io";
import type { IncomingMessage, OutgoingHttpHeaders, Server as HttpServer } from "http";
import { Server } from "socket.io";
import { expectType } from "../expect";

const io = new Server();

const engine: EngineServer = io.engine;
expectType<number>()(engine.clientsCount);
expectType<number>()(io.engine.clientsCount);
const engineOptions: EngineOptions = io.engine.opts;
io.engine.opts.pingInterval = engineOptions.pingTimeout ?? 1000;
io.engine.generateId = () => "id";
io.engine.generateId = async (req) => {
  expectType<IncomingMessage>()(req);
  return "id";
};
io.engine.use((_req: unknown, _res: unknown, next: () => void) => next());
io.engine.on("connection", (conn: EngineSocket) => conn.close());
io.engine.on("connection_error", (err) => [err.req, err.code, err.message, err.context]);
io.engine.on("initial_headers", (headers: OutgoingHttpHeaders, req: IncomingMessage) => {
  headers["set-cookie"] = req.url;
});
io.engine.onWebTransportSession({});
declare const req: Parameters<EngineServer["handleRequest"]>[0];
declare const res: Parameters<EngineServer["handleRequest"]>[1];
declare const socket: Parameters<EngineServer["handleUpgrade"]>[1];
io.engine.handleRequest(req, res);
io.engine.handleUpgrade(req, socket, Buffer.alloc(0));
io.engine.attach({} as HttpServer, { path: "/x" });
io.engine.close();

io.on("connection", (peer) => {
  const conn: EngineSocket = peer.conn;
  expectType<number>()(conn.protocol);
  expectType<string>()(peer.conn.remoteAddress);
  expectType<"opening" | "open" | "closing" | "closed">()(peer.conn.readyState);
  expectType<IncomingMessage>()(peer.conn.request);
  expectType<string>()(peer.conn.transport.name);
  expectType<boolean>()(peer.conn.transport.writable);
  expectType<string>()(peer.client.conn.transport.sid);
  const transport: Transport = peer.conn.transport;
  transport.close();
  conn.once("upgrade", (next: Transport) => next.name);
  conn.on("packetCreate", ({ type, data }) => [type, data]);
  conn.write("x", { compress: false }, (next) => next.name);
  conn.send(Buffer.alloc(1)).close(true);
});

// options are plain data, and go from one package's types to the other's
const shared: EngineOptions = { cors: { origin: "*" }, cookie: true, perMessageDeflate: {} };
new Server({ ...shared });
