// A namespace: the sockets that joined it, its middlewares and its adapter.

import type { Adapter, Room, SocketId } from "socket.io-adapter";
import type { BroadcastOperator, RemoteSocket } from "./broadcast-operator";
import type { Client } from "./client";
import type { Server } from "./server";
import type { Socket } from "./socket";
import {
  AllButLast,
  DecorateAcknowledgements,
  DecorateAcknowledgementsWithMultipleResponses,
  DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  DefaultEventsMap,
  EventNames,
  EventNamesWithAck,
  EventNamesWithoutAck,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
  RemoveAcknowledgements,
  StrictEventEmitter,
} from "./typed-events";

/**
 * An error that a middleware refuses a socket with. The client receives its `message` and its
 * `data` with the event `connect_error`.
 */
export interface ExtendedError extends Error {
  /** Anything that can be serialised. */
  data?: any;
}

/**
 * The events that a namespace emits by itself.
 */
export interface NamespaceReservedEventsMap<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> {
  /** A socket has joined; the same as `connection`, and emitted before it. */
  connect: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
  /** A socket has joined. */
  connection: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
}

/**
 * The events that a server emits by itself: those of its main namespace, and one more.
 */
export interface ServerReservedEventsMap<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> extends NamespaceReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  /** A namespace was created. */
  new_namespace: (
    namespace: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
  ) => void;
}

/**
 * The names that `serverSideEmit()` refuses.
 */
export declare const RESERVED_EVENTS: ReadonlySet<string | Symbol>;

/**
 * A channel of its own over a shared connection: `io.of("/orders")`. Emitting to a namespace
 * reaches all of its sockets; listening hears new sockets and events of other servers.
 *
 * @example
 * const orders = io.of("/orders");
 *
 * orders.use((socket, next) => next(mayOrder(socket) ? undefined : new Error("not for you")));
 *
 * orders.on("connection", (socket) => {
 *   socket.join(`customer-${socket.data.customer}`);
 * });
 *
 * @typeParam ListenEvents - the events that clients send
 * @typeParam EmitEvents - the events that are sent to clients
 * @typeParam ServerSideEvents - the events between servers
 * @typeParam SocketData - the type of `socket.data`
 */
export declare class Namespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends StrictEventEmitter<
  ServerSideEvents,
  RemoveAcknowledgements<EmitEvents>,
  NamespaceReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
> {
  /** The name, with its leading slash. */
  readonly name: string;

  /** The connected sockets of this server, by id. */
  readonly sockets: Map<SocketId, Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;

  private _preConnectSockets;

  /** The adapter, which knows the rooms. */
  adapter: Adapter;

  /** The server that the namespace belongs to. */
  readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;

  private _fns;

  /**
   * The number of the next acknowledgement.
   *
   * @private
   */
  _ids: number;

  /**
   * Made by `io.of()`.
   *
   * @param server - the server
   * @param name - the name, with its leading slash
   */
  constructor(server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>, name: string);

  /**
   * Makes the adapter; run again when the server is given another one.
   *
   * @private
   */
  _initAdapter(): void;

  /**
   * Adds a middleware. Middlewares run one after the other for each socket that wants to join,
   * before `connection`; a socket is refused as soon as one of them passes an error on.
   *
   * @example
   * io.of("/orders").use((socket, next) => {
   *   next(socket.handshake.auth.token === secret ? undefined : new Error("unauthorized"));
   * });
   *
   * @param fn - has to call `next` once
   * @returns the namespace
   */
  use(
    fn: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      next: (err?: ExtendedError) => void,
    ) => void,
  ): this;

  private run;

  /**
   * Starts a broadcast to rooms.
   *
   * @param room - a room or several; whoever is in more than one is reached once
   * @returns an operator, for `emit()` and for more modifiers
   */
  to(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData>;

  /**
   * The same as {@link to}, for where it reads better.
   *
   * @param room - a room or several
   * @returns an operator
   */
  in(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData>;

  /**
   * Starts a broadcast to everybody who is not in a room.
   *
   * @param room - a room or several
   * @returns an operator
   */
  except(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData>;

  /**
   * Lets a client in: makes its socket and runs the middlewares.
   *
   * @private
   * @param client - the connection
   * @param auth - what the client sent along
   * @param fn - called with the socket once it is connected
   */
  _add(
    client: Client<ListenEvents, EmitEvents, ServerSideEvents>,
    auth: Record<string, unknown>,
    fn: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): Promise<void>;

  private _createSocket;
  private _doConnect;

  /**
   * Forgets a socket that has left.
   *
   * @private
   * @param socket - the socket
   */
  _remove(socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>): void;

  /**
   * Emits to all sockets of the namespace, on all servers. For acknowledgements set a
   * {@link timeout} first.
   *
   * @param ev - the name of the event
   * @param args - anything that can be serialised
   * @returns always `true`
   * @throws Error if the name is reserved (`connect`, `disconnect`, `newListener`, ...)
   * @throws TypeError if an argument cannot be serialised (a `BigInt`, say)
   */
  emit<Ev extends EventNamesWithoutAck<EmitEvents>>(
    ev: Ev,
    ...args: EventParams<EmitEvents, Ev>
  ): boolean;

  /**
   * Emits the event `message` to all sockets of the namespace.
   *
   * @param args - anything that can be serialised
   * @returns the namespace
   */
  send(...args: EventParams<EmitEvents, "message">): this;

  /**
   * The same as {@link send}.
   *
   * @param args - anything that can be serialised
   * @returns the namespace
   */
  write(...args: EventParams<EmitEvents, "message">): this;

  /**
   * Emits to the same namespace on the other servers of the cluster, not to clients. It needs an
   * adapter that reaches them.
   *
   * @example
   * nsp.serverSideEmit("load?", (err, loads) => {});
   *
   * nsp.on("load?", (answer) => answer(42)); // on the other servers
   *
   * @param ev - the name of the event
   * @param args - anything that can be serialised; a function at the end gathers the answers
   * @returns always `true`
   * @throws Error if the name is reserved (`connect`, `connection`, `new_namespace`)
   */
  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<
      DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerSideEvents>,
      Ev
    >
  ): boolean;

  /**
   * Emits to the same namespace on the other servers and gathers their answers.
   *
   * @param ev - the name of the event
   * @param args - its arguments, without the acknowledgement
   * @returns resolves with one answer per server; rejects with an `Error` whose `responses` holds
   *   the answers that came in time
   */
  serverSideEmitWithAck<Ev extends EventNamesWithAck<ServerSideEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<ServerSideEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<ServerSideEvents, Ev>>>[]>;

  /**
   * Delivers an event of another server to the listeners of the namespace. Adapters call it.
   *
   * @private
   * @param args - the name of the event and its arguments
   */
  _onServerSideEmit(args: [string, ...any[]]): void;

  /**
   * The ids of the sockets in the namespace, on all servers.
   *
   * @deprecated prefer {@link fetchSockets}, or `adapter.sockets()` for ids
   * @returns the ids
   */
  allSockets(): Promise<Set<SocketId>>;

  /**
   * Starts a broadcast whose message may or may not be compressed.
   *
   * @param compress - `false` for what is compressed already
   * @returns an operator
   */
  compress(
    compress: boolean,
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData>;

  /**
   * Starts a broadcast whose message is dropped for clients that cannot take it at once.
   */
  get volatile(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  >;

  /**
   * Starts a broadcast that stays on this server.
   */
  get local(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  >;

  /**
   * Starts a broadcast that waits for acknowledgements, and not longer than this.
   *
   * @example
   * nsp.timeout(1000).emit("ready?", (err, answers) => {
   *   // with `err`, some clients did not answer in time and `answers` holds the rest
   * });
   *
   * @param timeout - in milliseconds
   * @returns an operator, whose acknowledgements take an `Error` first
   */
  timeout(
    timeout: number,
  ): BroadcastOperator<
    DecorateAcknowledgements<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>>,
    SocketData
  >;

  /**
   * The sockets of the namespace, on all servers. Those of this server are {@link Socket} objects,
   * those of others stand for them.
   *
   * @returns the sockets, in no particular order
   */
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]>;

  /**
   * Makes all sockets of the namespace join a room.
   *
   * @param room - a room or several
   */
  socketsJoin(room: Room | Room[]): void;

  /**
   * Makes all sockets of the namespace leave a room.
   *
   * @param room - a room or several
   */
  socketsLeave(room: Room | Room[]): void;

  /**
   * Disconnects all sockets of the namespace.
   *
   * @param close - whether to close the connections too, with all their namespaces; default `false`
   */
  disconnectSockets(close?: boolean): void;
}
