"use strict";

// The state of the chat, all in memory: rooms, who is in them, their last messages.
// Nothing in here knows about the network.

const { randomUUID } = require("node:crypto");
const { RequestError } = require("./requests");

const HISTORY_LENGTH = 100;
const MOST_ROOMS = 100;

/** All rooms. Those given at the start stay; others live as long as somebody is in them. */
class Rooms {
  constructor(permanent) {
    this._rooms = new Map();
    for (const { name, topic } of permanent) {
      this._rooms.set(name, new Room(name, topic, true));
    }
  }

  /** What everybody may see of the rooms. */
  list() {
    return [...this._rooms.values()].map(({ name, topic, size }) => ({ name, topic, size }));
  }

  /** The room of this name, made if need be. */
  open(name) {
    let room = this._rooms.get(name);
    if (!room) {
      if (this._rooms.size >= MOST_ROOMS) {
        throw new RequestError("There are too many rooms already: join one of them");
      }
      room = new Room(name, "", false);
      this._rooms.set(name, room);
    }
    return room;
  }

  /** The room of this name, if the socket is in it. */
  entered(name, socketId) {
    const room = this._rooms.get(name);
    if (!room?.has(socketId)) {
      throw new RequestError(`You are not in #${name}`);
    }
    return room;
  }

  /** The rooms that the socket is in. */
  enteredBy(socketId) {
    return [...this._rooms.values()].filter((room) => room.has(socketId));
  }

  /** Forgets a room that nobody needs any more. */
  tidy(room) {
    if (!room.permanent && room.size === 0) {
      this._rooms.delete(room.name);
    }
  }
}

/** One room: its members, each with one or more sockets, and its last messages. */
class Room {
  constructor(name, topic, permanent) {
    this.name = name;
    this.topic = topic;
    this.permanent = permanent;
    this._members = new Map(); // user id -> { user, sockets }
    this._history = [];
  }

  /** How many people are here. */
  get size() {
    return this._members.size;
  }

  has(socketId) {
    return [...this._members.values()].some(({ sockets }) => sockets.has(socketId));
  }

  /** Returns true when the person was not here before. */
  enter(user, socketId) {
    const member = this._members.get(user.id);
    if (member) {
      member.sockets.add(socketId);
      return false;
    }
    this._members.set(user.id, { user, sockets: new Set([socketId]) });
    return true;
  }

  /** Returns true when that was the person's last socket here. */
  leave(userId, socketId) {
    const member = this._members.get(userId);
    member?.sockets.delete(socketId);
    return member?.sockets.size === 0 && this._members.delete(userId);
  }

  /** Keeps a message, drops the oldest beyond the limit, and returns the message. */
  add({ user, text, nonce }) {
    const message = { id: randomUUID(), room: this.name, user, text, nonce, time: Date.now() };
    this._history.push(message);
    this._history.splice(0, this._history.length - HISTORY_LENGTH);
    return message;
  }

  /** The message that this person sent under this number, if it is remembered. */
  find(userId, nonce) {
    return this._history.find(({ user, nonce: own }) => own === nonce && user.id === userId);
  }

  /** All that a newcomer needs. */
  describe() {
    const members = [...this._members.values()].map(({ user }) => user);
    return { name: this.name, topic: this.topic, members, history: this._history };
  }
}

module.exports = { Rooms };
