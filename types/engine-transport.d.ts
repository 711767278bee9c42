// The transports of the engine: what carries the packets of one connection. The types of the
// packages `ws` and `engine.io-parser` are described here as far as they show, not imported.

import { EventEmitter } from "events";
import type { IncomingMessage, ServerResponse } from "http";
import type { PerMessageDeflateOptions } from "./options";

/** The states of a transport. */
export type TransportState = "open" | "closing" | "closed";

/** The data of an engine packet: text or binary. */
export type RawData = any;

/** An engine packet. */
export interface EnginePacket {
  /** What the packet is for; `message` carries the data of Socket.IO. */
  type: "open" | "close" | "ping" | "pong" | "message" | "upgrade" | "noop" | "error";
  /** How it is to be written. */
  options?: { compress: boolean };
  /** Its data, if it has some. */
  data?: RawData;
}

/** The WebSocket of a connection, as far as the engine uses it. */
export interface EngineWebSocket extends EventEmitter {
  /** The state, from 0 (connecting) to 3 (closed). */
  readonly readyState: 0 | 1 | 2 | 3;
  /** How many bytes wait to be sent. */
  readonly bufferedAmount: number;
  /** The extensions that were agreed on. */
  readonly extensions: string;
  /** The subprotocol that was agreed on. */
  readonly protocol: string;
  /** Sends a message. */
  send(data: any, cb?: (err?: Error) => void): void;
  send(data: any, options: object, cb?: (err?: Error) => void): void;
  /** Closes with a closing handshake. */
  close(code?: number, data?: string | Buffer): void;
  /** Closes at once. */
  terminate(): void;
}

/**
 * A request as the engine sees it.
 */
export type EngineRequest = IncomingMessage & {
  /** The query of the URL. */
  _query: Record<string, string>;
  /** The response, while nobody has taken it. */
  res?: ServerResponse;
  /** Takes back what was set up for a poll that waits. */
  cleanup?: Function;
  /** The WebSocket, after an upgrade. */
  websocket?: EngineWebSocket & { _socket?: { remoteAddress: string } };
};

/**
 * What all transports have in common.
 *
 * Events: `packet(packet)`, `ready`, `drain`, `headers(headers, req)`, `error(err)`, `close`.
 */
export declare abstract class Transport extends EventEmitter {
  /** The id of the session. */
  sid: string;
  /** Whether packets can be sent right now. */
  writable: boolean;
  /** The version of the engine protocol. */
  protocol: 3 | 4;

  protected _readyState: TransportState;
  protected discarded: boolean;
  protected parser: any;
  protected supportsBinary: boolean;

  /** The state of the transport. */
  get readyState(): TransportState;
  set readyState(state: TransportState);

  /** The transports that one can upgrade to from this one. */
  static upgradesTo: string[];

  /**
   * @param req - the request that opens the transport
   */
  constructor(req: { _query: Record<string, string> });

  /** Marks the transport as replaced by another one. */
  discard(): void;

  /**
   * Takes a request of the client.
   *
   * @param req - the request
   */
  onRequest(req: any): void;

  /**
   * Closes the transport. Does nothing when it is closing.
   *
   * @param fn - called once it is closed
   */
  close(fn?: () => void): void;

  /**
   * Emits an error whose `type` is `TransportError`, or nothing where nobody listens.
   *
   * @param msg - the message
   * @param desc - the `description` of the error
   */
  protected onError(msg: string, desc?: any): void;

  /**
   * Emits a packet.
   *
   * @param packet - the packet
   */
  protected onPacket(packet: EnginePacket): void;

  /**
   * Takes encoded data.
   *
   * @param data - one packet
   */
  protected onData(data: RawData): void;

  /** Marks the transport as closed. */
  protected onClose(): void;

  /** The name of the transport. */
  abstract get name(): string;

  /**
   * Sends packets.
   *
   * @param packets - in order
   */
  abstract send(packets: EnginePacket[]): void;

  /**
   * Closes what is below the transport.
   *
   * @param fn - called once it is closed
   */
  abstract doClose(fn?: () => void): void;
}

/**
 * HTTP long-polling: a GET waits for packets, a POST brings some.
 */
export declare class Polling extends Transport {
  /** The largest body, in bytes. */
  maxHttpBufferSize: number;
  /** How responses are compressed. */
  httpCompression: any;

  private req;
  private res;
  private dataReq;
  private dataRes;
  private shouldClose;
  private readonly closeTimeout;

  /**
   * @param req - the request that opens the transport
   */
  constructor(req: any);

  /** `"polling"` */
  get name(): string;

  /**
   * Takes a GET or a POST of the client.
   *
   * @param req - the request
   */
  onRequest(req: EngineRequest): void;

  private onPollRequest;
  private onDataRequest;

  /**
   * Takes the body of a POST.
   *
   * @param data - several packets
   */
  onData(data: RawData): void;

  /** Marks the transport as closed; a GET that waits is answered first. */
  onClose(): void;

  /**
   * Answers the GET that waits.
   *
   * @param packets - in order
   */
  send(packets: EnginePacket[]): void;

  private write;

  /**
   * Writes a response.
   *
   * @param data - the body
   * @param options - whether it may be compressed
   * @param callback - called once it is written
   */
  protected doWrite(data: any, options: any, callback: any): void;

  /**
   * Closes the transport, with the next GET if none waits.
   *
   * @param fn - called once it is closed
   */
  doClose(fn: () => void): void;

  private headers;
}

/**
 * A WebSocket.
 */
export declare class WebSocket extends Transport {
  /** Whether messages are compressed. */
  perMessageDeflate?: boolean | PerMessageDeflateOptions;

  private socket;

  /**
   * @param req - the upgrade request, with its WebSocket
   */
  constructor(req: EngineRequest);

  /** `"websocket"` */
  get name(): string;

  /** `true` */
  get handlesUpgrades(): boolean;

  /**
   * Sends packets, a message for each.
   *
   * @param packets - in order
   */
  send(packets: EnginePacket[]): void;

  private _canSendPreEncodedFrame;
  private _doSend;
  private _doSendLast;
  private _onSent;
  private _onSentLast;

  /**
   * Closes the WebSocket.
   *
   * @param fn - called at once
   */
  doClose(fn?: () => void): void;
}

/**
 * A WebTransport session over HTTP/3.
 */
export declare class WebTransport extends Transport {
  private readonly session;
  private readonly writer;

  /**
   * @param session - the session
   * @param stream - its first bidirectional stream
   * @param reader - the reader of that stream
   */
  constructor(session: any, stream: any, reader: any);

  /** `"webtransport"` */
  get name(): string;

  /**
   * Sends packets.
   *
   * @param packets - in order
   */
  send(packets: any): Promise<void>;

  /**
   * Closes the session.
   *
   * @param fn - called at once
   */
  doClose(fn: any): void;
}
