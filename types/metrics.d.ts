// The module `ferrio/metrics`, and what `io.metrics()` returns.

import type { IncomingMessage, ServerResponse } from "http";

/** What the process has counted since it started, by all servers in it. */
export interface Metrics {
  /** Connections open now, by transport. */
  connections: { websocket: number; polling: number };
  /** Connections that were opened. */
  opened: number;
  /** Connections that were closed, by the reason that `disconnect` listeners see. */
  closed: Record<string, number>;
  /** Events and acknowledgements: decoded by the core, and queued for clients. */
  events: { in: number; out: number };
  /** Bytes read from clients, and taken by WebSockets. */
  bytes: { in: number; out: number };
  /** Broadcasts, counted on each I/O thread. */
  broadcasts: number;
  /** Recipients of broadcasts. */
  deliveries: number;
  /** Connections closed for not reading, events over the rate limit, panics contained. */
  dropped: { backpressure: number; rateLimit: number; panic: number };
  /** Round-trips of pings: counts by upper bound in milliseconds, and their sum. */
  heartbeat: { buckets: Record<string, number>; sum: number };
  /**
   * The JavaScript thread: bytes that wait for it, batches it has taken, how many seconds they
   * have waited all together, and the event loop's utilization as `perf_hooks` reports it.
   */
  javascript: {
    queuedBytes: number;
    batches: number;
    waited: number;
    active: number;
    idle: number;
    utilization: number;
  };
  /** Each I/O thread that runs. */
  threads: Array<{
    connections: number;
    rounds: number;
    reads: number;
    bytesIn: number;
    bytesOut: number;
    deliveries: number;
  }>;
}

/** What was counted, as an object. */
export function metrics(): Metrics;

/** What was counted, in the text format that Prometheus reads. */
export function prometheus(): string;

/** Answers a request with `prometheus()`: `app.get("/metrics", handler)`. */
export function handler(req: IncomingMessage, res: ServerResponse): void;
