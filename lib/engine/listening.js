"use strict";

// The handle of a listening socket: what Node keeps of it, and what stands in its place once the core has it.

const fs = require("fs");
const http = require("http");
const https = require("https");
const { ref, unref } = require("../dispatch");
const { setImmediate } = require("../scheduling");
const { kTls, prepareServer } = require("./tls");

/** Takes the place of the handle of a listening socket that Node has given up. */
class Listening {
  constructor(acceptor, handle, file) {
    this._acceptor = acceptor;
    this._file = file;
    if (handle.getsockname) {
      const name = {};
      handle.getsockname(name);
      this.getsockname = (out) => {
        Object.assign(out, name);
        return 0;
      };
    }
    this._asyncId = handle.getAsyncId();
    this._isRef = handle.hasRef();
    this.fd = -1;
    if (this._isRef) {
      ref();
    }
  }

  getAsyncId() {
    return this._asyncId;
  }

  hasRef() {
    return this._isRef;
  }

  ref() {
    if (!this._isRef && this._acceptor !== undefined) {
      this._isRef = true;
      ref();
    }
  }

  unref() {
    if (this._isRef) {
      this._isRef = false;
      unref();
    }
  }

  close(callback) {
    const acceptor = this._acceptor;
    this._acceptor = undefined;
    this.unref();
    if (acceptor !== undefined && this._file) {
      fs.rmSync(this._file, { force: true });
    }
    acceptor?.stop();
    if (callback) {
      setImmediate(callback);
    }
  }
}

/** Why Node has to accept, if it has. */
function obstacleOf(httpServer, handle, isAsked) {
  if (process.platform !== "linux") {
    return `the native listener needs Linux, not ${process.platform}`;
  }
  const isSecure = httpServer instanceof https.Server;
  if (!(httpServer instanceof http.Server) && !isSecure) {
    return "the server is neither one of node:http nor of node:https";
  }
  if (Object.hasOwn(handle, "close") || !(handle.fd >= 0)) {
    return "the cluster's primary process listens for this worker";
  }
  if (handle.constructor.name !== "TCP" && !hasFile(httpServer, handle)) {
    return "the server listens on neither a TCP port nor a unix socket of its own";
  }
  if (isSecure && httpServer[kTls] === undefined) {
    // Its sockets are not those of node:tls then: nobody gets that unasked.
    const obstacle = isAsked ? prepareServer(httpServer) : "nobody has asked otherwise";
    return obstacle && `Node ends the TLS of this server: ${obstacle}`;
  }
  return undefined;
}

/** Has connections inherit what the http server's option `keepAlive` says, which is for all of them. */
function keepAlive(httpServer, handle) {
  if (httpServer.keepAlive) {
    // In seconds, as the handle takes it.
    handle.setKeepAlive?.(true, httpServer.keepAliveInitialDelay);
  }
}

/** The descriptor of a handle; -1 where another process has it. */
function fdOf(handle) {
  return handle.fd ?? -1;
}

/** How many connections may wait to be accepted, unless the application has said it. */
function backlogOf(httpServer) {
  return httpServer[kBacklog] === undefined ? BACKLOG : undefined;
}

/** True where Node can offer what it accepts: TLS, which it ends, has begun by then. */
function canFollow(httpServer, handle) {
  return (
    process.platform === "linux" &&
    httpServer instanceof http.Server &&
    typeof handle.onconnection === "function"
  );
}

/** True for a unix socket that has a file, not an abstract name. */
function hasFile(httpServer, handle) {
  const { _pipeName: name } = httpServer;
  return handle.constructor.name === "Pipe" && typeof name === "string" && name[0] !== "\0";
}

/** Closes Node's handle of a listening socket that lives on in the core. */
function giveUp(handle, file) {
  if (!file) {
    handle.close();
    return;
  }
  // Closing removes the socket's file; a second name keeps it, and takes its place again.
  const spare = `${file}.${process.pid}`;
  fs.linkSync(file, spare);
  handle.close();
  fs.renameSync(spare, file);
}

/** Where `io.listen()` notes that it was given a backlog: that one stays. */
const kBacklog = Symbol("backlog");
/** Connections that may wait to be accepted. The system has a limit of its own. */
const BACKLOG = 4096;

module.exports = {
  Listening,
  backlogOf,
  canFollow,
  fdOf,
  giveUp,
  kBacklog,
  keepAlive,
  obstacleOf,
};
