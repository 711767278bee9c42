"use strict";

// Broadcasts that the native core fans out, for any in-memory adapter of the socket.io-adapter
// package: only while the core and the adapter's Maps agree on who is to hear them, and while
// nobody watches or replaces a step that this leaves out. Adapters of others: foreign-rooms.js.

const { Adapter } = require("socket.io-adapter");
const { isPatched } = require("../client");
const { writesArePatched } = require("../engine/socket");
const native = require("../native");
const { Mirror } = require("./mirror");
const { onReplace } = require("../overrides");
const { Socket } = require("../socket");

/** From now on the core is told of an adapter's rooms. */
function mirror(adapter) {
  // Not enumerable: adapters are inspected and compared.
  Object.defineProperty(adapter, kMirror, { value: new Mirror() });
  native.countConnected(adapter);
}

/** Makes a class of adapters whose broadcasts fan out in the core. */
const withNativeRooms = (Base) =>
  class extends Base {
    constructor(nsp) {
      super(nsp);
      mirror(this);
    }

    addAll(id, rooms) {
      this[kMirror].joins(this, id, rooms);
      // Listeners for room events run in here: what they send already reaches the right ones.
      super.addAll(id, rooms);
    }

    _del(room, id) {
      this[kMirror].leaves(this, room, id);
      super._del(room, id);
    }

    delAll(id) {
      const known = this.sids.has(id);
      super.delAll(id);
      this[kMirror].isGone(this, id, known);
    }

    broadcast(packet, opts) {
      if (!isPristine(this) || !canFanOut(this, opts)) {
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
      if (!isPristine(this) || !canFanOut(this, opts)) {
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

/**
 * The core can serve all recipients: it knows the same ones as the adapter's Maps, and nobody
 * watches or replaces what writing to them consists of.
 */
function canFanOut(adapter, opts) {
  const { nsp } = adapter;
  const mirror = adapter[kMirror];
  return (
    isUnwatched(nsp.server) &&
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

function fanOut(adapter, encoded, { rooms, except, ...others }) {
  // Adapters and emitters of others may say that there are none by `null`.
  const flags = others.flags ?? NO_FLAGS;
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
  const numbers = mirror.numbersOf(adapter, rooms);
  if (numbers.length > 0 || rooms.size === 0) {
    native.broadcast(adapter.nsp, numbers, mirror.numbersOf(adapter, except), encoded, flags);
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
  if (isNotifying(adapter.nsp)) {
    adapter.apply(opts, (socket) => socket.notifyOutgoingListeners?.(packet));
  }
}

/** True when somebody may listen for outgoing events. */
function isNotifying(nsp) {
  return nsp._hasOutgoingListeners || Socket.prototype.notifyOutgoingListeners !== pristineNotify;
}

/** The base class's methods as they were when this was loaded. */
const pristine = Object.fromEntries(
  Object.getOwnPropertyNames(Adapter.prototype).map((name) => [name, Adapter.prototype[name]]),
);

onReplace(Socket.prototype, "notifyOutgoingListeners", (socket) => {
  // Broadcasts have to pass through this socket's own method from now on.
  socket.nsp._hasOutgoingListeners = true;
  socket.nsp._onOutgoing?.();
});
const pristineNotify = Socket.prototype.notifyOutgoingListeners;

const NONE = [];
const NO_FLAGS = {};
/** @type {any} a symbol */
const kMirror = Symbol("native rooms");

module.exports = {
  canFanOut,
  fanOut,
  isNotifying,
  isPristine,
  isUnwatched,
  kMirror,
  mirror,
  notifyOutgoing,
  pristine,
  withNativeRooms,
};
