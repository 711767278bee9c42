// What the wrapper uses of Node's objects beyond their published types, and what it puts
// there itself. For the type check of lib/ alone; not published.

import "http";
import "net";
import "stream";

declare module "http" {
  interface IncomingMessage {
    /** The parsed query, as the reference's engine leaves it on the request. */
    _query?: Record<string, any>;
    /** The response, until a transport has taken the request. */
    res?: any;
  }
}

declare module "net" {
  interface Socket {
    /** libuv's handle: the descriptor and the switch of reading. */
    _handle: any;
    /** True for a TLS socket. */
    encrypted?: boolean;
  }
}

declare module "stream" {
  interface Duplex {
    /** There on sockets only. */
    bytesWritten?: number;
  }
}
