// The small types around a socket: why it went, what it emits by itself, what its handshake holds.

import type { IncomingHttpHeaders } from "http";
import type { ParsedUrlQuery } from "querystring";

/**
 * Why a socket was disconnected, as the server sees it.
 *
 * - `transport error`: the connection failed, or the client broke the transport's rules
 * - `transport close`: the client went away or closed the connection
 * - `forced close`: the server closed the connection, or the client broke the protocol
 * - `ping timeout`: no heartbeat within `pingTimeout`
 * - `parse error`: a packet could not be decoded
 * - `server shutting down`: `io.close()`
 * - `forced server close`: the connection was closed while packets were still queued
 * - `client namespace disconnect`: the client left this namespace
 * - `server namespace disconnect`: `socket.disconnect()`
 *
 * A client that did more than a limit of ferrio's own allows (docs/limits.md) is disconnected with
 * `limit exceeded`. It is not among these, so that code which names every reason of socket.io
 * compiles with both: compare as `(reason as string) === "limit exceeded"`.
 */
export type DisconnectReason =
  | "client namespace disconnect"
  | "forced close"
  | "forced server close"
  | "parse error"
  | "ping timeout"
  | "server namespace disconnect"
  | "server shutting down"
  | "transport close"
  | "transport error";

/**
 * The events that a socket emits by itself.
 */
export interface SocketReservedEventsMap {
  /** The socket is gone and has left its rooms; the transport may have a description. */
  disconnect: (reason: DisconnectReason, description?: any) => void;
  /** The socket is about to go: `socket.rooms` still holds its rooms. */
  disconnecting: (reason: DisconnectReason, description?: any) => void;
  /** A packet middleware refused an event, or a packet could not be decoded. */
  error: (err: Error) => void;
}

/**
 * The events that Node's `EventEmitter` emits by itself.
 */
export interface EventEmitterReservedEventsMap {
  /** A listener is about to be added. */
  newListener: (eventName: string | Symbol, listener: (...args: any[]) => void) => void;
  /** A listener was removed. */
  removeListener: (eventName: string | Symbol, listener: (...args: any[]) => void) => void;
}

/**
 * The names that cannot be emitted on a socket or in a broadcast.
 */
export declare const RESERVED_EVENTS: ReadonlySet<string | Symbol>;

/**
 * What is known of a socket from its handshake. A plain object of its own, one per socket; its
 * headers and its query are those of the first HTTP request of the connection.
 */
export interface Handshake {
  /** The headers of the first request, `{}` where there was none (WebTransport). */
  headers: IncomingHttpHeaders;
  /** When the handshake took place, as `Date.prototype.toString()` writes it. */
  time: string;
  /** The IP address of the peer: of the proxy, where there is one. */
  address: string;
  /** Whether the request had an `Origin` header. */
  xdomain: boolean;
  /** Whether the connection to this server is encrypted. */
  secure: boolean;
  /** When the handshake took place, in milliseconds since the epoch. */
  issued: number;
  /** The URL of the first request. */
  url: string;
  /** The query of the first request; of a repeated parameter the last value. */
  query: ParsedUrlQuery;
  /** What the client sent as `auth` when it joined the namespace, `{}` by default. */
  auth: { [key: string]: any };
}
