// A client in one namespace: the object that applications deal with most.

import type { IncomingMessage } from "http";
import type { Room, Session, SocketId } from "socket.io-adapter";
import type { Packet } from "socket.io-parser";
import type { BroadcastOperator } from "./broadcast-operator";
import type { Client } from "./client";
import type { EngineSocket } from "./engine";
import type { Namespace } from "./namespace";
import type { DisconnectReason, Handshake, SocketReservedEventsMap } from "./socket-types";
import {
  AllButLast,
  DecorateAcknowledgements,
  DecorateAcknowledgementsWithMultipleResponses,
  DefaultEventsMap,
  EventNames,
  EventNamesWithAck,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
  StrictEventEmitter,
} from "./typed-events";

/**
 * An incoming event, as packet middlewares see it: its name, then its arguments. The array may be
 * changed; listeners are called with what it holds in the end.
 */
export type Event = [string, ...any[]];

/**
 * A client in one namespace.
 *
 * @example
 * io.on("connection", (socket) => {
 *   socket.join("lobby");
 *
 *   socket.on("say", (text) => {
 *     socket.to("lobby").emit("said", text);
 *   });
 *
 *   socket.on("disconnect", (reason) => {
 *     console.log(`${socket.id} left: ${reason}`);
 *   });
 * });
 *
 * @typeParam ListenEvents - the events that the client sends
 * @typeParam EmitEvents - the events that are sent to the client
 * @typeParam ServerSideEvents - the events between servers
 * @typeParam SocketData - the type of {@link data}
 */
export declare class Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends StrictEventEmitter<ListenEvents, EmitEvents, SocketReservedEventsMap> {
  /** The namespace. */
  readonly nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents>;

  /** The connection, which other namespaces may share. */
  readonly client: Client<ListenEvents, EmitEvents, ServerSideEvents>;

  /** The id of the socket: random, new with each connection, and the name of its own room. */
  readonly id: SocketId;

  /** Whether the socket took up a session again; see the option `connectionStateRecovery`. */
  readonly recovered: boolean;

  /** What is known from the handshake. */
  readonly handshake: Handshake;

  /**
   * Anything that the application wants to keep with the socket. It is part of what
   * `fetchSockets()` answers with, on other servers too.
   */
  data: SocketData;

  /** Whether the socket is connected to its namespace. */
  connected: boolean;

  private readonly pid;
  private readonly server;
  private readonly adapter;
  private acks;
  private fns;
  private flags;
  private _anyListeners?;
  private _anyOutgoingListeners?;

  /**
   * Made by the namespace.
   *
   * @param nsp - the namespace
   * @param client - the connection
   * @param auth - what the client sent along
   * @param previousSession - the session that is taken up again
   */
  constructor(
    nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents>,
    client: Client<ListenEvents, EmitEvents, ServerSideEvents>,
    auth: Record<string, unknown>,
    previousSession?: Session,
  );

  private buildHandshake;

  /**
   * Emits to the client. A function as the last argument is called with the client's
   * acknowledgement; after {@link timeout} it takes an `Error` first.
   *
   * @example
   * socket.emit("hello", "world", { any: ["thing", Buffer.from([1, 2])] });
   *
   * socket.emit("ready?", (answer) => {});
   *
   * @param ev - the name of the event
   * @param args - anything that can be serialised
   * @returns always `true`
   * @throws Error if the name is reserved (`connect`, `disconnect`, `newListener`, ...)
   * @throws TypeError if an argument cannot be serialised (a `BigInt`, say)
   */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;

  /**
   * Emits to the client and waits for its acknowledgement.
   *
   * @example
   * const answer = await socket.timeout(1000).emitWithAck("ready?");
   *
   * @param ev - the name of the event
   * @param args - its arguments, without the acknowledgement
   * @returns resolves with the first value of the answer; rejects with an `Error` if
   *   {@link timeout} was set and no answer came in time
   */
  emitWithAck<Ev extends EventNamesWithAck<EmitEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<EmitEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<EmitEvents, Ev>>>>;

  private registerAckCallback;

  /**
   * Starts a broadcast to rooms, without this socket.
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
   * Starts a broadcast to everybody who is not in a room, without this socket.
   *
   * @param room - a room or several
   * @returns an operator
   */
  except(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData>;

  /**
   * Emits the event `message` to the client.
   *
   * @param args - anything that can be serialised
   * @returns the socket
   */
  send(...args: EventParams<EmitEvents, "message">): this;

  /**
   * The same as {@link send}.
   *
   * @param args - anything that can be serialised
   * @returns the socket
   */
  write(...args: EventParams<EmitEvents, "message">): this;

  private packet;

  /**
   * Joins a room. With the in-memory adapter it is done at once.
   *
   * @param rooms - a room or several
   * @returns a promise where the adapter works asynchronously
   */
  join(rooms: Room | Array<Room>): Promise<void> | void;

  /**
   * Leaves a room.
   *
   * @param room - the room
   * @returns a promise where the adapter works asynchronously
   */
  leave(room: string): Promise<void> | void;

  private leaveAll;

  /**
   * Connects the socket, once the middlewares let it in.
   *
   * @private
   */
  _onconnect(): void;

  /**
   * Takes a packet of the client.
   *
   * @private
   * @param packet - the decoded packet
   */
  _onpacket(packet: Packet): void;

  private onevent;
  private ack;
  private onack;
  private ondisconnect;

  /**
   * Takes an error of the connection.
   *
   * @private
   * @param err - the error
   */
  _onerror(err: Error): void;

  /**
   * Ends the socket.
   *
   * @private
   * @param reason - why
   * @param description - what the transport knows of it
   * @returns the socket, or nothing when it was not connected
   */
  _onclose(reason: DisconnectReason, description?: any): this | undefined;

  /**
   * Leaves the rooms and the namespace.
   *
   * @private
   */
  _cleanup(): void;

  /**
   * Tells the client that it is refused.
   *
   * @private
   * @param err - what the client is told
   */
  _error(err: any): void;

  /**
   * Disconnects the socket. Does nothing when it is not connected.
   *
   * @param close - whether to close the connection too, with all its namespaces; default `false`
   * @returns the socket
   */
  disconnect(close?: boolean): this;

  /**
   * Sets whether the next message may be compressed, where the transport can. Default: it may.
   *
   * @param compress - `false` for what is compressed already
   * @returns the socket
   */
  compress(compress: boolean): this;

  /**
   * Lets the next message be dropped when the client cannot take it at once.
   */
  get volatile(): this;

  /**
   * Starts a broadcast to everybody in the namespace, without this socket.
   */
  get broadcast(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  >;

  /**
   * Starts a broadcast that stays on this server, without this socket.
   */
  get local(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  >;

  /**
   * Limits the wait for the acknowledgement of the next message.
   *
   * @example
   * socket.timeout(1000).emit("ready?", (err, answer) => {
   *   // with `err`, the client did not answer in time
   * });
   *
   * @param timeout - in milliseconds
   * @returns the socket, with acknowledgements that take an `Error` first
   */
  timeout(
    timeout: number,
  ): Socket<ListenEvents, DecorateAcknowledgements<EmitEvents>, ServerSideEvents, SocketData>;

  private dispatch;

  /**
   * Adds a packet middleware. Packet middlewares run one after the other for each event of the
   * client, before its listeners; an error that one passes on is emitted as `error`.
   *
   * @example
   * socket.use(([event, ...args], next) => {
   *   next(event === "admin" ? new Error("not allowed") : undefined);
   * });
   *
   * @param fn - has to call `next` once, or the event is dropped
   * @returns the socket
   */
  use(fn: (event: Event, next: (err?: Error) => void) => void): this;

  private run;

  /** Whether the socket is not connected: the opposite of {@link connected}. */
  get disconnected(): boolean;

  /** The first HTTP request of the connection. */
  get request(): IncomingMessage;

  /** The engine's side of the connection: its transport, its heartbeats. */
  get conn(): EngineSocket;

  /** The rooms that the socket is in, its own included: the adapter's set, not a copy. */
  get rooms(): Set<Room>;

  /**
   * Adds a listener for all events of the client. It is called with the name of the event first.
   *
   * @param listener - the listener
   * @returns the socket
   */
  onAny(listener: (...args: any[]) => void): this;

  /**
   * Adds a listener for all events of the client, before the others.
   *
   * @param listener - the listener
   * @returns the socket
   */
  prependAny(listener: (...args: any[]) => void): this;

  /**
   * Removes a listener that was added by {@link onAny}.
   *
   * @param listener - the listener; without it, all of them
   * @returns the socket
   */
  offAny(listener?: (...args: any[]) => void): this;

  /**
   * The listeners for all events of the client.
   *
   * @returns the array in use, not a copy, once there was a listener
   */
  listenersAny(): ((...args: any[]) => void)[];

  /**
   * Adds a listener for all events that are sent to the client, broadcasts included. It is called
   * with the name of the event first.
   *
   * @param listener - the listener
   * @returns the socket
   */
  onAnyOutgoing(listener: (...args: any[]) => void): this;

  /**
   * Adds a listener for all events that are sent to the client, before the others.
   *
   * @param listener - the listener
   * @returns the socket
   */
  prependAnyOutgoing(listener: (...args: any[]) => void): this;

  /**
   * Removes a listener that was added by {@link onAnyOutgoing}.
   *
   * @param listener - the listener; without it, all of them
   * @returns the socket
   */
  offAnyOutgoing(listener?: (...args: any[]) => void): this;

  /**
   * The listeners for all events that are sent to the client.
   *
   * @returns the array in use, not a copy, once there was a listener
   */
  listenersAnyOutgoing(): ((...args: any[]) => void)[];

  private notifyOutgoingListeners;
  private newBroadcastOperator;
}
