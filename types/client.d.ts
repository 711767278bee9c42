// One connection with all the namespaces that it has joined (`socket.client`).

import type { IncomingMessage } from "http";
import type { Packet } from "socket.io-parser";
import type { EngineSocket } from "./engine";
import type { Server } from "./server";
import type { Socket } from "./socket";
import type { EventsMap } from "./typed-events";

/** How a packet is to be written. */
interface WriteOptions {
  compress?: boolean;
  volatile?: boolean;
  preEncoded?: boolean;
  wsPreEncoded?: string;
}

/**
 * A connection. It has a {@link Socket} for each namespace that the client joined.
 */
export declare class Client<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData = any,
> {
  /** The engine's side of the connection: its transport, its heartbeats. */
  readonly conn: EngineSocket;

  private readonly id;
  private readonly server;
  private readonly encoder;
  private readonly decoder;
  private sockets;
  private nsps;
  private connectTimeout?;

  /**
   * Made by the server for each new connection.
   *
   * @param server - the server
   * @param conn - the connection
   */
  constructor(
    server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    conn: EngineSocket,
  );

  /** The first HTTP request of the connection. */
  get request(): IncomingMessage;

  private setup;
  private connect;
  private doConnect;

  /**
   * Disconnects all sockets and closes the connection.
   *
   * @private
   */
  _disconnect(): void;

  /**
   * Forgets a socket that has left.
   *
   * @private
   * @param socket - the socket
   */
  _remove(socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>): void;

  private close;

  /**
   * Encodes and writes a packet; does nothing once the connection is closing.
   *
   * @private
   * @param packet - a packet, or several that are encoded already
   * @param opts - how it is to be written
   */
  _packet(packet: Packet | Packet[], opts?: WriteOptions): void;

  private writeToEngine;
  private ondata;
  private ondecoded;
  private _parseNamespace;
  private onerror;
  private onclose;
  private destroy;
}

export {};
