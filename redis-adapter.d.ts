import { Adapter } from "socket.io-adapter";

/** The Redis adapter: joins servers, of this package and others, through one Redis server. */

/** Clients of the `redis` or `ioredis` packages: only their options are read. */
interface ClientWithOptions {
  options?: unknown;
}

interface Parser {
  encode(value: any): Buffer;
  decode(data: Buffer): any;
}

/** Options of `tls.connect()`. Others that say how TLS is spoken are refused. */
export interface RedisTlsOptions {
  /** Authorities in PEM that are believed. @default those that Node believes */
  ca?: string | Buffer | (string | Buffer)[];
  /** Our certificate in PEM, and those that it is signed by, for a Redis that asks. */
  cert?: string | Buffer;
  /** Its key in PEM. */
  key?: string | Buffer;
  passphrase?: string;
  /** The name that Redis's certificate has to be for. @default the host */
  servername?: string;
  /** Without it, any certificate will do. @default true */
  rejectUnauthorized?: boolean;
}

export interface RedisAdapterOptions {
  /**
   * Where Redis is, such as `redis://user:password@host:6379/0`; `rediss://` speaks TLS. What it leaves out
   * of credentials and database is taken from the options of these names.
   */
  url?: string;
  /** Without `url`: the host. @default "127.0.0.1" */
  host?: string;
  /** Without `url`: the port. @default 6379 */
  port?: number;
  /** Without `url`: the path of a unix socket. */
  path?: string;
  username?: string;
  password?: string;
  /** Number of the database. Publish and subscribe do not depend on it. @default 0 */
  database?: number;
  /** Speak TLS. @default true with a `rediss://` URL */
  tls?: boolean | RedisTlsOptions;
  /** Ask these Sentinels, in this order, where the primary server is, and follow it. */
  sentinels?: { host: string; port?: number }[];
  /** With `sentinels`: what they call the servers. */
  name?: string;
  /** With `sentinels`: their own credentials. */
  sentinelUsername?: string;
  sentinelPassword?: string;
  /** With `sentinels`: speak TLS to them. */
  sentinelTLS?: boolean | RedisTlsOptions;
  /** A client to read the address from. It is not used itself. */
  pubClient?: ClientWithOptions;
  /** The same. */
  subClient?: ClientWithOptions;
  /** Prefix of the channels. @default "socket.io" */
  key?: string;
  /** How long to wait for the answers of other servers, in milliseconds. @default 5000 */
  requestsTimeout?: number;
  /** Answer on a channel of the server that asked. @default false */
  publishOnSpecificResponseChannel?: boolean;
  /** Encodes messages between servers. Any but the default is run in JavaScript. */
  parser?: Parser;
}

/**
 * The adapter of a namespace. Besides the events of all adapters it emits `ready` when the connections to Redis
 * stand and the namespace hears the other servers, at first and after every outage, and `error` with an `Error`
 * when something fails.
 */
export declare class RedisAdapter extends Adapter {
  /** The name of this server in the cluster. */
  readonly uid: string;
  /** How long to wait for the answers of other servers, in milliseconds. */
  readonly requestsTimeout: number;
}

/** Makes the adapters of a server: `new Server({ adapter: createAdapter({ url }) })`. */
export function createAdapter(options?: string | URL | RedisAdapterOptions): (nsp: any) => any;
/** The same with the arguments of `@socket.io/redis-adapter`: of the clients only the options are read. */
export function createAdapter(
  pubClient: ClientWithOptions & { publish: Function },
  subClient?: ClientWithOptions,
  options?: RedisAdapterOptions,
): (nsp: any) => any;
