"use strict";

// Native fan-out under adapters of others (Redis, cluster and the like), which extend the
// Adapter of their own copy of socket.io-adapter and call `super.broadcast()`. Their classes
// are shared with whatever else runs in the process, so nothing is changed on a prototype: the
// methods that the base class calls on `this` are shadowed on the one adapter of our namespace.

const {
  canFanOut,
  fanOut,
  isUnwatched,
  kMirror,
  mirror,
  notifyOutgoing,
  pristine,
} = require("./native-rooms");

/** The methods whose text decides whether a copy of the base class does what ours does. */
const STEPS = [
  ...["broadcast", "broadcastWithAck", "apply", "computeExceptSids", "_encode"],
  ...["addAll", "_del", "delAll"],
];
const texts = STEPS.map((name) => Function.prototype.toString.call(pristine[name]));

/**
 * Lets the core serve the local part of an adapter's broadcasts, where its base class allows it.
 * Any other adapter stays as it is: its broadcasts are written to one recipient after the other.
 */
function serveForeign(adapter) {
  if (adapter[kMirror] !== undefined || !canShadow(adapter)) {
    return;
  }
  mirror(adapter);
  const { apply, _encode, addAll, _del, delAll } = adapter;
  /** What the base class has encoded and is about to apply. */
  let pending;

  shadow(adapter, {
    addAll(id, rooms) {
      this[kMirror].joins(this, id, rooms);
      return addAll.call(this, id, rooms);
    },
    _del(room, id) {
      this[kMirror].leaves(this, room, id);
      return _del.call(this, room, id);
    },
    delAll(id) {
      const known = this.sids.has(id);
      const result = delAll.call(this, id);
      this[kMirror].isGone(this, id, known);
      return result;
    },
    _encode(packet, packetOpts) {
      if (!isUnwatched(this.nsp.server)) {
        // Who watches writes wants to see frames.
        return _encode.call(this, packet, packetOpts);
      }
      const encoded = this.encoder.encode(packet);
      pending = { packet, packetOpts, encoded };
      return encoded;
    },
    apply(opts, callback) {
      const broadcast = pending;
      pending = undefined;
      if (broadcast === undefined || !canFanOut(this, opts)) {
        return apply.call(this, opts, callback);
      }
      if (broadcast.packet.id === undefined) {
        notifyOutgoing(this, broadcast.packet, opts);
      } else {
        const recipient = new Recipient();
        apply.call(this, opts, (socket) => callback(recipient.standsFor(socket)));
      }
      const { rooms, except } = opts;
      fanOut(this, broadcast.encoded, { rooms, except, flags: broadcast.packetOpts });
      return undefined;
    },
  });
}

module.exports = { serveForeign };

/**
 * Who is given to the base class in place of a socket: it counts recipients and notes where their
 * answers go, but what it writes is left to the core.
 */
class Recipient {
  constructor() {
    this.client = WRITES_NOTHING;
    this.acks = undefined;
    this._socket = undefined;
  }

  standsFor(socket) {
    this._socket = socket;
    this.acks = socket.acks;
    return this;
  }

  notifyOutgoingListeners(packet) {
    this._socket.notifyOutgoingListeners?.(packet);
  }
}

const WRITES_NOTHING = { writeToEngine() {} };

/** True when the adapter inherits the steps of a broadcast as we know them, and overrides none. */
function canShadow(adapter) {
  const base = baseOf(adapter);
  return (
    base !== undefined &&
    STEPS.every((name, at) => Function.prototype.toString.call(base[name]) === texts[at]) &&
    adapter.apply === base.apply &&
    adapter.computeExceptSids === base.computeExceptSids &&
    adapter._encode === base._encode
  );
}

/** The prototype that all steps come from. */
function baseOf(adapter) {
  let prototype = Object.getPrototypeOf(Object(adapter));
  while (prototype !== null && !STEPS.every((name) => Object.hasOwn(prototype, name))) {
    prototype = Object.getPrototypeOf(prototype);
  }
  return prototype ?? undefined;
}

/** Puts methods on one object, where enumerating and comparing it does not find them. */
function shadow(object, methods) {
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(object, name, { value, configurable: true, writable: true });
  }
}
