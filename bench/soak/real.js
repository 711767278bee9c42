"use strict";

// The clients that applications use, socket.io-client of today and of version 2, behind what
// life.js needs of a connection. One that is cut off comes back by itself, as a new life.

const EVENTS = ["hello", "tell", "broadcast", "volatile", "room", "question"];

class Real {
  /**
   * @param {{port: number, protocol: 3 | 4, transport: string, query: object}} target
   * @param {() => object} nextLife makes the listener of each new connection
   */
  constructor({ port, protocol, transport, query }, nextLife) {
    const connect = require(protocol === 4 ? "socket.io-client" : "socket.io-client-v2");
    const transports = { upgrade: ["polling", "websocket"] }[transport] ?? [transport];
    this.socket = connect(`http://127.0.0.1:${port}`, {
      forceNew: true,
      query,
      reconnectionDelay: 100,
      transports,
    });
    this.listener = nextLife(this);
    this.socket.on("connect", () => {
      this.listener ??= nextLife(this);
      this.listener.connected("/");
    });
    this.socket.on("disconnect", (reason) => this.closed(reason));
    for (const event of EVENTS) {
      this.socket.on(event, (...args) => {
        const answer = typeof args.at(-1) === "function" ? args.pop() : undefined;
        this.listener?.event("/", [event, ...args], answer);
      });
    }
  }

  emit(nsp, args, done) {
    this.socket.emit(...args, ...(done ? [done] : []));
  }

  stall() {}

  end() {
    this.socket.disconnect();
  }

  destroy() {
    const engine = this.socket.io.engine;
    const websocket = engine.transport.ws;
    if (websocket?._socket) {
      websocket._socket.destroy();
    } else {
      engine.close();
    }
  }

  /** Ends it for good. */
  stop() {
    this.socket.io.reconnection(false);
    this.socket.disconnect();
  }

  closed(reason) {
    const { listener } = this;
    this.listener = undefined;
    listener?.closed(reason);
  }
}

module.exports = { Real };
