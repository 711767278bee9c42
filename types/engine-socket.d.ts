// One connection of the engine, whichever transport it uses at the moment (`socket.conn`).

import { EventEmitter } from "events";
import type { IncomingMessage } from "http";
import type { BaseServer } from "./engine-server";
import type { EngineRequest, RawData, Transport } from "./engine-transport";

/** How a message is to be written. */
export interface SendOptions {
  /**
   * Whether it may be compressed, where the transport can.
   *
   * @default true
   */
  compress?: boolean;
}

/** Called when the messages that were written together have left. */
type SendCallback = (transport: Transport) => void;

/** The states of a connection. */
type SocketState = "opening" | "open" | "closing" | "closed";

/**
 * A connection.
 *
 * Events: `open`, `packet(packet)`, `packetCreate(packet)`, `flush(packets)`, `drain`,
 * `data(data)`, `message(data)`, `heartbeat`, `upgrading(transport)`, `upgrade(transport)`,
 * `close(reason, description)`.
 */
export declare class Socket extends EventEmitter {
  /** The version of the engine protocol: 4, or 3 for clients of Socket.IO 2. */
  readonly protocol: number;

  /** The first HTTP request of the connection. Set it to `null` to let go of its memory. */
  request: IncomingMessage;

  /** The IP address of the peer. */
  readonly remoteAddress: string;

  /**
   * The state of the connection.
   *
   * @private
   */
  _readyState: SocketState;

  /** The transport in use; `upgrade` tells when it is another one. */
  transport: Transport;

  private server;

  /**
   * Whether an upgrade is under way.
   *
   * @private
   */
  upgrading: boolean;

  /**
   * Whether the connection was upgraded.
   *
   * @private
   */
  upgraded: boolean;

  private writeBuffer;
  private packetsFn;
  private sentCallbackFn;
  private cleanupFn;
  private pingTimeoutTimer;
  private pingIntervalTimer;
  private hasRefreshedPingTimeout;
  private readonly id;

  /** The state of the connection. */
  get readyState(): SocketState;
  set readyState(state: SocketState);

  /**
   * Made by the engine.
   *
   * @param id - the id of the session
   * @param server - the engine
   * @param transport - the first transport
   * @param req - the first request
   * @param protocol - the version of the engine protocol
   */
  constructor(
    id: string,
    server: BaseServer,
    transport: Transport,
    req: EngineRequest,
    protocol: number,
  );

  private onOpen;
  private onPacket;
  private onError;
  private schedulePing;
  private resetPingTimeout;
  private setTransport;
  private onDrain;

  /**
   * Starts the upgrade to another transport.
   *
   * @private
   * @param transport - the other transport
   */
  _maybeUpgrade(transport: Transport): void;

  private clearTransport;
  private onClose;

  /**
   * Sends a message.
   *
   * @param data - text or binary
   * @param options - how it is to be written
   * @param callback - called when it has left
   * @returns the connection
   */
  send(data: RawData, options?: SendOptions, callback?: SendCallback): this;

  /**
   * The same as {@link send}.
   *
   * @param data - text or binary
   * @param options - how it is to be written
   * @param callback - called when it has left
   * @returns the connection
   */
  write(data: RawData, options?: SendOptions, callback?: SendCallback): this;

  private sendPacket;
  private flush;
  private getAvailableUpgrades;

  /**
   * Closes the connection.
   *
   * @param discard - whether to drop what waits to be sent; default `false`
   */
  close(discard?: boolean): void;

  private closeTransport;
}

export {};
