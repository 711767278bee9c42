"use strict";

// The adapters that a server uses when the application names none: those of the
// socket.io-adapter package, with the fan-out done by the native core.

const { Adapter, SessionAwareAdapter } = require("socket.io-adapter");
const { PacketType } = require("socket.io-parser");
const { withNativeRooms } = require("./native-rooms");

/**
 * @param {object} opts the options of the server, with `connectionStateRecovery` expanded
 * @returns {Function} an adapter class
 */
function defaultAdapter(opts) {
  return opts.connectionStateRecovery ? NativeSessionAwareAdapter : NativeAdapter;
}

class NativeAdapter extends withNativeRooms(Adapter) {}

/** Keeps what is sent, for clients that come back. Sessions are the package's business. */
class NativeSessionAwareAdapter extends withNativeRooms(SessionAwareAdapter) {
  broadcast(packet, opts) {
    const isStored =
      packet.type === PacketType.EVENT &&
      // A function that waits for answers cannot be kept.
      packet.id === undefined &&
      opts.flags?.volatile === undefined;
    if (isStored) {
      const id = nextOffset();
      // The client names the last offset that it has seen when it comes back.
      packet.data.push(id);
      this.packets.push({ id, opts, data: packet.data, emittedAt: Date.now() });
    }
    super.broadcast(packet, opts);
  }
}

// Applications log and compare class names; there are no other in-memory adapters to them.
for (const [own, name] of [
  [NativeAdapter, "Adapter"],
  [NativeSessionAwareAdapter, "SessionAwareAdapter"],
]) {
  Object.defineProperty(own, "name", { value: name });
  Object.defineProperty(own, "length", { value: 1 });
}

let offsets = 0;

/** Names a stored packet; unique also across restarts of the server. */
function nextOffset() {
  offsets = (offsets + 1) % MAX_OFFSETS;
  return `${Date.now().toString(36)}.${offsets.toString(36)}`;
}

const MAX_OFFSETS = 36 ** 4;

module.exports = { NativeAdapter, NativeSessionAwareAdapter, defaultAdapter };
