"use strict";

// A parent namespace: the template of the namespaces that are created when a client
// asks for a name that a regular expression or a function accepts. It has no
// sockets of its own; broadcasting to it reaches the sockets of its children.

const debug = require("debug")("socket.io:parent-namespace");
const { Adapter } = require("socket.io-adapter");
const { Namespace } = require("./namespace");

class ParentNamespace extends Namespace {
  /** @param {import("./server").Server} server */
  constructor(server) {
    super(server, `/_${ParentNamespace.count++}`);
    /** The namespaces that were created from this one. */
    this.children = new Set();
  }

  /** A parent keeps an adapter of its own, whatever class the server uses. */
  _initAdapter() {
    this.adapter = new ChildrenAdapter(this);
  }

  /**
   * Sends an event to every client of every child.
   * @returns {true}
   */
  emit(ev, ...args) {
    for (const child of this.children) {
      child.emit(ev, ...args);
    }
    return true;
  }

  /**
   * Creates a namespace with the middlewares and the connection listeners that
   * this one has now.
   * @param {string} name
   * @returns {Namespace}
   */
  createChild(name) {
    debug("creating child namespace %s", name);
    const { server } = this;
    const child = new Namespace(server, name);
    for (const fn of this._fns) {
      child.use(fn);
    }
    for (const event of ["connect", "connection"]) {
      for (const listener of this.listeners(event)) {
        child.on(event, listener);
      }
    }
    this.children.add(child);
    if (server._opts.cleanupEmptyChildNamespaces) {
      closeWhenEmpty(this, child);
    }
    server._nsps.set(name, child);
    server.sockets.emitReserved("new_namespace", child);
    return child;
  }

  /** Not possible: other servers may have other children. */
  fetchSockets() {
    throw new Error("fetchSockets() is not supported on parent namespaces");
  }
}

ParentNamespace.count = 0;

/** Broadcasts to the children, each through its own adapter. */
class ChildrenAdapter extends Adapter {
  broadcast(packet, opts) {
    for (const child of this.nsp.children) {
      child.adapter.broadcast(packet, opts);
    }
  }
}

function closeWhenEmpty(parent, child) {
  const remove = child._remove;
  child._remove = (socket) => {
    remove.call(child, socket);
    if (child.sockets.size === 0) {
      debug("closing child namespace %s", child.name);
      child.adapter.close();
      parent.server._nsps.delete(child.name);
      parent.children.delete(child);
    }
  };
}

module.exports = { ParentNamespace };
