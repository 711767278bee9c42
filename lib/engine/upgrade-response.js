"use strict";

// What engine middlewares get as `res` on an upgrade request: enough of an
// http.ServerResponse to set headers, or to refuse by ending it.

const { EventEmitter } = require("events");

class UpgradeResponse extends EventEmitter {
  /**
   * @param {import("http").IncomingMessage} req
   * @param {import("stream").Duplex} socket
   */
  constructor(req, socket) {
    super();
    this.req = req;
    this.socket = socket;
    /** The headers that the 101 will carry besides those of the handshake. */
    this.extraHeaders = {};
    socket.once("close", () => this.emit("close"));
  }

  setHeader(name, value) {
    this.extraHeaders[name] = value;
    return this;
  }

  getHeader(name) {
    return this.extraHeaders[name];
  }

  removeHeader(name) {
    delete this.extraHeaders[name];
  }

  /** There is no body to write to. */
  write() {}

  /** Called once right before the handshake: packages hook into it to set their cookies. */
  writeHead() {}

  /** Refuses the upgrade. */
  end() {
    this.emit("finish");
    this.socket.destroy();
  }
}

module.exports = { UpgradeResponse };
