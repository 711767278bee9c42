// The ten names of the package's root. Declarations live in types/, one file per class; the files
// beside this one pass them on under the paths that applications augment and import.

import "./client";
import "./parent-namespace";

export { Server } from "../types/server";
export { Socket } from "./socket";
export { Namespace } from "./namespace";
export type { ServerOptions } from "../types/options";
export type { BroadcastOperator, RemoteSocket } from "./broadcast-operator";
export type { ExtendedError } from "./namespace";
export type { Event } from "./socket";
export type { DisconnectReason } from "./socket-types";
export type { DefaultEventsMap } from "./typed-events";
