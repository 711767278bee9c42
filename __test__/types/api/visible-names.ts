// Names that are private in spirit but reached by typed code: some are public, the others can be
// reached with brackets only.

import type { Packet } from "socket.io-parser";
import { Namespace, Server, type ServerOptions, Socket } from "socket.io";
import { expectType } from "../expect";

const io = new Server();

expectType<Map<string, Namespace>>()(io._nsps);
expectType<InstanceType<typeof io._parser.Encoder>>()(io.encoder);
expectType<any[]>()(io.encoder.encode({ type: io._parser.PacketType.EVENT, nsp: "/", data: [] }));
new io._parser.Decoder().on("decoded", (packet) => packet.nsp);
expectType<boolean>()(io._parser.isPacketValid({ type: 1, nsp: "/" }));
expectType<number>()(io._connectTimeout);
expectType<Partial<ServerOptions>>()(io._opts);
io._checkNamespace("/x", { token: 1 }, (nsp) => expectType<false | Namespace>()(nsp));

// @ts-expect-error: private
io.opts;
// @ts-expect-error: private
io.eio;
// @ts-expect-error: private
io._path;
for (const name of [
  "opts",
  "eio",
  "_path",
  "_serveClient",
  "_adapter",
  "_corsMiddleware",
  "parentNsps",
  "parentNamespacesFromRegExp",
] as const) {
  expectType<any>()(io[name]);
}
io["initEngine"](3000, {});
io["attachServe"]({});
io["serve"]("socket.io.js", {}, {});
io["extractFilename"]("/socket.io/socket.io.js");
io["onconnection"]({});
Server["sendFile"]("socket.io.js", {}, {});

const nsp = io.of("/");
expectType<number>()(nsp._ids);
expectType<void>()(nsp._onServerSideEmit(["name", 1]));
expectType<void>()(nsp._initAdapter());
nsp["_fns"].length;
nsp["_preConnectSockets"].size;
nsp["run"]({}, () => {});
nsp["_createSocket"]({}, {});
nsp["_doConnect"]({}, () => {});
// @ts-expect-error: private
nsp._fns;

nsp.on("connection", (socket) => {
  expectType<Promise<void>>()(nsp._add(socket.client, {}, (added) => expectType<Socket>()(added)));
  nsp._remove(socket);

  declarePacket((packet) => expectType<void>()(socket._onpacket(packet)));
  expectType<void>()(socket._onconnect());
  expectType<void>()(socket._onerror(new Error()));
  expectType<void>()(socket._error({ message: "no" }));
  expectType<void>()(socket._cleanup());
  expectType<Socket | undefined>()(socket._onclose("ping timeout"));
  // @ts-expect-error: no such reason
  socket._onclose("bored");
  for (const name of [
    "pid",
    "server",
    "adapter",
    "acks",
    "fns",
    "flags",
    "_anyListeners",
    "_anyOutgoingListeners",
    "packet",
    "onevent",
    "ack",
    "onack",
    "ondisconnect",
    "dispatch",
    "run",
    "leaveAll",
    "buildHandshake",
    "registerAckCallback",
    "notifyOutgoingListeners",
    "newBroadcastOperator",
  ] as const) {
    expectType<any>()(socket[name]);
  }
  // @ts-expect-error: private
  socket.acks;
  // @ts-expect-error: private
  socket.adapter;

  const client = socket.client;
  for (const name of [
    "id",
    "server",
    "encoder",
    "decoder",
    "sockets",
    "nsps",
    "connectTimeout",
    "setup",
    "connect",
    "doConnect",
    "close",
    "writeToEngine",
    "ondata",
    "ondecoded",
    "_parseNamespace",
    "onerror",
    "onclose",
    "destroy",
  ] as const) {
    expectType<any>()(client[name]);
  }
  declarePacket((packet) => client._packet(packet, { compress: true, volatile: true }));
  expectType<void>()(client._disconnect());
  expectType<void>()(client._remove(socket));
  // @ts-expect-error: private
  client.id;

  const operator = socket.to("a");
  expectType<any>()(operator["rooms"]);
  expectType<any>()(operator["exceptRooms"]);
  expectType<any>()(operator["flags"]);
  expectType<any>()(operator["adapter"]);

  const conn = socket.conn;
  expectType<any>()(conn["id"]);
  expectType<any>()(conn["server"]);
  expectType<any>()(conn["writeBuffer"]);
  expectType<any>()(conn["sendPacket"]("message", "x"));
  expectType<any>()(io.engine["ws"]);
});

declare function declarePacket(take: (packet: Packet) => void): void;
