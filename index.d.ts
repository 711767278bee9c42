// The public type entry: the ten names that the root of the package exports. Declarations live in
// types/, one file per class; nothing is declared here. `Server`, `Socket` and `Namespace` exist at
// run time, the other names are types only.

export { Server } from "./types/server";
export { Socket } from "./types/socket";
export { Namespace } from "./types/namespace";
export type { ServerOptions } from "./types/options";
export type { BroadcastOperator, RemoteSocket } from "./types/broadcast-operator";
export type { ExtendedError } from "./types/namespace";
export type { Event } from "./types/socket";
export type { DisconnectReason } from "./types/socket-types";
export type { DefaultEventsMap } from "./types/typed-events";
