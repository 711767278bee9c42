// The server: where applications start. Most of its methods are those of its main namespace.

import type { Server as HttpServer } from "http";
import type { Server as HttpsServer } from "https";
import type { Http2SecureServer, Http2Server } from "http2";
import type { Metrics } from "./metrics";
import * as parser from "socket.io-parser";
import type { Adapter, Room, SocketId } from "socket.io-adapter";
import type { Encoder } from "socket.io-parser";
import type { BroadcastOperator, RemoteSocket } from "./broadcast-operator";
import type { EngineServer } from "./engine";
import type { ExtendedError, Namespace, ServerReservedEventsMap } from "./namespace";
import type { ParentNspNameMatchFn, ServerOptions, ListenAddress, SecureOptions } from "./options";
import type { Socket } from "./socket";
import {
  AllButLast,
  DecorateAcknowledgements,
  DecorateAcknowledgementsWithMultipleResponses,
  DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  DefaultEventsMap,
  EventNames,
  EventNamesWithAck,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
  RemoveAcknowledgements,
  StrictEventEmitter,
} from "./typed-events";

// These two are not exported: declarations of applications could not name them, and spell them out so.

/** What a server can be attached to, besides a port. */
type TServerInstance = HttpServer | HttpsServer | Http2SecureServer | Http2Server;

/** Makes the adapter of a namespace. */
type AdapterConstructor = typeof Adapter | ((nsp: Namespace) => Adapter);

/**
 * A Socket.IO server.
 *
 * @example
 * const httpServer = http.createServer(app);
 * const io = new Server(httpServer);
 *
 * io.on("connection", (socket) => {
 *   socket.on("say", (text) => {
 *     io.emit("said", text);
 *   });
 * });
 *
 * httpServer.listen(3000);
 *
 * @example
 * // typed: what clients send, what they receive, what servers tell each other, `socket.data`
 * interface ClientToServer {
 *   say: (text: string, done: (ok: boolean) => void) => void;
 * }
 * interface ServerToClient {
 *   said: (text: string) => void;
 * }
 * const io = new Server<ClientToServer, ServerToClient, DefaultEventsMap, { name: string }>();
 *
 * @typeParam ListenEvents - the events that clients send
 * @typeParam EmitEvents - the events that are sent to clients
 * @typeParam ServerSideEvents - the events between servers
 * @typeParam SocketData - the type of `socket.data`
 */
export declare class Server<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends StrictEventEmitter<
  ServerSideEvents,
  RemoveAcknowledgements<EmitEvents>,
  ServerReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
> {
  /** The main namespace, `/`. */
  readonly sockets: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;

  /** The engine: transports, heartbeats, `clientsCount`. Set once the server is attached. */
  engine: EngineServer;

  /** The HTTP server. Set once the server is attached. */
  httpServer: TServerInstance;

  /**
   * The parser in use.
   *
   * @private
   */
  readonly _parser: typeof parser;

  /**
   * The encoder in use, one for the whole server.
   *
   * @private
   */
  readonly encoder: Encoder;

  /**
   * The namespaces by name.
   *
   * @private
   */
  _nsps: Map<string, Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;

  private parentNsps;
  private parentNamespacesFromRegExp;
  private _adapter?;
  private _serveClient;
  private readonly opts;
  private eio;
  private _path;

  /**
   * The value of {@link connectTimeout}, in milliseconds.
   *
   * @private
   */
  _connectTimeout: number;

  private _corsMiddleware;

  /**
   * Makes a server, and attaches it where an HTTP server or a port is given.
   *
   * @param srv - an HTTP server, or a port to listen on at once
   * @param opts - the options, also alone and first
   * @throws Error if an Express application is given instead of an HTTP server
   */
  constructor(opts?: Partial<ServerOptions>);
  constructor(srv?: TServerInstance | number, opts?: Partial<ServerOptions>);
  constructor(
    srv: undefined | Partial<ServerOptions> | TServerInstance | number,
    opts?: Partial<ServerOptions>,
  );

  /**
   * The options, as they were given.
   *
   * @private
   */
  get _opts(): Partial<ServerOptions>;

  /**
   * Sets or tells whether the browser client is served. To be set before {@link attach}.
   *
   * @param v - whether it is
   * @returns the server when set, the value when asked; default `true`
   */
  serveClient(v: boolean): this;
  serveClient(): boolean;
  serveClient(v?: boolean): this | boolean;

  /**
   * Finds or creates the namespace that a client asks for.
   *
   * @private
   * @param name - its name, with its leading slash
   * @param auth - what the client sent along
   * @param fn - called with the namespace, or with `false`
   */
  _checkNamespace(
    name: string,
    auth: { [key: string]: any },
    fn: (nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> | false) => void,
  ): void;

  /**
   * Sets or tells the path under which requests are served. To be set before {@link attach}.
   *
   * @param v - the path; a slash at its end is dropped
   * @returns the server when set, the value when asked; default `"/socket.io"`
   */
  path(v: string): this;
  path(): string;
  path(v?: string): this | string;

  /**
   * Sets or tells how long a connection may stay without having joined a namespace.
   *
   * @param v - in milliseconds
   * @returns the server when set, the value when asked; default `45000`
   */
  connectTimeout(v: number): this;
  connectTimeout(): number;
  connectTimeout(v?: number): this | number;

  /**
   * Sets or tells what makes the adapters. Setting it gives every namespace a new, empty adapter.
   *
   * @param v - a class, or a function that returns an adapter
   * @returns the server when set, the value when asked
   */
  adapter(): AdapterConstructor | undefined;
  adapter(v: AdapterConstructor): this;

  /**
   * The same as {@link attach}.
   *
   * @param srv - an HTTP server, or a port to listen on at once
   * @param opts - options; those of the constructor win
   * @returns the server
   * @throws Error if an Express application is given instead of an HTTP server
   */
  listen(srv: TServerInstance | number | ListenAddress, opts?: Partial<ServerOptions>): this;

  /**
   * Attaches the server to an HTTP server, or to one of its own on a port.
   *
   * @param srv - an HTTP server, or a port to listen on at once
   * @param opts - options; those of the constructor win
   * @returns the server
   * @throws Error if an Express application is given instead of an HTTP server
   */
  attach(srv: TServerInstance | number | ListenAddress, opts?: Partial<ServerOptions>): this;

  /**
   * Attaches the server to an application of uWebSockets.js.
   *
   * @param app - the application
   * @param opts - options; those of the constructor win
   */
  attachApp(app: any, opts?: Partial<ServerOptions>): void;

  private extractFilename;
  private initEngine;
  private attachServe;
  private serve;
  private static sendFile;

  /**
   * Takes the connections of an engine that was made elsewhere.
   *
   * @param engine - an engine of its own, or one that behaves like it
   * @returns the server
   */
  bind(engine: any): this;

  private onconnection;

  /**
   * Finds or creates a namespace, or declares a pattern for namespaces that clients may create.
   *
   * @example
   * io.of("/orders").on("connection", (socket) => {});
   *
   * io.of(/^\/room-\d+$/).on("connection", (socket) => {
   *   const room = socket.nsp; // the namespace itself, not the pattern
   * });
   *
   * @param name - a name, a regular expression, or a function that decides
   * @param fn - a listener for `connection`
   * @returns the namespace
   * @throws Error if the regular expression is stateful (flags `g` and `y`)
   */
  of(
    name: string | RegExp | ParentNspNameMatchFn,
    fn?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;

  /**
   * What the process has counted since it started, by all servers in it: connections by transport,
   * events and bytes in and out, deliveries, drops by reason, heartbeats. Counting is always on and
   * costs no lock. A method of ferrio's own; `ferrio/metrics` has the same as Prometheus text.
   */
  metrics(): Metrics;

  /**
   * Replaces the certificate, and what else of the option `tls` is given, for connections to come;
   * those that are open stay. With several ports, of all that were opened with that option. A method of
   * ferrio's own, for servers over TLS.
   *
   * @param options - as the option `tls`; what is left out stays as it was
   */
  setSecureContext(options: Partial<SecureOptions>): this;

  /**
   * Disconnects all sockets, closes the engine and the HTTP server.
   *
   * @param fn - called when all is closed, with an error if the HTTP server was not running
   * @returns resolves when all is closed
   */
  close(fn?: (err?: Error) => void): Promise<void>;

  /**
   * Adds a middleware to the main namespace; see {@link Namespace#use}.
   *
   * @example
   * io.use((socket, next) => {
   *   next(socket.handshake.auth.token === secret ? undefined : new Error("unauthorized"));
   * });
   *
   * @param fn - has to call `next` once
   * @returns the server
   */
  use(
    fn: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      next: (err?: ExtendedError) => void,
    ) => void,
  ): this;

  /**
   * Starts a broadcast to rooms of the main namespace.
   *
   * @param room - a room or several; whoever is in more than one is reached once
   * @returns an operator, for `emit()` and for more modifiers
   */
  to(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData>;

  /**
   * The same as {@link to}, for where it reads better: `io.in("lobby").disconnectSockets()`.
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
   * Emits the event `message` to all sockets of the main namespace.
   *
   * @param args - anything that can be serialised
   * @returns the server
   */
  send(...args: EventParams<EmitEvents, "message">): this;

  /**
   * The same as {@link send}.
   *
   * @param args - anything that can be serialised
   * @returns the server
   */
  write(...args: EventParams<EmitEvents, "message">): this;

  /**
   * Emits to the other servers of the cluster, not to clients. It needs an adapter that reaches
   * them.
   *
   * @example
   * io.serverSideEmit("load?", (err, loads) => {});
   *
   * io.on("load?", (answer) => answer(42)); // on the other servers
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
   * Emits to the other servers and gathers their answers.
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
   * The ids of the sockets in the main namespace, on all servers.
   *
   * @deprecated prefer {@link fetchSockets}, or `io.of("/").adapter.sockets()` for ids
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
   * io.timeout(1000).emit("ready?", (err, answers) => {
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
   * The sockets of the main namespace, on all servers. Those of this server are {@link Socket}
   * objects, those of others stand for them.
   *
   * @returns the sockets, in no particular order
   */
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]>;

  /**
   * Makes all sockets of the main namespace join a room.
   *
   * @param room - a room or several
   */
  socketsJoin(room: Room | Room[]): void;

  /**
   * Makes all sockets of the main namespace leave a room.
   *
   * @param room - a room or several
   */
  socketsLeave(room: Room | Room[]): void;

  /**
   * Disconnects all sockets of the main namespace.
   *
   * @param close - whether to close the connections too, with all their namespaces; default `false`
   */
  disconnectSockets(close?: boolean): void;
}

export {};
