"use strict";

// Rooms that the native core knows too, for any in-memory adapter of the socket.io-adapter
// package. The Maps of the package stay the truth that applications read and may even change; the
// core's index follows them, and serves a broadcast only while both agree on who is to hear it.

const { Adapter } = require("socket.io-adapter");
const { isPatched } = require("../client");
const { writesArePatched } = require("../engine/socket");
const native = require("../native");
const { onReplace } = require("../overrides");
const { Socket } = require("../socket");

/** Makes a class of adapters whose broadcasts fan out in the core. */
const withNativeRooms = (Base) =>
  class extends Base {
    constructor(nsp) {
      super(nsp);
      // Not enumerable: adapters are inspected and compared.
      Object.defineProperty(this, kMirror, { value: new Mirror() });
      native.countConnected(this);
    }

    addAll(id, rooms) {
      const mirror = this[kMirror];
      const socket = socketOf(this.nsp, id);
      if (!this.sids.has(id)) {
        mirror.ids++;
        if (socket !== undefined) {
          native.returnToNamespace(socket);
        }
      }
      if (socket === undefined) {
        mirror.early.add(id);
      } else if (mirror.early.delete(id)) {
        for (const room of this.sids.get(id) ?? NONE) {
          native.joinRoom(socket, mirror.numberOf(room));
        }
      }
      for (const room of rooms) {
        if (!this.rooms.get(room)?.has(id)) {
          const number = mirror.add(room);
          if (socket !== undefined) {
            native.joinRoom(socket, number);
          }
        }
      }
      // Listeners for room events run in here: what they send already reaches the right ones.
      super.addAll(id, rooms);
    }

    _del(room, id) {
      const mirror = this[kMirror];
      if (this.rooms.get(room)?.has(id) && mirror.rooms.has(room)) {
        const socket = socketOf(this.nsp, id);
        if (socket !== undefined) {
          native.leaveRoom(socket, mirror.numberOf(room));
        }
        mirror.remove(room);
      }
      super._del(room, id);
    }

    delAll(id) {
      const mirror = this[kMirror];
      const known = this.sids.has(id);
      super.delAll(id);
      mirror.early.delete(id);
      if (known) {
        mirror.ids--;
        const socket = this.nsp.sockets.get(id);
        if (socket !== undefined) {
          // Who has left even the room of its own id no longer hears what is sent to all.
          native.leaveNamespace(socket);
        }
      }
    }

    broadcast(packet, opts) {
      if (!canFanOut(this, opts)) {
        // The method of the base of all adapters, which subclasses add to and do not replace.
        Adapter.prototype.broadcast.call(this, packet, opts);
        return;
      }
      packet.nsp = this.nsp.name;
      const encoded = this.encoder.encode(packet);
      notifyOutgoing(this, packet, opts);
      fanOut(this, encoded, opts);
    }

    broadcastWithAck(packet, opts, clientCountCallback, ack) {
      if (!canFanOut(this, opts)) {
        Adapter.prototype.broadcastWithAck.call(this, packet, opts, clientCountCallback, ack);
        return;
      }
      packet.nsp = this.nsp.name;
      packet.id = this.nsp._ids++;
      const encoded = this.encoder.encode(packet);
      let clientCount = 0;
      this.apply(opts, (socket) => {
        clientCount++;
        socket.acks.set(packet.id, ack);
        socket.notifyOutgoingListeners?.(packet);
      });
      fanOut(this, encoded, opts);
      clientCountCallback(clientCount);
    }
  };

/** What the core was told of an adapter's rooms. */
class Mirror {
  constructor() {
    /** The core's number of each room, and how many memberships of it went through us. */
    this.rooms = new Map();
    /** How many entries of `adapter.sids` were made by us. */
    this.ids = 0;
    /** Ids that joined rooms before there was a socket of that id. */
    this.early = new Set();
  }

  /** Counts one more member; the room gets a number with its first. */
  add(room) {
    let entry = this.rooms.get(room);
    if (entry === undefined) {
      entry = { number: native.takeNumber(), size: 0 };
      this.rooms.set(room, entry);
    }
    entry.size++;
    return entry.number;
  }

  /** Counts one member less; the number is free again after the last. */
  remove(room) {
    const entry = this.rooms.get(room);
    if (--entry.size === 0) {
      this.rooms.delete(room);
      native.freeNumber(entry.number);
    }
  }

  numberOf(room) {
    return this.rooms.get(room)?.number;
  }

  /** False when somebody has changed one of the adapter's sets without us. */
  agrees(adapter, rooms) {
    for (const room of rooms) {
      if ((adapter.rooms.get(room)?.size ?? 0) !== (this.rooms.get(room)?.size ?? 0)) {
        return false;
      }
    }
    return true;
  }

  numbersOf(rooms) {
    const numbers = [];
    for (const room of rooms ?? NONE) {
      const number = this.numberOf(room);
      if (number !== undefined) {
        numbers.push(number);
      }
    }
    return numbers;
  }
}

/**
 * The core can serve all recipients: it knows the same ones as the adapter's Maps, and nobody
 * watches or replaces what finding them and writing to them consists of.
 */
function canFanOut(adapter, opts) {
  const { nsp } = adapter;
  const mirror = adapter[kMirror];
  return (
    isUnwatched(nsp.server) &&
    isPristine(adapter) &&
    nsp.sockets.size === native.connectedCount(adapter) &&
    (opts.rooms.size > 0 ? mirror.agrees(adapter, opts.rooms) : adapter.sids.size === mirror.ids) &&
    mirror.agrees(adapter, opts.except ?? NONE)
  );
}

function isUnwatched(server) {
  if (server._longWays > 0 || isPatched() || writesArePatched()) {
    return false;
  }
  for (const engine of server._engines) {
    if (engine.writeWatchers > 0 || engine.watchesWrites()) {
      return false;
    }
  }
  return true;
}

/** Nobody has replaced what the core stands in for, on this adapter or for all of them. */
function isPristine(adapter) {
  const { prototype } = Adapter;
  return (
    adapter.apply === pristine.apply &&
    adapter.computeExceptSids === pristine.computeExceptSids &&
    adapter._encode === pristine._encode &&
    prototype.broadcast === pristine.broadcast &&
    prototype.broadcastWithAck === pristine.broadcastWithAck
  );
}

function fanOut(adapter, encoded, { rooms, except, flags = NO_FLAGS }) {
  const mirror = adapter[kMirror];
  if (rooms.size === 1 && hasOneMember(adapter, rooms)) {
    // For one recipient, such as a room of a socket's own id, it is shorter to ask directly.
    const { volatile, compress } = flags;
    const packetOpts = { preEncoded: true, volatile, compress };
    adapter.apply({ rooms, except }, (socket) => {
      socket.client.writeToEngine(encoded, packetOpts);
    });
    return;
  }
  const numbers = mirror.numbersOf(rooms);
  if (numbers.length > 0 || rooms.size === 0) {
    native.broadcast(adapter.nsp, numbers, mirror.numbersOf(except), encoded, flags);
  }
}

function hasOneMember(adapter, rooms) {
  for (const room of rooms) {
    return adapter.rooms.get(room)?.size === 1;
  }
  return false;
}

/** Calls listeners for outgoing events, if any socket of the namespace ever had one. */
function notifyOutgoing(adapter, packet, opts) {
  if (
    adapter.nsp._hasOutgoingListeners ||
    Socket.prototype.notifyOutgoingListeners !== pristineNotify
  ) {
    adapter.apply(opts, (socket) => socket.notifyOutgoingListeners?.(packet));
  }
}

function socketOf(nsp, id) {
  return nsp.sockets.get(id) ?? nsp._preConnectSockets.get(id);
}

const { apply, computeExceptSids, _encode, broadcast, broadcastWithAck } = /** @type {any} */ (
  Adapter.prototype
);
const pristine = { apply, computeExceptSids, _encode, broadcast, broadcastWithAck };

onReplace(Socket.prototype, "notifyOutgoingListeners", (socket) => {
  // Broadcasts have to pass through this socket's own method from now on.
  socket.nsp._hasOutgoingListeners = true;
});
const pristineNotify = Socket.prototype.notifyOutgoingListeners;

const NONE = [];
const NO_FLAGS = {};
/** @type {any} a symbol */
const kMirror = Symbol("native rooms");

module.exports = { withNativeRooms };
