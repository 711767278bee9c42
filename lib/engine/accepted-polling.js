"use strict";

// The polling transport's handle of a connection whose requests the native listener
// serves, until somebody wants to see them: then they pass through JavaScript.

const debug = require("debug")("engine:polling");
const { core } = require("../dispatch");
const { onReplace } = require("../overrides");
const { Polling } = require("./polling");
const { Transport } = require("./transport");

class AcceptedPolling extends Polling {
  constructor(req, server) {
    super(req, server);
    this._shown = false;
    debug("polled through the native listener");
  }

  /** True while a GET waits. Who asks wants to know it from now on, too. */
  get writable() {
    if (this._shown || this.conn === null || this.conn.handle === -1) {
      return super.writable;
    }
    const isPolled = this.readyState === "open" && core.isPolled(this.conn.handle);
    const isFree = !this.conn.isWriting(true);
    this._show();
    return isPolled && isFree;
  }

  onRequest(req) {
    this._show();
    super.onRequest(req);
  }

  doClose(fn) {
    if (this._shown) {
      super.doClose(fn);
      return;
    }
    const { conn, discarded } = this;
    debug("closing the polling transport of %s", conn.id);
    core.close(conn.handle, discarded);
    if (discarded) {
      fn();
    } else if (this.closeTimeout !== DEFAULT_CLOSE_TIMEOUT) {
      core.setCloseTimeout(conn.handle, this.closeTimeout);
    }
  }

  onClose() {
    if (this._shown) {
      super.onClose();
    } else {
      Transport.prototype.onClose.call(this);
    }
  }

  /** Whoever listens for the headers of answers may change them. The first to do so is the engine. */
  _observe(event) {
    super._observe(event);
    if (event === "headers" && this.listenerCount("headers") > 0) {
      this._show();
    }
  }

  /** From now on requests pass through JavaScript. */
  _show() {
    if (!this._shown && this.conn !== null && this.conn.handle !== -1) {
      debug("the requests of %s pass through JavaScript from now on", this.sid);
      this._shown = true;
      core.leaveRequests(this.conn.handle);
    }
  }
}

/** The requests that are under way, and their responses. */
const REQUESTS = ["req", "res", "dataReq", "dataRes"];

for (const name of REQUESTS) {
  const own = `_${name}`;
  Object.defineProperty(AcceptedPolling.prototype, name, {
    configurable: true,
    get() {
      this._show();
      return this[own];
    },
    set(value) {
      this[own] = value;
    },
  });
}

for (const name of ["onRequest", "onPollRequest", "onDataRequest", "headers", "write", "doWrite"]) {
  Object.defineProperty(AcceptedPolling.prototype, name, {
    value: AcceptedPolling.prototype[name],
    configurable: true,
    writable: true,
  });
  onReplace(AcceptedPolling.prototype, name, (transport) => transport._show());
}

const DEFAULT_CLOSE_TIMEOUT = 30_000;

module.exports = { AcceptedPolling };
