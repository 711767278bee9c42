"use strict";

// The adapters that a server uses when the application names none: those of the
// socket.io-adapter package, with the fan-out done by the native core. The Maps of
// the package stay the truth that applications read; the core's index follows them.

const { Adapter, SessionAwareAdapter } = require("socket.io-adapter");
const { isPatched } = require("../client");
const native = require("../native");
const { Socket } = require("../socket");

/**
 * @param {object} opts the options of the server, with `connectionStateRecovery` expanded
 * @returns {Function} an adapter class
 */
function defaultAdapter(opts) {
  return opts.connectionStateRecovery ? SessionAwareAdapter : NativeAdapter;
}

class NativeAdapter extends Adapter {
  constructor(nsp) {
    super(nsp);
    // Not enumerable: adapters are inspected and compared.
    Object.defineProperty(this, kNumbers, { value: new Map() });
  }

  addAll(id, rooms) {
    super.addAll(id, rooms);
    const socket = socketOf(this.nsp, id);
    if (socket === undefined || !native.isNative(socket.conn)) {
      return;
    }
    for (const room of rooms) {
      native.joinRoom(socket, numberOf(this, room));
    }
  }

  _del(room, id) {
    super._del(room, id);
    const number = this[kNumbers].get(room);
    if (number === undefined) {
      return;
    }
    const socket = socketOf(this.nsp, id);
    if (socket !== undefined) {
      native.leaveRoom(socket, number);
    }
    if (!this.rooms.has(room)) {
      this[kNumbers].delete(room);
      native.freeNumber(number);
    }
  }

  broadcast(packet, opts) {
    const { nsp } = this;
    if (!canFanOut(nsp.server)) {
      super.broadcast(packet, opts);
      return;
    }
    packet.nsp = nsp.name;
    const encoded = this.encoder.encode(packet);
    notifyOutgoing(this, packet, opts);
    this._fanOut(encoded, opts);
  }

  broadcastWithAck(packet, opts, clientCountCallback, ack) {
    const { nsp } = this;
    if (!canFanOut(nsp.server)) {
      super.broadcastWithAck(packet, opts, clientCountCallback, ack);
      return;
    }
    packet.nsp = nsp.name;
    packet.id = nsp._ids++;
    const encoded = this.encoder.encode(packet);
    let clientCount = 0;
    this.apply(opts, (socket) => {
      clientCount++;
      socket.acks.set(packet.id, ack);
      socket.notifyOutgoingListeners?.(packet);
    });
    this._fanOut(encoded, opts);
    clientCountCallback(clientCount);
  }

  _fanOut(encoded, opts) {
    const numbers = this[kNumbers];
    const rooms = numbersOf(numbers, opts.rooms);
    if (rooms.length === 0 && opts.rooms.size > 0) {
      return;
    }
    const except = opts.except ? numbersOf(numbers, opts.except) : NONE;
    native.broadcast(this.nsp, rooms, except, encoded, opts.flags);
  }
}

// Applications log and compare class names; there is one in-memory adapter to them.
Object.defineProperty(NativeAdapter, "name", { value: "Adapter" });

/** The core can serve all recipients: nobody watches or replaces their writes. */
function canFanOut(server) {
  const { engine } = server;
  return (
    !server._hasForeignConnections &&
    engine?.writeWatchers === 0 &&
    !engine.watchesWrites() &&
    !isPatched()
  );
}

/** Calls listeners for outgoing events, if any socket of the namespace ever had one. */
function notifyOutgoing(adapter, packet, opts) {
  const { prototype } = Socket;
  if (
    adapter.nsp._hasOutgoingListeners ||
    prototype.notifyOutgoingListeners !== pristineNotify
  ) {
    adapter.apply(opts, (socket) => socket.notifyOutgoingListeners?.(packet));
  }
}

function socketOf(nsp, id) {
  return nsp.sockets.get(id) ?? nsp._preConnectSockets.get(id);
}

/** The core's number of a room, which gets one when it is first joined. */
function numberOf(adapter, room) {
  const numbers = adapter[kNumbers];
  let number = numbers.get(room);
  if (number === undefined) {
    number = native.takeNumber();
    numbers.set(room, number);
  }
  return number;
}

function numbersOf(numbers, rooms) {
  if (rooms.size === 0) {
    return NONE;
  }
  const found = [];
  for (const room of rooms) {
    const number = numbers.get(room);
    if (number !== undefined) {
      found.push(number);
    }
  }
  return found;
}

const pristineNotify = Socket.prototype.notifyOutgoingListeners;
const NONE = [];
const kNumbers = Symbol("native numbers");

module.exports = { NativeAdapter, defaultAdapter };
