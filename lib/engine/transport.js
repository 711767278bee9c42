"use strict";

// What the two transports have in common as JavaScript sees them. The transports
// themselves run in the native core; these objects are their handles.

const { EventEmitter } = require("events");

class Transport extends EventEmitter {
  /** @param {import("http").IncomingMessage} req the request that opened the transport */
  constructor(req) {
    super();
    /** Protocol revision, 3 or 4. */
    this.protocol = req._query.EIO === "4" ? 4 : 3;
    this.readyState = "open";
    this.discarded = false;
    this.supportsBinary = !req._query.b64;
    this.sid = req._query.sid;
    /** The connection that the transport serves. */
    this.conn = null;
  }

  /** The transports that clients of this one may upgrade to. */
  static get upgradesTo() {
    return [];
  }

  /** Nothing is sent over this transport any more. */
  discard() {
    this.discarded = true;
  }

  /** Takes an HTTP request of the client. */
  onRequest() {}

  /**
   * Closes the transport, at once or when what is queued has left.
   * @param {() => void} [fn] called when it is closed without waiting
   */
  close(fn) {
    if (this.readyState === "closed" || this.readyState === "closing") {
      return;
    }
    this.readyState = "closing";
    this.doClose(fn || noop);
  }

  /**
   * Fails the connection.
   * @param {string} msg what happened
   * @param {any} [desc] more of it
   */
  onError(msg, desc) {
    const err = new Error(msg);
    err.type = "TransportError";
    err.description = desc;
    if (this.listenerCount("error") > 0) {
      this.emit("error", err);
    }
    this.conn?.onError(err);
  }

  /** Notes the end. */
  onClose() {
    this.readyState = "closed";
    this.emit("close");
  }
}

function noop() {}

module.exports = { Transport };
