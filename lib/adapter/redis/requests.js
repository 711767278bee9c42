"use strict";

// Questions to the other servers of a cluster, while their answers come in.

/** The types of requests and responses on the wire. */
const RequestType = Object.freeze({
  SOCKETS: 0,
  ALL_ROOMS: 1,
  REMOTE_JOIN: 2,
  REMOTE_LEAVE: 3,
  REMOTE_DISCONNECT: 4,
  REMOTE_FETCH: 5,
  SERVER_SIDE_EMIT: 6,
  BROADCAST: 7,
  BROADCAST_CLIENT_COUNT: 8,
  BROADCAST_ACK: 9,
});

class Requests {
  constructor() {
    this._open = new Map();
  }

  /** Collects so many answers; `done(isWhole, answers)` is called when they are there, or late. */
  open(id, wanted, limit, done) {
    const answers = [];
    const end = (isWhole) => {
      clearTimeout(timer);
      this._open.delete(id);
      done(isWhole, answers);
    };
    const timer = setTimeout(end, limit, false);
    this._open.set(id, (answer) => {
      answers.push(answer);
      if (answers.length === wanted) {
        end(true);
      }
    });
  }

  /** Takes an answer. */
  answer(id, answer) {
    this._open.get(id)?.(answer);
  }
}

module.exports = { RequestType, Requests };
