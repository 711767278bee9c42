// All names of the root, imported by name; works under every setting.

import { Namespace, Server, Socket } from "socket.io";
import type {
  BroadcastOperator,
  DefaultEventsMap,
  DisconnectReason,
  Event,
  ExtendedError,
  RemoteSocket,
  ServerOptions,
} from "socket.io";
import * as sio from "socket.io";

export const io: Server = new Server();
export const classes = [Server, Namespace, Socket];
export type Types = [
  BroadcastOperator<DefaultEventsMap, any>,
  DisconnectReason,
  Event,
  ExtendedError,
  RemoteSocket<DefaultEventsMap, any>,
  ServerOptions,
];
export const viaNamespace: sio.Server = new sio.Server(3000);
export const viaDynamic = import("socket.io").then(({ Server: S }) => new S());

// @ts-expect-error: a type only
new sio.BroadcastOperator();
// @ts-expect-error: a type only
sio.RemoteSocket;
// @ts-expect-error: not exported here
sio.Client;
