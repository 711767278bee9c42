"use strict";

// A namespace: its connected sockets, the middlewares that a connection passes
// before it becomes one of them, and shorthands for broadcasting to all of them.

const debug = require("debug")("socket.io:namespace");
const { serveForeign } = require("./adapter/foreign-rooms");
const { BroadcastOperator } = require("./broadcast-operator");
const { endJoin } = require("./client");
const {
  StrictEventEmitter,
  SERVER_RESERVED_EVENTS,
  assertNotReserved,
  runMiddlewares,
} = require("./events");
const { Socket } = require("./socket");

class Namespace extends StrictEventEmitter {
  /**
   * @param {import("./server").Server} server
   * @param {string} name starts with a slash
   */
  constructor(server, name) {
    super();
    /** The connected sockets by id. Adapters look recipients up here. */
    this.sockets = new Map();
    /** Sockets whose middlewares have not finished yet. */
    this._preConnectSockets = new Map();
    this._fns = [];
    /** The next acknowledgement id, for single sockets and broadcasts alike. */
    this._ids = 0;
    this.server = server;
    this.name = name;
    /** Broadcasts look for listeners of outgoing events only after one was added. */
    Object.defineProperty(this, "_hasOutgoingListeners", { value: false, writable: true });
    /** Told when that changes. */
    Object.defineProperty(this, "_onOutgoing", { value: undefined, writable: true });
    this._initAdapter();
  }

  /** Gives the namespace a new adapter of the server's present class. */
  _initAdapter() {
    const AdapterClass = this.server.adapter();
    this.adapter = new AdapterClass(this);
    serveForeign(this.adapter);
    Promise.resolve(this.adapter.init()).catch((err) => {
      debug("error while initializing the adapter of %s: %s", this.name, err);
    });
  }

  /**
   * Adds a middleware that every new connection to this namespace passes.
   * @param {(socket: Socket, next: (err?: Error) => void) => void} fn
   * @returns {this}
   */
  use(fn) {
    this._fns.push(fn);
    return this;
  }

  /** Runs the middlewares for a socket, then `fn(err)`. */
  run(socket, fn) {
    if (this._fns.length === 0) {
      fn();
    } else {
      runMiddlewares(this._fns, socket, fn);
    }
  }

  /** Targets a room, or a list of rooms, when broadcasting. */
  to(room) {
    return new BroadcastOperator(this.adapter).to(room);
  }

  /** Targets a room: the same as `to()`. */
  in(room) {
    return new BroadcastOperator(this.adapter).in(room);
  }

  /** Excludes a room, or a list of rooms, when broadcasting. */
  except(room) {
    return new BroadcastOperator(this.adapter).except(room);
  }

  /**
   * Makes a socket for a client and lets it through the middlewares.
   * @param {import("./client").Client} client
   * @param {object} auth what the client sent to authenticate itself
   * @param {(socket: Socket) => void} fn called once the socket is connected
   */
  async _add(client, auth, fn) {
    debug("adding socket to nsp %s", this.name);
    const socket = await this._createSocket(client, auth);
    this._preConnectSockets.set(socket.id, socket);

    const recovery = this.server.opts.connectionStateRecovery;
    if (recovery && recovery.skipMiddlewares && socket.recovered && isOpen(client)) {
      this._doConnect(socket, fn);
      return;
    }

    this.run(socket, (err) => {
      process.nextTick(finishConnect, this, socket, err, fn);
    });
  }

  /** Makes a socket, with the state of the session that the client asks to recover. */
  async _createSocket(client, auth) {
    const { pid, offset } = auth;
    const wantsRecovery = typeof pid === "string" && typeof offset === "string";
    if (wantsRecovery && this.server.opts.connectionStateRecovery) {
      let session;
      try {
        session = await this.adapter.restoreSession(pid, offset);
      } catch (err) {
        debug("error while restoring a session: %s", err);
      }
      if (session) {
        debug("connection state recovered for sid %s", session.sid);
        return new Socket(this, client, auth, session);
      }
    }
    return new Socket(this, client, auth);
  }

  /** Makes a socket a member of the namespace and says so, first to the client. */
  _doConnect(socket, fn) {
    this._preConnectSockets.delete(socket.id);
    this.sockets.set(socket.id, socket);

    // All of our own state is in place before a listener runs, since a listener
    // may well disconnect the socket.
    socket._onconnect();
    if (fn) {
      fn(socket);
    }

    this.emitReserved("connect", socket);
    this.emitReserved("connection", socket);
  }

  /** Forgets a socket. */
  _remove(socket) {
    if (!this.sockets.delete(socket.id)) {
      this._preConnectSockets.delete(socket.id);
    }
  }

  /**
   * Sends an event to every client of the namespace.
   * @returns {true}
   */
  emit(ev, ...args) {
    return new BroadcastOperator(this.adapter).emit(ev, ...args);
  }

  /** Sends a `message` event to every client of the namespace. */
  send(...args) {
    this.emit("message", ...args);
    return this;
  }

  /** Sends a `message` event to every client of the namespace. */
  write(...args) {
    this.emit("message", ...args);
    return this;
  }

  /**
   * Sends an event to the other servers of the cluster.
   * @returns {true}
   */
  serverSideEmit(ev, ...args) {
    assertNotReserved(SERVER_RESERVED_EVENTS, ev);
    this.adapter.serverSideEmit([ev, ...args]);
    return true;
  }

  /**
   * Sends an event to the other servers of the cluster and collects their answers.
   * @returns {Promise<any[]>}
   */
  serverSideEmitWithAck(ev, ...args) {
    return new Promise((resolve, reject) => {
      this.serverSideEmit(ev, ...args, (err, responses) => {
        if (err) {
          err.responses = responses;
          reject(err);
        } else {
          resolve(responses);
        }
      });
    });
  }

  /**
   * Takes an event from another server of the cluster; adapters call this.
   * @param {any[]} args the event and its arguments, the last may be an acknowledgement
   */
  _onServerSideEmit(args) {
    this.emitUntyped(...args);
  }

  /** Resolves to the ids of the clients of the namespace, on all servers. */
  allSockets() {
    return new BroadcastOperator(this.adapter).allSockets();
  }

  /** Sets whether the next broadcast may be compressed. */
  compress(compress) {
    return new BroadcastOperator(this.adapter).compress(compress);
  }

  /** Lets the next broadcast be lost for clients that are not ready to receive. */
  get volatile() {
    return new BroadcastOperator(this.adapter).volatile;
  }

  /** Limits the next broadcast to the clients of this server. */
  get local() {
    return new BroadcastOperator(this.adapter).local;
  }

  /** Sets how long to wait for the answers to the next broadcast, in milliseconds. */
  timeout(timeout) {
    return new BroadcastOperator(this.adapter).timeout(timeout);
  }

  /** Resolves to the sockets of the namespace, on all servers. */
  fetchSockets() {
    return new BroadcastOperator(this.adapter).fetchSockets();
  }

  /** Makes all sockets join one or several rooms. */
  socketsJoin(room) {
    return new BroadcastOperator(this.adapter).socketsJoin(room);
  }

  /** Makes all sockets leave one or several rooms. */
  socketsLeave(room) {
    return new BroadcastOperator(this.adapter).socketsLeave(room);
  }

  /** Disconnects all sockets, and closes their connections if `close` is true. */
  disconnectSockets(close = false) {
    return new BroadcastOperator(this.adapter).disconnectSockets(close);
  }
}

/** Ends the way through the middlewares, one tick after the last of them. */
function finishConnect(nsp, socket, err, fn) {
  const { client } = socket;
  if (err) {
    endJoin(client);
  }
  if (!isOpen(client)) {
    debug("the client was closed before the middlewares had finished");
    socket._cleanup();
    return;
  }
  if (!err) {
    nsp._doConnect(socket, fn);
    return;
  }
  debug("a middleware refused the socket: %s", err.message);
  socket._cleanup();
  if (client.conn.protocol === 3) {
    socket._error(err.data || err.message);
  } else {
    socket._error({ message: err.message, data: err.data });
  }
}

function isOpen(client) {
  return client.conn.readyState === "open";
}

module.exports = { Namespace };
