// Everything that can be passed to `new Server()` and `io.attach()`: the options of the three
// layers (Socket.IO, engine, attachment), which travel as one flat object. No option is required;
// unknown keys are ignored.

import type { IncomingHttpHeaders, IncomingMessage } from "http";
import type { SecureContextOptions, TlsOptions } from "tls";
import type { ZlibOptions } from "zlib";
import type { Adapter } from "socket.io-adapter";
import type { Namespace } from "./namespace";

/**
 * Where `io.listen()` listens: a TCP port or a unix socket. Of ferrio's own. The native listener
 * accepts, unless the option `acceptor` says otherwise.
 */
export interface ListenAddress {
  /** The port, from 0 (any free one) to 65535. */
  port?: number;

  /**
   * The address to listen on.
   *
   * @default all, of IPv6 and IPv4
   */
  host?: string;

  /** The path of a unix socket, instead of a port. */
  path?: string;

  /**
   * How many connections may wait to be accepted. The system has a limit of its own.
   *
   * @default 4096 with the native listener, 511 without
   */
  backlog?: number;

  /**
   * Lets several processes listen on the port, each with a queue of its own; the kernel spreads
   * connections over them. On Linux.
   *
   * @default false
   */
  reusePort?: boolean;

  /**
   * Whether an IPv6 address takes no connections over IPv4.
   *
   * @default false
   */
  ipv6Only?: boolean;
}

/**
 * A certificate with its key, or several. With several of each, the first belong together, and so on.
 */
export interface CertificateOptions {
  /** Private keys in PEM: RSA of 2048 bits or more, EC over P-256 or P-384, Ed25519. */
  key?: SecureContextOptions["key"];

  /** Certificates in PEM, each followed by those that it is signed by. */
  cert?: SecureContextOptions["cert"];

  /** Certificates that complete the chains. No client is asked for a certificate. */
  ca?: SecureContextOptions["ca"];

  /** What keys are encrypted with. */
  passphrase?: string;
}

/**
 * The TLS of a port that the server opens itself, as Node's `tls.createServer()` takes it. Of ferrio's
 * own. These are what the native listener takes; with `acceptor: "node"`, Node takes all of its own.
 */
export interface SecureOptions extends CertificateOptions {
  /** Certificates for some server names, which may begin with `*.`; others get the one above. */
  contexts?: { [serverName: string]: CertificateOptions };

  /**
   * The oldest version that is spoken.
   *
   * @default "TLSv1.2"
   */
  minVersion?: "TLSv1.2" | "TLSv1.3";

  /**
   * The newest.
   *
   * @default "TLSv1.3"
   */
  maxVersion?: "TLSv1.2" | "TLSv1.3";

  /**
   * What is agreed on with clients that ask for a protocol.
   *
   * @default ["http/1.1"]
   */
  ALPNProtocols?: ["http/1.1"];

  /**
   * How long a handshake may take, in milliseconds.
   *
   * @default 10000
   */
  handshakeTimeout?: number;
}

/**
 * What makes the adapter of a namespace: a class, or a function that returns one. It is called
 * with `new` in both cases, so an arrow function passes the type check but fails at run time.
 */
export type AdapterConstructor = typeof Adapter | ((nsp: Namespace) => Adapter);

/**
 * Decides whether a namespace that does not exist yet may be created.
 *
 * @param name - the name that the client asks for, with its leading slash
 * @param auth - what the client sent along
 * @param fn - to be called with the verdict
 */
export type ParentNspNameMatchFn = (
  name: string,
  auth: { [key: string]: any },
  fn: (err: Error | null, success: boolean) => void,
) => void;

/** The transports by name. */
export type TransportName = "polling" | "websocket" | "webtransport";

/**
 * The options of a server: `new Server(opts)`, `new Server(httpServer, opts)`.
 */
export interface ServerOptions extends EngineOptions, AttachOptions {
  /**
   * The path under which requests are served and the client files are found.
   *
   * @default "/socket.io"
   */
  path: string;

  /**
   * Whether to serve the browser client (`/socket.io/socket.io.js` and its variants). Turn it off
   * where the client comes from a bundle or a CDN.
   *
   * @default true
   */
  serveClient: boolean;

  /**
   * The adapter that keeps the rooms and passes broadcasts on to other servers.
   *
   * @default the in-memory adapter of `socket.io-adapter`
   */
  adapter: AdapterConstructor;

  /**
   * An object with an `Encoder` and a `Decoder` constructor, for another wire format. The client
   * has to be given the matching parser.
   *
   * @default the module `socket.io-parser`
   */
  parser: any;

  /**
   * How long a connection may stay without having joined a namespace, in milliseconds, before it
   * is closed. Raise it for slow networks, lower it to shed idle connections sooner. `0` stands
   * for the default.
   *
   * @default 45000
   */
  connectTimeout: number;

  /**
   * Lets a client that lost its connection for a moment take up its session again: its id, its
   * rooms, its `data` and the packets it missed. Off unless an object is given; the adapter has to
   * support it.
   */
  connectionStateRecovery: {
    /**
     * How long sessions and packets are kept, in milliseconds. Raise it to cover longer gaps,
     * lower it to use less memory.
     *
     * @default 120000
     */
    maxDisconnectionDuration?: number;

    /**
     * Whether a recovered socket passes the namespace middlewares by.
     *
     * @default true
     */
    skipMiddlewares?: boolean;
  };

  /**
   * Whether a namespace that was created from a pattern is removed once its last socket has left.
   * Turn it on where clients name many short-lived namespaces.
   *
   * @default false
   */
  cleanupEmptyChildNamespaces: boolean;

  /**
   * How many I/O threads the connections of this server are spread over, from 1 to 64. An option of
   * ferrio's own. Raise it when the I/O threads are busier than the JavaScript thread, as with large
   * broadcasts; with 1, connections are served in the order in which they became readable.
   *
   * @default half the cores, from 1 to 4
   */
  ioThreads?: number;

  /**
   * How many bytes may wait for a client that does not read, before its connection is closed with
   * the reason "limit exceeded" and the description "backpressure limit exceeded". One message may
   * be larger.
   * What is broadcast is shared, not copied, but counts for each. `Infinity` lets it grow without
   * end, as socket.io does. Lower it to bound memory where clients may be hostile; raise it if you
   * send much at once to clients on slow networks. With `attachApp()` it is the option of
   * uWebSockets.js instead. An option of ferrio's own.
   *
   * @default 67108864 (64 MiB)
   */
  maxBackpressure?: number;

  /**
   * How many handshakes may wait for middlewares of the engine or for `allowRequest`, and with the
   * native listener also those that JavaScript has not heard of; there the value counts that the
   * option has when the server begins to listen. Further ones are answered with 503 and
   * `Retry-After`. An option of ferrio's own.
   *
   * @default 16384
   */
  maxHandshakes?: number;

  /**
   * How many namespaces one client may be connected to, or wait to be. Further ones are refused
   * with a `connect_error`. An option of ferrio's own.
   *
   * @default 1000
   */
  maxNamespaces?: number;

  /**
   * How many rooms one socket may be in, that of its own id included. A client whose socket joins
   * more is closed with the reason "limit exceeded". An option of ferrio's own.
   *
   * @default 65536
   */
  maxRooms?: number;

  /**
   * How much one client may send. What is more never reaches JavaScript. Acknowledgements and
   * packets that connect or disconnect are not counted. An option of ferrio's own.
   *
   * @default no limit
   */
  rateLimit?: RateLimitOptions | false;

  /**
   * Who accepts the connections of the HTTP server. An option of ferrio's own. See docs/listener.md.
   *
   * `"auto"`: on Linux, Node accepts for an HTTP server of yours, and a connection that begins with a
   * request of the engine goes to Rust unread. Ports that Socket.IO opens itself (`new Server(port)`,
   * `io.listen(port)`) are as with `"native"`.
   *
   * `"native"`: Rust accepts and serves the engine's connections without a step in JavaScript, and gives
   * every other connection to the HTTP server. The TLS of an HTTPS server is then Rust's, too. Where that
   * is not possible, it is as with `"auto"`, and a warning says why.
   *
   * `"node"`: Node accepts and reads every request.
   *
   * @default the environment variable FERRIO_ACCEPTOR, or else "auto"
   */
  acceptor?: "auto" | "native" | "node";

  /**
   * TLS for a port that the server opens itself: `io.listen(443, { tls: { key, cert } })`. The native
   * listener speaks it, on Linux and unless the option `acceptor` says otherwise, and Node elsewhere. An
   * option of ferrio's own. See docs/listener.md.
   */
  tls?: SecureOptions | (TlsOptions & Pick<SecureOptions, "contexts">);

  /**
   * Whether each connection begins with a header of the PROXY protocol (version 1 or 2), from which its
   * address is taken. One without is closed. For the native listener, behind a proxy that nobody can
   * go around. An option of ferrio's own. See docs/listener.md.
   *
   * @default false
   */
  proxyProtocol?: boolean;

  /**
   * Which proxies are believed about where a client is: `handshake.address` is then the last address
   * of `X-Forwarded-For`, seen from the server, that is not one of a trusted proxy. `true` trusts all,
   * a number so many hops; addresses, subnets and the names `loopback`, `linklocal` and `uniquelocal`
   * are trusted when they are listed; a function is called with an address and its hop, from 0. The
   * values of Express's "trust proxy", read by the same package. An option of ferrio's own.
   *
   * @default false
   */
  trustProxy?: boolean | number | string | string[] | ((address: string, hop: number) => boolean);
}

/**
 * How the engine is attached to an HTTP server.
 */
export interface AttachOptions {
  /**
   * The path whose requests belong to the engine.
   *
   * @default "/engine.io" (a Socket.IO server passes its own)
   */
  path?: string;

  /**
   * Whether upgrade requests that nobody answers are ended. Turn it off where another library
   * answers upgrades on the same server later than `destroyUpgradeTimeout`.
   *
   * @default true
   */
  destroyUpgrade?: boolean;

  /**
   * How long to wait for somebody else to answer such an upgrade, in milliseconds. `0` stands for
   * the default.
   *
   * @default 1000
   */
  destroyUpgradeTimeout?: number;

  /**
   * Whether a slash is appended to the path before requests are matched with it.
   *
   * @default true
   */
  addTrailingSlash?: boolean;
}

/**
 * The options of the engine: transports, heartbeats, limits. They are read when they are used, so
 * a change of `io.engine.opts` applies to the connections that follow.
 */
export interface EngineOptions {
  /**
   * How long to wait for the client's answer to a ping, in milliseconds, before the connection is
   * closed. Raise it for clients that block or sleep for long, lower it to notice dead ones sooner.
   *
   * @default 20000
   */
  pingTimeout?: number;

  /**
   * The time between two pings, in milliseconds. Raise it to save traffic, lower it where proxies
   * cut idle connections. Pings that are due at about the same time are sent together: one may be
   * early or late by a fiftieth of this, or a twentieth of `pingTimeout`, 100 ms at most.
   *
   * @default 25000
   */
  pingInterval?: number;

  /**
   * How long an upgrade to another transport may take, in milliseconds.
   *
   * @default 10000
   */
  upgradeTimeout?: number;

  /**
   * The size of the largest message, in bytes. Raise it for large uploads, lower it to bound what
   * one client can make the server hold. Beyond it a WebSocket is closed and a POST gets a 413.
   *
   * @default 1000000
   */
  maxHttpBufferSize?: number;

  /**
   * Decides whether a handshake is accepted. It sees the first request of each connection only.
   *
   * @param req - the request
   * @param fn - to be called with a message for the client (or `null`) and the verdict
   */
  allowRequest?: (
    req: IncomingMessage,
    fn: (err: string | null | undefined, success: boolean) => void,
  ) => void;

  /**
   * The transports that are served, in any order.
   *
   * @default ["polling", "websocket"]
   */
  transports?: TransportName[];

  /**
   * Whether clients are told that they can upgrade from polling.
   *
   * @default true
   */
  allowUpgrades?: boolean;

  /**
   * Compression of WebSocket messages. It costs memory per connection and time per message; turn
   * it on for large, repetitive messages over slow networks.
   *
   * @default false
   */
  perMessageDeflate?: boolean | PerMessageDeflateOptions;

  /**
   * Compression of polling responses: options for zlib, with `threshold` for the smallest body in
   * bytes that is compressed.
   *
   * @default { threshold: 1024 }
   */
  httpCompression?: boolean | object;

  /**
   * Another WebSocket server class, with the interface of the one that `ws` exports.
   */
  wsEngine?: any;

  /**
   * A message that is sent to each client right after its handshake.
   */
  initialPacket?: any;

  /**
   * A cookie with the session id, for load balancers that route by cookie. `true` stands for
   * `{ name: "io", path: "/", httpOnly: true, sameSite: "lax" }`. It is set on polling handshakes.
   *
   * @default false
   */
  cookie?: (CookieOptions & { name: string }) | boolean;

  /**
   * Cross-origin access: options for the package `cors`, or a function that finds them.
   */
  cors?: CorsOptions | CorsOptionsDelegate;

  /**
   * Whether clients of Socket.IO 2 (engine protocol 3) are served.
   *
   * @default false
   */
  allowEIO3?: boolean;
}

/**
 * The limit of what one client may send, in windows of fixed length.
 */
export interface RateLimitOptions {
  /**
   * Events in a window.
   *
   * @default Infinity
   */
  events?: number;

  /**
   * Bytes of events and their attachments in a window.
   *
   * @default Infinity
   */
  bytes?: number;

  /**
   * The length of a window, in milliseconds, from 1 to a day.
   *
   * @default 1000
   */
  per?: number;

  /**
   * What happens to an event that is too much: it is dropped, with its attachments and without an
   * acknowledgement, or its connection is closed with "limit exceeded".
   *
   * @default "drop"
   */
  action?: "drop" | "disconnect";
}

/**
 * The negotiation of compression for WebSocket messages (RFC 7692).
 */
export interface PerMessageDeflateOptions {
  /**
   * Whether the server promises that no message of its own refers to an earlier one, so that
   * clients need no memory for them. It compresses every message by itself in any case; `false`
   * refuses the offers of clients that ask for the promise.
   */
  serverNoContextTakeover?: boolean | undefined;
  /**
   * Whether the same is asked of the client: less memory here (up to 40 KiB for a client that sends
   * much), and larger messages from it.
   */
  clientNoContextTakeover?: boolean | undefined;
  /**
   * The size of the server's window, as a power of two from 8 to 15. Lower it to save clients
   * memory; messages become larger.
   */
  serverMaxWindowBits?: number | undefined;
  /**
   * The size of the client's window, as a power of two from 8 to 15. Lower it to save memory here;
   * clients that do not offer to limit their window are refused.
   */
  clientMaxWindowBits?: number | undefined;
  /** How outgoing messages are compressed: `level`, `memLevel` and `strategy` are used. */
  zlibDeflateOptions?: DeflateOptions | undefined;
  /**
   * For compatibility only: it has no effect, since messages are not decompressed by Node. A
   * warning says so once.
   */
  zlibInflateOptions?: ZlibOptions | undefined;
  /**
   * The smallest message that is compressed, in bytes. A message that compression would not make
   * smaller is sent as it is.
   *
   * @default 1024
   */
  threshold?: number | undefined;
  /**
   * For compatibility only: it has no effect, since messages are compressed on the I/O threads. A
   * warning says so once.
   */
  concurrencyLimit?: number | undefined;
}

/**
 * The part of zlib's options that applies to outgoing messages.
 */
export interface DeflateOptions {
  /** For compatibility only: it has no effect. */
  flush?: number | undefined;
  /** For compatibility only: it has no effect. */
  finishFlush?: number | undefined;
  /** For compatibility only: it has no effect. */
  chunkSize?: number | undefined;
  /** For compatibility only: `serverMaxWindowBits` is what counts. */
  windowBits?: number | undefined;
  /**
   * From 0 (none) to 9 (smallest), or -1 for zlib's default. Lower it to save processor time.
   *
   * @default -1
   */
  level?: number | undefined;
  /**
   * How much memory compression takes, from 1 to 9: once for each I/O thread.
   *
   * @default 8
   */
  memLevel?: number | undefined;
  /** One of zlib's strategies. */
  strategy?: number | undefined;
  /** For compatibility only: it has no effect, since clients could not know it. */
  dictionary?: Buffer | Buffer[] | DataView | undefined;
  /** For compatibility only: it has no effect. */
  info?: boolean | undefined;
}

/**
 * The attributes of a cookie, as the package `cookie` takes them.
 */
export interface CookieOptions {
  /** The host that the cookie is sent to; without it, the one that set it. */
  domain?: string | undefined;
  /** Turns the value into what is written; `encodeURIComponent` by default. */
  encode?(value: string): string;
  /** When the cookie ends. */
  expires?: Date | undefined;
  /** Whether scripts of the page are kept from reading it. */
  httpOnly?: boolean | undefined;
  /** How long the cookie lasts, in seconds. */
  maxAge?: number | undefined;
  /** Whether the cookie is kept apart for each top-level site. */
  partitioned?: boolean | undefined;
  /** The path that the cookie is sent for. */
  path?: string | undefined;
  /** What a browser drops last when it runs out of space. */
  priority?: "low" | "medium" | "high" | undefined;
  /** Whether the cookie travels with requests from other sites; `true` stands for `"strict"`. */
  sameSite?: true | false | "lax" | "strict" | "none" | undefined;
  /** Whether the cookie travels over encrypted connections only. */
  secure?: boolean | undefined;
}

/**
 * Cross-origin access, as the package `cors` takes it.
 */
export interface CorsOptions {
  /**
   * The origins that are let in: all (`true` or `"*"`), some, or what a function answers.
   *
   * @default "*"
   */
  origin?: CorsOrigin | CorsOriginCallback | undefined;
  /**
   * The methods that are allowed.
   *
   * @default "GET,HEAD,PUT,PATCH,POST,DELETE"
   */
  methods?: string | string[] | undefined;
  /** The request headers that are allowed; by default those that the browser asks for. */
  allowedHeaders?: string | string[] | undefined;
  /** The response headers that scripts may read. */
  exposedHeaders?: string | string[] | undefined;
  /** Whether cookies and authorization travel along. */
  credentials?: boolean | undefined;
  /** How long browsers may remember the answer to a preflight request, in seconds. */
  maxAge?: number | undefined;
  /**
   * Whether preflight requests are passed on instead of being answered.
   *
   * @default false
   */
  preflightContinue?: boolean | undefined;
  /**
   * The status of the answer to a preflight request.
   *
   * @default 204
   */
  optionsSuccessStatus?: number | undefined;
}

/** One origin, a pattern, a list of both, or a verdict for all. */
export type CorsOrigin = boolean | string | RegExp | Array<boolean | string | RegExp>;

/** Finds out whether an origin is let in. */
export type CorsOriginCallback = (
  requestOrigin: string | undefined,
  callback: (err: Error | null, origin?: CorsOrigin) => void,
) => void;

/** What a function that chooses the CORS options gets to see of a request. */
export interface CorsRequest {
  /** The HTTP method. */
  method?: string | undefined;
  /** The request headers. */
  headers: IncomingHttpHeaders;
}

/** Finds the CORS options of a request. */
export type CorsOptionsDelegate<T extends CorsRequest = CorsRequest> = (
  req: T,
  callback: (err: Error | null, options?: CorsOptions) => void,
) => void;
