"use strict";

// The rooms of one adapter as the native core knows them. The Maps of the adapter stay the
// truth that applications read and may even change; the core's index follows them.

const native = require("../native");

/** What the core was told of an adapter's rooms. */
class Mirror {
  constructor() {
    /** The core's number of each room, and how many memberships of it went through us. */
    this.rooms = new Map();
    /** How many entries of `adapter.sids` were made by us. */
    this.ids = 0;
    /** Ids that joined rooms before there was a socket of that id. */
    this.early = new Set();
    this._listener = undefined;
  }

  /** Calls `listener(room, number)` for rooms that get a number; without one for those that go. */
  follow(listener) {
    this._listener = listener;
  }

  /** The socket of that id is about to join rooms: tells the core. */
  joins(adapter, id, rooms) {
    const socket = socketOf(adapter.nsp, id);
    if (!adapter.sids.has(id)) {
      this.ids++;
      if (socket !== undefined) {
        native.returnToNamespace(socket);
      }
    }
    if (socket === undefined) {
      this.early.add(id);
    } else if (this.early.delete(id)) {
      for (const room of adapter.sids.get(id) ?? NONE) {
        native.joinRoom(socket, this.numberOf(room));
      }
    }
    for (const room of rooms) {
      if (!adapter.rooms.get(room)?.has(id)) {
        if (socket !== undefined && room === id && this._canWait(adapter, room)) {
          socket[kAlone] = this;
          continue;
        }
        this._tell(adapter, room);
        const number = this.add(room);
        if (socket !== undefined) {
          native.joinRoom(socket, number);
        }
      }
    }
  }

  /** The socket of that id is about to leave a room: tells the core. */
  leaves(adapter, room, id) {
    if (adapter.rooms.get(room)?.has(id) && this.rooms.has(room)) {
      const socket = socketOf(adapter.nsp, id);
      if (socket !== undefined) {
        native.leaveRoom(socket, this.numberOf(room));
      }
      this.remove(room);
    } else if (this._isUntold(adapter, room)) {
      socketOf(adapter.nsp, room)[kAlone] = undefined;
    }
  }

  /** The socket of that id, which the adapter knew, has left all rooms. */
  isGone(adapter, id, known) {
    this.early.delete(id);
    if (known) {
      this.ids--;
      const socket = adapter.nsp.sockets.get(id);
      if (socket !== undefined) {
        // Who has left even the room of its own id no longer hears what is sent to all.
        native.leaveNamespace(socket);
      }
    }
  }

  /** Counts one more member; the room gets a number with its first. */
  add(room) {
    let entry = this.rooms.get(room);
    if (entry === undefined) {
      entry = { number: native.takeNumber(), size: 0 };
      this.rooms.set(room, entry);
      this._listener?.(room, entry.number);
    }
    entry.size++;
    return entry.number;
  }

  /** Counts one member less; the number is free again after the last. */
  remove(room) {
    const entry = this.rooms.get(room);
    if (--entry.size === 0) {
      this.rooms.delete(room);
      this._listener?.(room, undefined);
      native.freeNumber(entry.number);
    }
  }

  numberOf(room) {
    return this.rooms.get(room)?.number;
  }

  /** False when somebody has changed one of the adapter's sets without us. */
  agrees(adapter, rooms) {
    for (const room of rooms) {
      const size = this.rooms.get(room)?.size ?? (this._isUntold(adapter, room) ? 1 : 0);
      if ((adapter.rooms.get(room)?.size ?? 0) !== size) {
        return false;
      }
    }
    return true;
  }

  /** The core's numbers of rooms, which it is told of now at the latest. */
  numbersOf(adapter, rooms) {
    const numbers = [];
    for (const room of rooms ?? NONE) {
      this._tell(adapter, room);
      const number = this.numberOf(room);
      if (number !== undefined) {
        numbers.push(number);
      }
    }
    return numbers;
  }

  /**
   * Every socket is in a room of its own, and hardly any of these rooms is ever needed for a fan-out:
   * the core hears of one when it is, or when a second socket joins.
   */
  _canWait(adapter, room) {
    return this._listener === undefined && !adapter.rooms.has(room) && !this.rooms.has(room);
  }

  _isUntold(adapter, room) {
    return socketOf(adapter.nsp, room)?.[kAlone] === this;
  }

  _tell(adapter, room) {
    if (this._isUntold(adapter, room)) {
      const socket = socketOf(adapter.nsp, room);
      socket[kAlone] = undefined;
      native.joinRoom(socket, this.add(room));
    }
  }
}

module.exports = { Mirror };

function socketOf(nsp, id) {
  return nsp.sockets.get(id) ?? nsp._preConnectSockets.get(id);
}

/** Set to the mirror while it has not told the core of the room of the socket's own. */
const kAlone = Symbol("alone");
const NONE = [];
