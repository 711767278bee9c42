// The types of `io.engine` and `socket.conn`. Code that says `conn: import("engine.io").Socket` has
// to compile, and classes with private members are only ever assignable to themselves: so where
// the package `engine.io` is installed its types are used, and where it is not, those declared
// beside this file, which have the same members. Nothing of it is needed at run time.

import type { Server as OwnServer } from "./engine-server";
import type { Socket as OwnSocket } from "./engine-socket";
// @ts-ignore: an unresolved import is `any` here, which is what `Installed` looks for
import type { Server as ForeignServer, Socket as ForeignSocket } from "engine.io";

/** The engine of a server. */
export type EngineServer = Installed<
  ForeignServer,
  { clientsCount: number; generateId: unknown; onWebTransportSession: unknown },
  OwnServer
>;

/** A connection of the engine. */
export type EngineSocket = Installed<
  ForeignSocket,
  { protocol: number; remoteAddress: string; transport: { name: string; sid: string } },
  OwnSocket
>;

/** A foreign type if it was found and is recent enough to have these members. */
type Installed<Foreign, Members, Own> = unknown extends Foreign
  ? Own
  : Foreign extends Members
    ? Foreign
    : Own;

export {};
