// A broadcast in the making (`io.to("room").volatile`), and what `fetchSockets()` answers with.

import type { Adapter, BroadcastFlags, Room, SocketId } from "socket.io-adapter";
import type { Handshake } from "./socket-types";
import type {
  AllButLast,
  DecorateAcknowledgements,
  EventNames,
  EventNamesWithError,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
  TypedEventBroadcaster,
} from "./typed-events";

/**
 * A choice of sockets and the way to reach them. Operators do not change: each modifier returns
 * another one, so that one can be kept and used many times.
 *
 * @typeParam EmitEvents - the events that can be emitted, with the acknowledgements of a broadcast
 * @typeParam SocketData - the type of `socket.data`
 */
export declare class BroadcastOperator<
  EmitEvents extends EventsMap,
  SocketData,
> implements TypedEventBroadcaster<EmitEvents> {
  private readonly adapter;
  private readonly rooms;
  private readonly exceptRooms;
  private readonly flags;

  /**
   * Made by `io`, namespaces and sockets; there is rarely a reason to make one.
   *
   * @param adapter - the adapter of the namespace
   * @param rooms - the rooms to reach; none for everybody
   * @param exceptRooms - the rooms to leave out
   * @param flags - the modifiers that were set
   */
  constructor(
    adapter: Adapter,
    rooms?: Set<Room>,
    exceptRooms?: Set<Room>,
    flags?: BroadcastFlags & { expectSingleResponse?: boolean },
  );

  /**
   * Adds rooms. A socket that is in several of them is reached once.
   *
   * @example
   * io.to("lobby").to(["table-1", "table-2"]).emit("news", "dinner is served");
   *
   * @param room - a room or several
   * @returns a new operator
   */
  to(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData>;

  /**
   * The same as {@link to}, for where it reads better.
   *
   * @param room - a room or several
   * @returns a new operator
   */
  in(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData>;

  /**
   * Leaves out whoever is in a room.
   *
   * @param room - a room or several
   * @returns a new operator
   */
  except(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData>;

  /**
   * Sets whether the message may be compressed, where the transport can. Default: it may.
   *
   * @param compress - `false` for what is compressed already
   * @returns a new operator
   */
  compress(compress: boolean): BroadcastOperator<EmitEvents, SocketData>;

  /**
   * Lets the message be dropped for clients that cannot take it at once.
   */
  get volatile(): BroadcastOperator<EmitEvents, SocketData>;

  /**
   * Keeps the message on this server, where there are several.
   */
  get local(): BroadcastOperator<EmitEvents, SocketData>;

  /**
   * Limits the wait for acknowledgements.
   *
   * @example
   * io.to("lobby").timeout(1000).emit("ready?", (err, answers) => {
   *   // with `err`, some clients did not answer in time and `answers` holds the rest
   * });
   *
   * @param timeout - in milliseconds
   * @returns a new operator, whose acknowledgements take an `Error` first
   */
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData>;

  /**
   * Emits to the chosen sockets. A function as the last argument gathers their acknowledgements,
   * which needs a {@link timeout}: the first value of each answer, in one array.
   *
   * @param ev - the name of the event
   * @param args - anything that can be serialised
   * @returns always `true`
   * @throws Error if the name is reserved (`connect`, `disconnect`, `newListener`, ...)
   * @throws TypeError if an argument cannot be serialised (a `BigInt`, say)
   */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;

  /**
   * Emits to the chosen sockets and gathers their acknowledgements. Set a {@link timeout} first.
   *
   * @example
   * const answers = await io.to("lobby").timeout(1000).emitWithAck("ready?");
   *
   * @param ev - the name of the event
   * @param args - its arguments, without the acknowledgement
   * @returns resolves with the first value of each answer; rejects on timeout with an `Error` whose
   *   `responses` holds those that came in time
   */
  emitWithAck<Ev extends EventNamesWithError<EmitEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<EmitEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<EmitEvents, Ev>>>>;

  /**
   * The ids of the sockets in the chosen rooms, on all servers. Rooms to leave out are ignored.
   *
   * @deprecated prefer {@link fetchSockets}, or `adapter.sockets()` for ids
   * @returns the ids
   * @throws Error in a namespace that stands for others (one made by `io.of(/pattern/)`)
   */
  allSockets(): Promise<Set<SocketId>>;

  /**
   * The chosen sockets, on all servers. Those of this server are {@link Socket} objects, those of
   * others stand for them.
   *
   * @returns the sockets, in no particular order
   */
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]>;

  /**
   * Makes the chosen sockets join a room.
   *
   * @param room - a room or several
   */
  socketsJoin(room: Room | Room[]): void;

  /**
   * Makes the chosen sockets leave a room.
   *
   * @param room - a room or several
   */
  socketsLeave(room: Room | Room[]): void;

  /**
   * Disconnects the chosen sockets.
   *
   * @param close - whether to close the connections too, with all their namespaces; default `false`
   */
  disconnectSockets(close?: boolean): void;
}

/** What an adapter tells of a socket on another server. */
interface SocketDetails<SocketData> {
  id: SocketId;
  handshake: Handshake;
  rooms: Room[];
  data: SocketData;
}

/**
 * A socket that may be on another server: some facts, as they were when it was fetched, and a few
 * things to do to it.
 *
 * @typeParam EmitEvents - the events that can be emitted
 * @typeParam SocketData - the type of `socket.data`
 */
export declare class RemoteSocket<
  EmitEvents extends EventsMap,
  SocketData,
> implements TypedEventBroadcaster<EmitEvents> {
  /** The id of the socket. */
  readonly id: SocketId;
  /** What is known from its handshake. */
  readonly handshake: Handshake;
  /** The rooms it was in. */
  readonly rooms: Set<Room>;
  /** Its `data`, as it was. */
  readonly data: SocketData;

  private readonly operator;

  /**
   * Made by `fetchSockets()`.
   *
   * @param adapter - the adapter of the namespace
   * @param details - what the other server told
   */
  constructor(adapter: Adapter, details: SocketDetails<SocketData>);

  /**
   * Limits the wait for the acknowledgement.
   *
   * @param timeout - in milliseconds
   * @returns an operator that reaches this socket, whose acknowledgements take an `Error` first
   */
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData>;

  /**
   * Emits to this socket.
   *
   * @param ev - the name of the event
   * @param args - anything that can be serialised
   * @returns always `true`
   * @throws Error if the name is reserved
   */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;

  /**
   * Makes the socket join a room.
   *
   * @param room - a room or several
   */
  join(room: Room | Room[]): void;

  /**
   * Makes the socket leave a room.
   *
   * @param room - the room
   */
  leave(room: Room): void;

  /**
   * Disconnects the socket.
   *
   * @param close - whether to close the connection too, with all its namespaces; default `false`
   * @returns this object
   */
  disconnect(close?: boolean): this;
}

export {};
