// Adapters: as an option, as the namespace's member, and what broadcasts ask of them.

import { Namespace, Server } from "socket.io";
import {
  Adapter,
  type BroadcastOptions,
  ClusterAdapterWithHeartbeat,
  type ClusterMessage,
  type ClusterResponse,
  type Room,
  type ServerId,
  SessionAwareAdapter,
  type SocketId,
} from "socket.io-adapter";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { expectType } from "../expect";

class Logging extends Adapter {
  constructor(readonly nsp: any) {
    super(nsp);
  }
  broadcast(packet: any, opts: BroadcastOptions) {
    super.broadcast(packet, opts);
  }
}

class Cluster extends ClusterAdapterWithHeartbeat {
  constructor(nsp: any) {
    super(nsp, { heartbeatInterval: 1000 });
  }
  async doPublish(message: ClusterMessage) {
    return message.uid;
  }
  async doPublishResponse(_requester: ServerId, _response: ClusterResponse) {}
}

new Server({ adapter: Adapter });
new Server({ adapter: SessionAwareAdapter });
new Server({ adapter: Logging });
new Server({ adapter: Cluster });
new Server({ adapter: (nsp: Namespace) => new Logging(nsp) });
new Server({ adapter: (nsp: any) => new Cluster(nsp) });
new Server({ adapter: createAdapter(createClient(), createClient()) });
// @ts-expect-error: not an adapter
new Server({ adapter: {} });
// @ts-expect-error: not an adapter
new Server({ adapter: () => ({}) });

const io = new Server();
expectType<Server>()(io.adapter(Logging));
expectType<typeof Adapter | ((nsp: Namespace) => Adapter) | undefined>()(io.adapter());
expectType<Adapter>()(io.of("/").adapter);
expectType<Map<Room, Set<SocketId>>>()(io.of("/").adapter.rooms);
expectType<Map<SocketId, Set<Room>>>()(io.of("/").adapter.sids);
io.of("/").adapter.on("join-room", (room: Room, id: SocketId) => [room, id]);
io.of("/").adapter = new Logging(io.of("/"));
io.sockets.adapter.broadcast({ type: 2, data: ["x"] }, { rooms: new Set(["a"]) });
