"use strict";

// A broadcast operator: whom a broadcast reaches and with which flags, and what can
// be done with those sockets. And the remote socket: a socket as another server of
// the cluster describes it. Finding and writing to the recipients is the adapter's.

const debug = require("debug")("socket.io:broadcast-operator");
const { PacketType } = require("socket.io-parser");
const { RESERVED_EVENTS, assertNotReserved } = require("./events");

class BroadcastOperator {
  /**
   * Operators never change: each modifier returns a new one, so that one can be
   * kept and used again.
   */
  constructor(adapter, rooms = new Set(), exceptRooms = new Set(), flags = {}) {
    this.adapter = adapter;
    this.rooms = rooms;
    this.exceptRooms = exceptRooms;
    this.flags = flags;
  }

  /** Targets a room, or a list of rooms; several calls add up. */
  to(room) {
    const rooms = union(this.rooms, room);
    return new BroadcastOperator(this.adapter, rooms, this.exceptRooms, this.flags);
  }

  /** Targets a room: the same as `to()`. */
  in(room) {
    return this.to(room);
  }

  /** Excludes a room, or a list of rooms; several calls add up. */
  except(room) {
    const exceptRooms = union(this.exceptRooms, room);
    return new BroadcastOperator(this.adapter, this.rooms, exceptRooms, this.flags);
  }

  /** Sets whether the event may be compressed. */
  compress(compress) {
    return withFlags(this, { ...this.flags, compress });
  }

  /** Lets the event be lost for clients that are not ready to receive. */
  get volatile() {
    return withFlags(this, { ...this.flags, volatile: true });
  }

  /** Limits the event to the clients of this server. */
  get local() {
    return withFlags(this, { ...this.flags, local: true });
  }

  /** Sets how long to wait for the answers of the clients, in milliseconds. */
  timeout(timeout) {
    return withFlags(this, { ...this.flags, timeout });
  }

  /**
   * Sends an event to all recipients. With a function as last argument, that one is
   * called with the answers of all of them, or with an error when time is up.
   * @returns {true}
   */
  emit(ev, ...args) {
    assertNotReserved(RESERVED_EVENTS, ev);
    const data = [ev, ...args];
    const packet = { type: PacketType.EVENT, data };
    if (typeof data[data.length - 1] === "function") {
      emitAndCollect(this, packet, data.pop());
    } else {
      this.adapter.broadcast(packet, targetOf(this));
    }
    return true;
  }

  /**
   * Sends an event to all recipients and resolves to their answers. When time is up,
   * the error carries the answers so far as `responses`.
   * @returns {Promise<any[]>}
   */
  emitWithAck(ev, ...args) {
    return new Promise((resolve, reject) => {
      this.emit(ev, ...args, (err, responses) => {
        if (err) {
          err.responses = responses;
          reject(err);
        } else {
          resolve(responses);
        }
      });
    });
  }

  /** Resolves to the ids of the sockets in the targeted rooms, on all servers. */
  allSockets() {
    if (!this.adapter) {
      throw new Error(
        "No adapter for this namespace, are you trying to get the list of clients of a dynamic " +
          "namespace?",
      );
    }
    return this.adapter.sockets(this.rooms);
  }

  /**
   * Resolves to the targeted sockets: those of this server as they are, those of
   * other servers as remote sockets.
   */
  fetchSockets() {
    return this.adapter
      .fetchSockets(targetOf(this))
      .then((sockets) =>
        sockets.map((socket) => (socket.server ? socket : new RemoteSocket(this.adapter, socket))),
      );
  }

  /** Makes the targeted sockets join one or several rooms. */
  socketsJoin(room) {
    this.adapter.addSockets(targetOf(this), toArray(room));
  }

  /** Makes the targeted sockets leave one or several rooms. */
  socketsLeave(room) {
    this.adapter.delSockets(targetOf(this), toArray(room));
  }

  /** Disconnects the targeted sockets, and closes their connections if `close` is true. */
  disconnectSockets(close = false) {
    this.adapter.disconnectSockets(targetOf(this), close);
  }
}

/** A socket of another server of the cluster. */
class RemoteSocket {
  /**
   * @param {object} adapter
   * @param {{id: string, handshake: object, rooms: Iterable<string>, data: any}} details
   */
  constructor(adapter, details) {
    this.id = details.id;
    this.handshake = details.handshake;
    this.rooms = new Set(details.rooms);
    this.data = details.data;
    // A single recipient answers with one value, like a local socket.
    this.operator = new BroadcastOperator(adapter, new Set([this.id]), new Set(), {
      expectSingleResponse: true,
    });
  }

  /** Sets how long to wait for the answer of the client, in milliseconds. */
  timeout(timeout) {
    return this.operator.timeout(timeout);
  }

  /** Sends an event to the client. */
  emit(ev, ...args) {
    return this.operator.emit(ev, ...args);
  }

  /** Makes the socket join one or several rooms. */
  join(room) {
    return this.operator.socketsJoin(room);
  }

  /** Makes the socket leave a room. */
  leave(room) {
    return this.operator.socketsLeave(room);
  }

  /** Disconnects the socket, and closes its connection if `close` is true. */
  disconnect(close = false) {
    this.operator.disconnectSockets(close);
    return this;
  }
}

module.exports = { BroadcastOperator, RemoteSocket };

/**
 * Broadcasts a packet and calls `ack` when every server has said how many clients it
 * wrote to and each of those has answered, or when time is up.
 */
function emitAndCollect(operator, packet, ack) {
  const { adapter, flags } = operator;
  const responses = [];
  let settled = false;
  let servers = 0;
  let expectedServers = -1;
  let expectedClients = 0;

  const settle = (err, result) => {
    settled = true;
    ack.call(operator, err, result);
  };

  const timer = setTimeout(() => {
    debug("operation has timed out with %d responses", responses.length);
    // The adapter has left `ack` with every recipient; those that have not answered
    // would keep it for as long as they are connected.
    if (packet.id !== undefined) {
      for (const socket of adapter.nsp.sockets.values()) {
        socket._forgetAck(packet.id);
      }
    }
    const result = flags.expectSingleResponse ? null : responses;
    settle(new Error("operation has timed out"), result);
  }, flags.timeout);

  const settleWhenComplete = () => {
    debug(
      "responses: servers: %d / %d ; clients: %d / %d",
      servers,
      expectedServers,
      responses.length,
      expectedClients,
    );
    if (!settled && servers === expectedServers && responses.length === expectedClients) {
      clearTimeout(timer);
      settle(null, flags.expectSingleResponse ? responses[0] : responses);
    }
  };

  adapter.broadcastWithAck(
    packet,
    targetOf(operator),
    (clientCount) => {
      servers++;
      expectedClients += clientCount;
      settleWhenComplete();
    },
    (response) => {
      responses.push(response);
      settleWhenComplete();
    },
  );

  adapter.serverCount().then(
    (serverCount) => {
      expectedServers = serverCount;
      settleWhenComplete();
    },
    // The time limit says the rest.
    (err) => debug("the number of servers is not known: %s", err.message),
  );
}

/** What adapters are told about the recipients. */
function targetOf(operator) {
  return { rooms: operator.rooms, except: operator.exceptRooms, flags: operator.flags };
}

function withFlags(operator, flags) {
  return new BroadcastOperator(operator.adapter, operator.rooms, operator.exceptRooms, flags);
}

function union(rooms, room) {
  const all = new Set(rooms);
  for (const each of toArray(room)) {
    all.add(each);
  }
  return all;
}

function toArray(room) {
  return Array.isArray(room) ? room : [room];
}
