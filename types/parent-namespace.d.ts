// A namespace that stands for those that match a pattern: what `io.of(/^\/room-\d+$/)` returns.

import type { RemoteSocket } from "./broadcast-operator";
import { Namespace } from "./namespace";
import type { Server } from "./server";
import type {
  DefaultEventsMap,
  EventNamesWithoutAck,
  EventParams,
  EventsMap,
} from "./typed-events";

/**
 * A pattern and the namespaces that were created from it. A child starts with the middlewares and
 * the connection listeners that the parent has at that moment.
 */
export declare class ParentNamespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  private static count;
  private readonly children;

  /**
   * Made by `io.of()`.
   *
   * @param server - the server
   */
  constructor(server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>);

  /**
   * Makes an adapter that passes broadcasts on to the children.
   *
   * @private
   */
  _initAdapter(): void;

  /**
   * Emits to all sockets of all children.
   *
   * @param ev - the name of the event
   * @param args - anything that can be serialised
   * @returns always `true`
   */
  emit<Ev extends EventNamesWithoutAck<EmitEvents>>(
    ev: Ev,
    ...args: EventParams<EmitEvents, Ev>
  ): boolean;

  /**
   * Creates a namespace from this one.
   *
   * @param name - its name, with its leading slash
   * @returns the new namespace
   */
  createChild(name: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;

  /**
   * Not supported here: fetch the sockets of a child.
   *
   * @throws Error always
   */
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]>;
}
