// The engine: handshakes, requests, upgrades, and the connections that it keeps (`io.engine`).

import { EventEmitter } from "events";
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "http";
import type { Duplex } from "stream";
import type { Socket } from "./engine-socket";
import type { EngineRequest, Transport } from "./engine-transport";
import type { AttachOptions, EngineOptions, TransportName } from "./options";

/**
 * The verdict on a request: nothing where it is fine, or what is wrong with it.
 */
export type ErrorCallback = (
  errorCode?: (typeof Server.errors)[keyof typeof Server.errors],
  errorContext?: Record<string, unknown> & { name?: string; message?: string },
) => void;

/** A middleware of the engine. */
type EngineMiddleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (err?: any) => void,
) => void;

/**
 * What engines have in common, whatever accepts their connections.
 *
 * Events: `connection(conn)`, `connection_error({ req, code, message, context })`,
 * `initial_headers(headers, req)`, `headers(headers, req)`, `flush(conn, packets)`, `drain(conn)`.
 */
export declare abstract class BaseServer extends EventEmitter {
  /** The options in use; a change applies to the connections that follow. */
  opts: EngineOptions;

  protected clients: Record<string, Socket>;

  /** How many connections there are. */
  clientsCount: number;

  protected middlewares: EngineMiddleware[];

  /**
   * @param opts - the options
   */
  constructor(opts?: EngineOptions);

  protected abstract init(): void;

  /**
   * The path that requests are matched with.
   *
   * @param options - how the engine is attached
   * @returns the path, with a slash at its end unless that was turned off
   */
  protected _computePath(options: AttachOptions): string;

  /**
   * The transports that a client can upgrade to.
   *
   * @param transport - the one that it uses
   * @returns their names
   */
  upgrades(transport: TransportName): string[];

  /**
   * Checks a request.
   *
   * @param req - the request
   * @param upgrade - whether it is an upgrade request
   * @param fn - called with the verdict
   */
  protected verify(req: EngineRequest, upgrade: boolean, fn: ErrorCallback): void | boolean;

  /**
   * Adds a middleware that sees each HTTP request of the engine.
   *
   * @example
   * io.engine.use(helmet());
   *
   * @param fn - takes `(req, res, next)`, as in Express
   */
  use(fn: any): void;

  /**
   * Runs the middlewares.
   *
   * @param req - the request
   * @param res - its response
   * @param callback - called at the end, with the error of a middleware if there was one
   */
  protected _applyMiddlewares(
    req: IncomingMessage,
    res: ServerResponse,
    callback: (err?: any) => void,
  ): void;

  /**
   * Closes all connections.
   *
   * @returns the engine
   */
  close(): this;

  protected abstract cleanup(): any;

  /**
   * Makes the id of a session. Replace it to have ids of your own; they have to be unique.
   *
   * @param req - the first request
   * @returns the id, or a promise for it
   */
  generateId(req: IncomingMessage): string | PromiseLike<string>;

  /**
   * Opens a connection.
   *
   * @param transportName - the transport that the client asks for
   * @param req - its request
   * @param closeConnection - called with what is wrong, if something is
   * @returns resolves with the transport
   */
  protected handshake(
    transportName: TransportName,
    req: EngineRequest,
    closeConnection: ErrorCallback,
  ): Promise<any>;

  /**
   * Takes a WebTransport session of an HTTP/3 server.
   *
   * @param session - the session
   */
  onWebTransportSession(session: any): Promise<any>;

  protected abstract createTransport(transportName: TransportName, req: EngineRequest): any;

  /** What can be wrong with a request, by name. */
  static errors: {
    readonly UNKNOWN_TRANSPORT: 0;
    readonly UNKNOWN_SID: 1;
    readonly BAD_HANDSHAKE_METHOD: 2;
    readonly BAD_REQUEST: 3;
    readonly FORBIDDEN: 4;
    readonly UNSUPPORTED_PROTOCOL_VERSION: 5;
  };

  /** What the client is told of it. */
  static errorMessages: {
    readonly 0: "Transport unknown";
    readonly 1: "Session ID unknown";
    readonly 2: "Bad handshake method";
    readonly 3: "Bad request";
    readonly 4: "Forbidden";
    readonly 5: "Unsupported protocol version";
  };
}

/**
 * The engine of a Node.js HTTP server.
 */
export declare class Server extends BaseServer {
  /** The HTTP server, where the engine made it itself. */
  httpServer?: HttpServer;

  private ws;

  protected init(): void;
  protected cleanup(): void;

  private prepare;

  protected createTransport(transportName: TransportName, req: IncomingMessage): Transport;

  /**
   * Takes an HTTP request, for routing of your own.
   *
   * @param req - the request
   * @param res - its response
   */
  handleRequest(req: IncomingMessage, res: ServerResponse): void;

  /**
   * Takes an upgrade request, for routing of your own.
   *
   * @param req - the request
   * @param socket - the network connection
   * @param upgradeHead - what was read beyond the request
   */
  handleUpgrade(req: IncomingMessage, socket: Duplex, upgradeHead: Buffer): void;

  private onWebSocket;

  /**
   * Attaches the engine to an HTTP server.
   *
   * @param server - the HTTP server
   * @param options - the path, and what happens to upgrades of others
   */
  attach(server: HttpServer, options?: AttachOptions): void;
}

export {};
