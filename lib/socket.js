"use strict";

// A socket: a client within one namespace. What applications send to and hear from
// one client passes through here. Encoding and the connection are the client's,
// rooms are the adapter's.

const debug = require("debug")("socket.io:socket");
const { EventEmitter } = require("events");
const { PacketType } = require("socket.io-parser");
const { base64id } = require("./base64id");
const { BroadcastOperator } = require("./broadcast-operator");
const { cutOff, limitsOf } = require("./limits");
const { connectSocket, forgetSocket, silenceSocket } = require("./native");
const { clientAddress } = require("./trust-proxy");
const { deferEmit } = require("./turns");
const {
  StrictEventEmitter,
  RESERVED_EVENTS,
  assertNotReserved,
  runMiddlewares,
} = require("./events");

// What most sockets never use is made when it is first asked for.
/** The acknowledgements that the client owes. */
const kAcks = Symbol("acks");
/** What the application keeps with the socket. */
const kData = Symbol("data");
/** Flags for the next operation. */
const kFlags = Symbol("flags");
/** Middlewares for packets. */
const kFns = Symbol("fns");
/** How the connection began: a description, or what one is made of. */
const kHandshake = Symbol("handshake");

/** The ends of a connection that the client may come back from. */
const RECOVERABLE_REASONS = new Set([
  "transport error",
  "transport close",
  "forced close",
  "ping timeout",
  "server shutting down",
  "forced server close",
  "limit exceeded",
]);

class Socket extends StrictEventEmitter {
  /**
   * @param {import("./namespace").Namespace} nsp
   * @param {import("./client").Client} client
   * @param {object} auth what the client sent to authenticate itself
   * @param {object} [previousSession] the session that the client has recovered
   */
  constructor(nsp, client, auth, previousSession) {
    super();
    Object.defineProperties(this, SHOWN);
    this.nsp = nsp;
    this.client = client;
    /** Whether the state of an earlier connection was recovered. */
    this.recovered = false;
    this[kData] = NOTHING;
    /** Whether the socket is connected to its namespace now. */
    this.connected = false;
    this[kAcks] = undefined;
    this[kFlags] = undefined;
    this.server = nsp.server;
    this.adapter = nsp.adapter;
    /** @type {string} the id that others may know; also the name of a room of its own */
    this.id = undefined;
    if (previousSession) {
      restore(this, previousSession);
    } else {
      identify(this);
    }
    this[kHandshake] = describeHandshake(this, auth);
    // Without any listener an "error" event would throw and end the process.
    this.on("error", noop);
  }

  /** The acknowledgements that the client owes, by packet id. Adapters add theirs. */
  get acks() {
    return (this[kAcks] ??= new Map());
  }

  set acks(acks) {
    this[kAcks] = acks;
  }

  /** Flags for the next operation. */
  get flags() {
    return (this[kFlags] ??= {});
  }

  set flags(flags) {
    this[kFlags] = flags;
  }

  /** The middlewares that every event of the client passes. */
  get fns() {
    return (this[kFns] ??= []);
  }

  set fns(fns) {
    this[kFns] = fns;
  }

  /** Describes how the connection began. */
  buildHandshake(auth, issued = Date.now(), { request } = this) {
    return {
      headers: request?.headers || {},
      time: new Date(issued).toString(),
      address: clientAddress(this.server, this.conn.remoteAddress, request),
      xdomain: !!request?.headers.origin,
      secure: !request || !!request.connection.encrypted,
      issued,
      url: request?.url,
      query: request?._query || {},
      auth,
    };
  }

  /**
   * Sends an event to the client. With a function as last argument, that one is
   * called with the client's answer.
   * @returns {true}
   */
  emit(ev, ...args) {
    assertNotReserved(RESERVED_EVENTS, ev);
    const data = [ev, ...args];
    const packet = { type: PacketType.EVENT, data };
    if (typeof data[data.length - 1] === "function") {
      packet.id = this.nsp._ids++;
      debug("emitting packet with ack id %d", packet.id);
      this.registerAckCallback(packet.id, data.pop());
    }
    const flags = takeFlags(this);
    if (this.server.opts.connectionStateRecovery) {
      // As a broadcast to one, the adapter keeps the packet for a client that returns.
      this.adapter.broadcast(packet, { rooms: new Set([this.id]), except: new Set(), flags });
    } else {
      this.notifyOutgoingListeners(packet);
      this.packet(packet, flags);
    }
    return true;
  }

  /**
   * Sends an event to the client and resolves to the first argument of its answer.
   * It rejects only after `timeout()`.
   */
  emitWithAck(ev, ...args) {
    const hasTimeout = this[kFlags]?.timeout !== undefined;
    return new Promise((resolve, reject) => {
      const ack = hasTimeout
        ? (err, response) => (err ? reject(err) : resolve(response))
        : (response) => resolve(response);
      this.emit(ev, ...args, ack);
    });
  }

  /** Remembers whom to call with the answer to a packet. */
  registerAckCallback(id, ack) {
    const timeout = this[kFlags]?.timeout;
    if (timeout === undefined) {
      this.acks.set(id, ack);
      return;
    }
    const timer = setTimeout(() => {
      debug("event with ack id %d has timed out after %d ms", id, timeout);
      this.acks.delete(id);
      ack.call(this, new Error("operation has timed out"));
    }, timeout);
    this.acks.set(id, (...args) => {
      clearTimeout(timer);
      ack.call(this, null, ...args);
    });
  }

  /** Targets a room, or a list of rooms, when broadcasting; leaves this socket out. */
  to(room) {
    return this.newBroadcastOperator().to(room);
  }

  /** Targets a room: the same as `to()`. */
  in(room) {
    return this.newBroadcastOperator().in(room);
  }

  /** Excludes a room, or a list of rooms, when broadcasting; leaves this socket out. */
  except(room) {
    return this.newBroadcastOperator().except(room);
  }

  /** Sends a `message` event to the client. */
  send(...args) {
    this.emit("message", ...args);
    return this;
  }

  /** Sends a `message` event to the client. */
  write(...args) {
    this.emit("message", ...args);
    return this;
  }

  /** Sends a packet: everything that this socket sends passes through here. */
  packet(packet, opts = {}) {
    packet.nsp = this.nsp.name;
    opts.compress = opts.compress !== false;
    this.client._packet(packet, opts);
  }

  /**
   * Joins one or several rooms.
   * @returns {void|Promise<void>} what the adapter returns
   */
  join(rooms) {
    debug("join room %s", rooms);
    const joined = this.adapter.sids?.get(this.id)?.size ?? 0;
    if (joined + (Array.isArray(rooms) ? rooms.length : 1) > limitsOf(this.server).maxRooms) {
      debug("socket %s would be in too many rooms", this.id);
      cutOff(this.conn, "too many rooms");
      return undefined;
    }
    return this.adapter.addAll(this.id, new Set(Array.isArray(rooms) ? rooms : [rooms]));
  }

  /**
   * Leaves a room.
   * @returns {void|Promise<void>} what the adapter returns
   */
  leave(room) {
    debug("leave room %s", room);
    return this.adapter.del(this.id, room);
  }

  /** Leaves all rooms. */
  leaveAll() {
    this.adapter.delAll(this.id);
  }

  /** Takes the news that the namespace has let the socket in. */
  _onconnect() {
    debug("socket %s connected to %s", this.id, this.nsp.name);
    this.connected = true;
    this.join(this.id);
    if (this.conn.protocol === 3) {
      this.packet({ type: PacketType.CONNECT });
    } else {
      this.packet({ type: PacketType.CONNECT, data: { sid: this.id, pid: pidOf(this) } });
    }
    // Behind the packet: what other servers broadcast may come over another thread. A listener of the adapter
    // may have disconnected the socket by now.
    if (this.connected) {
      connectSocket(this);
    }
  }

  /** Takes a packet from the client. */
  _onpacket(packet) {
    debug("got packet %j", packet);
    switch (packet.type) {
      case PacketType.EVENT:
      case PacketType.BINARY_EVENT:
        this.onevent(packet);
        break;
      case PacketType.ACK:
      case PacketType.BINARY_ACK:
        this.onack(packet);
        break;
      case PacketType.DISCONNECT:
        this.ondisconnect();
        break;
    }
  }

  /** Takes an event from the client. */
  onevent(packet) {
    const args = packet.data || [];
    debug("emitting event %j", args);
    if (packet.id != null) {
      args.push(this.ack(packet.id));
    }
    callAll(this, this._anyListeners, args);
    this.dispatch(args);
  }

  /** Makes the function that a listener answers the client with, once. */
  ack(id) {
    let sent = false;
    return (...args) => {
      if (sent) {
        return;
      }
      debug("sending ack %d with %j", id, args);
      this.packet({ id, type: PacketType.ACK, data: args });
      sent = true;
    };
  }

  /** Takes the answer of the client to a packet. */
  onack(packet) {
    const ack = this[kAcks]?.get(packet.id);
    if (typeof ack !== "function") {
      debug("bad ack %s", packet.id);
      return;
    }
    debug("calling ack %s with %j", packet.id, packet.data);
    ack.apply(this, packet.data);
    this.acks.delete(packet.id);
  }

  /** Gives up on an answer. */
  _forgetAck(id) {
    this[kAcks]?.delete(id);
  }

  /** Takes the client's leave of the namespace. */
  ondisconnect() {
    debug("got disconnect packet");
    this._onclose("client namespace disconnect");
  }

  /** Takes an error of the connection or of a packet middleware. */
  _onerror(err) {
    this.emitReserved("error", err);
  }

  /** Takes the end of the connection, or of the membership in the namespace. */
  _onclose(reason, description) {
    if (!this.connected) {
      return this;
    }
    debug("closing socket %s - reason %s", this.id, reason);
    this.emitReserved("disconnecting", reason, description);

    if (this.server.opts.connectionStateRecovery && RECOVERABLE_REASONS.has(reason)) {
      debug("keeping the session of socket %s", this.id);
      this.adapter.persistSession({
        sid: this.id,
        pid: pidOf(this),
        rooms: [...this.rooms],
        data: /** @type {any} */ (this).data,
      });
    }

    this._cleanup();
    this.client._remove(this);
    this.connected = false;
    this.emitReserved("disconnect", reason, description);
    return undefined;
  }

  /** Leaves the rooms and the namespace for good. */
  _cleanup() {
    // The core forgets the rooms with the socket, which saves a word for each of them.
    forgetSocket(this);
    this.leaveAll();
    this.nsp._remove(this);
    // A late `join()` would leave a trace in the adapter that nobody removes.
    this.join = noop;
  }

  /** Tells the client that the namespace has refused it. */
  _error(err) {
    this.packet({ type: PacketType.CONNECT_ERROR, data: err });
  }

  /**
   * Disconnects the socket from its namespace, or closes the whole connection.
   * @param {boolean} [close] whether to close the connection
   * @returns {this}
   */
  disconnect(close = false) {
    if (!this.connected) {
      return this;
    }
    if (close) {
      this.client._disconnect();
    } else {
      // Ahead of the packet: what other servers broadcast may come over another thread.
      silenceSocket(this);
      this.packet({ type: PacketType.DISCONNECT });
      this._onclose("server namespace disconnect");
    }
    return this;
  }

  /** Sets whether the next event may be compressed. */
  compress(compress) {
    this.flags.compress = compress;
    return this;
  }

  /** Lets the next event be lost if the client is not ready to receive. */
  get volatile() {
    this.flags.volatile = true;
    return this;
  }

  /** Broadcasts to everyone else in the namespace. */
  get broadcast() {
    return this.newBroadcastOperator();
  }

  /** Broadcasts to everyone else in the namespace on this server. */
  get local() {
    return this.newBroadcastOperator().local;
  }

  /** Sets how long to wait for the answer to the next event, in milliseconds. */
  timeout(timeout) {
    this.flags.timeout = timeout;
    return this;
  }

  /** Passes an event of the client through the middlewares to the listeners. */
  dispatch(event) {
    debug("dispatching an event %j", event);
    if (isEmpty(this[kFns]) && this.run === pristineRun) {
      deferEmit(emitToListeners, this, event);
      return;
    }
    this.run(event, (err) => {
      process.nextTick(finishDispatch, this, event, err);
    });
  }

  /**
   * Adds a middleware that every event of the client passes.
   * @param {(event: any[], next: (err?: Error) => void) => void} fn
   * @returns {this}
   */
  use(fn) {
    this.fns.push(fn);
    return this;
  }

  /** Runs the middlewares for an event, then `fn(err)`. */
  run(event, fn) {
    if (isEmpty(this[kFns])) {
      fn();
    } else {
      runMiddlewares(this.fns, event, fn);
    }
  }

  /** Whether the socket is not connected to its namespace. */
  get disconnected() {
    return !this.connected;
  }

  /** The HTTP request that opened the connection. */
  get request() {
    return this.client.request;
  }

  /** The connection of the engine. */
  get conn() {
    return this.client.conn;
  }

  /** The rooms that the socket is in: the adapter's own set, not a copy. */
  get rooms() {
    return this.adapter.socketRooms(this.id) || new Set();
  }

  /** Adds a listener for all events of the client, after the others. */
  onAny(listener) {
    (this._anyListeners ||= []).push(listener);
    return this;
  }

  /** Adds a listener for all events of the client, before the others. */
  prependAny(listener) {
    (this._anyListeners ||= []).unshift(listener);
    return this;
  }

  /** Removes one listener for all events of the client, or all of them. */
  offAny(listener) {
    if (this._anyListeners) {
      this._anyListeners = without(this._anyListeners, listener);
    }
    return this;
  }

  /** Returns the listeners for all events of the client. */
  listenersAny() {
    return this._anyListeners || [];
  }

  /** Adds a listener for all events sent to the client, after the others. */
  onAnyOutgoing(listener) {
    noteOutgoingListeners(this.nsp);
    (this._anyOutgoingListeners ||= []).push(listener);
    return this;
  }

  /** Adds a listener for all events sent to the client, before the others. */
  prependAnyOutgoing(listener) {
    noteOutgoingListeners(this.nsp);
    (this._anyOutgoingListeners ||= []).unshift(listener);
    return this;
  }

  /** Removes one listener for all events sent to the client, or all of them. */
  offAnyOutgoing(listener) {
    if (this._anyOutgoingListeners) {
      this._anyOutgoingListeners = without(this._anyOutgoingListeners, listener);
    }
    return this;
  }

  /** Returns the listeners for all events sent to the client. */
  listenersAnyOutgoing() {
    return this._anyOutgoingListeners || [];
  }

  /** Calls the listeners for outgoing events; adapters do so for each recipient. */
  notifyOutgoingListeners(packet) {
    callAll(this, this._anyOutgoingListeners, packet.data);
  }

  /** Starts a broadcast to everyone else, with the flags set so far. */
  newBroadcastOperator() {
    return new BroadcastOperator(this.adapter, new Set(), new Set([this.id]), takeFlags(this));
  }
}

module.exports = { Socket };

const { buildHandshake } = Socket.prototype;

/** Nobody has asked for it. */
const NOTHING = Symbol("nothing");

/** What the description of a handshake is made of when it is first read. */
class Beginning {
  constructor(origin, auth) {
    this.origin = origin;
    this.auth = auth;
    this.issued = Date.now();
  }
}

/** How a connection began, or that in short if describing it takes making the request. */
function describeHandshake(socket, auth) {
  const { origin } = socket.conn;
  return origin === undefined || socket.buildHandshake !== buildHandshake
    ? socket.buildHandshake(auth)
    : new Beginning(origin, auth);
}

/**
 * Properties that every socket has of its own, and that are made when they are first read. The same
 * accessors for all sockets: with one each, or with plain properties in their place from then on,
 * V8 would give every socket a table of its own.
 * @type {PropertyDescriptorMap & ThisType<any>}
 */
const SHOWN = {
  data: {
    configurable: true,
    enumerable: true,
    get() {
      if (this[kData] === NOTHING) {
        this[kData] = {};
      }
      return this[kData];
    },
    set(data) {
      this[kData] = data;
    },
  },
  handshake: {
    configurable: true,
    enumerable: true,
    get() {
      const beginning = this[kHandshake];
      if (beginning instanceof Beginning) {
        const { auth, issued, origin } = beginning;
        this[kHandshake] = this.buildHandshake(auth, issued, origin);
      }
      return this[kHandshake];
    },
    set(handshake) {
      this[kHandshake] = handshake;
    },
  },
};

/** Dispatching goes past `run()` while there is nothing to run and nobody has replaced it. */
const pristineRun = Socket.prototype.run;

function noteOutgoingListeners(/** @type {any} */ nsp) {
  nsp._hasOutgoingListeners = true;
  nsp._onOutgoing?.();
}

/** The secret by which a client finds its state again; only where states are kept. */
function pidOf(/** @type {any} */ socket) {
  return socket.pid;
}

/** Gives a new socket its ids. */
function identify(/** @type {any} */ socket) {
  const { client, nsp } = socket;
  if (client.conn.protocol === 3) {
    // Clients of the third protocol derive the id from that of their connection.
    socket.id = nsp.name === "/" ? client.id : `${nsp.name}#${client.id}`;
  } else {
    // The id of the connection is a secret, that of the socket is shown to others.
    socket.id = base64id.generateId();
  }
  if (socket.server.opts.connectionStateRecovery) {
    socket.pid = base64id.generateId();
  }
}

/** Gives a socket the state of an earlier one, and the client what it has missed. */
function restore(socket, session) {
  socket.id = session.sid;
  socket.pid = session.pid;
  for (const room of session.rooms) {
    socket.join(room);
  }
  socket.data = session.data;
  for (const data of session.missedPackets) {
    socket.packet({ type: PacketType.EVENT, data });
  }
  socket.recovered = true;
}

function finishDispatch(socket, event, err) {
  if (err) {
    socket._onerror(err);
  } else {
    emitToListeners(socket, event);
  }
}

/** Calls the listeners of an event. `socket.emit()` would send it back instead. */
function emitToListeners(socket, event) {
  if (socket.connected) {
    EventEmitter.prototype.emit.apply(socket, event);
  } else {
    debug("ignoring an event received after disconnection");
  }
}

/** Takes the flags off a socket, for the one operation that they were set for. */
function takeFlags(socket) {
  const flags = socket[kFlags];
  for (const flag in flags) {
    if (flag) {
      socket[kFlags] = undefined;
      return flags;
    }
  }
  return {};
}

/** Calls a snapshot of the listeners, so that they may remove themselves. */
function callAll(socket, listeners, args) {
  if (listeners && listeners.length) {
    for (const listener of listeners.slice()) {
      listener.apply(socket, args);
    }
  }
}

/** Removes the first occurrence of a listener in place; without a listener, all. */
function without(listeners, listener) {
  if (!listener) {
    return [];
  }
  const index = listeners.indexOf(listener);
  if (index !== -1) {
    listeners.splice(index, 1);
  }
  return listeners;
}

function isEmpty(list) {
  return list === undefined || list.length === 0;
}

function noop() {}
