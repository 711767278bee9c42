"use strict";

// What clients may send: every value from the network becomes something known here, or is
// refused with a RequestError whose message the person may read.

const { createHash } = require("node:crypto");

const LONGEST_NAME = 24;
const LONGEST_ROOM = 24;
const LONGEST_TEXT = 2000;
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A refusal in words for the person at the other end. */
class RequestError extends Error {}

const parse = {
  /**
   * The person behind a handshake. The session is the client's secret; others see its hash only,
   * which stays the same when the client comes back.
   */
  user(auth) {
    const name = text(auth?.name).replace(INVISIBLE, "").replace(/\s+/g, " ").trim();
    if (name === "" || [...name].length > LONGEST_NAME) {
      throw new RequestError(`A name has 1 to ${LONGEST_NAME} characters`);
    }
    const session = text(auth?.session);
    if (!/^[\w-]{16,64}$/.test(session)) {
      throw new RequestError("The session is not valid: reload the page");
    }
    const id = createHash("sha256").update(session).digest("hex").slice(0, 12);
    return { id, name };
  },

  /** The name of a room: "Coffee break" and "#coffee-break" are the same room. */
  room(request) {
    const name = text(request?.room)
      .trim()
      .toLowerCase()
      .replace(/^#/, "")
      .replace(/[\s_]+/g, "-");
    if (!/^[\p{L}\p{N}-]+$/u.test(name) || [...name].length > LONGEST_ROOM) {
      throw new RequestError(
        `A room has 1 to ${LONGEST_ROOM} letters, digits or dashes in its name`,
      );
    }
    return name;
  },

  /** A message's text, and the number by which its sender knows it. */
  message(request) {
    const content = text(request?.text).trim();
    if (content === "") {
      throw new RequestError("There is nothing to send");
    }
    if (content.length > LONGEST_TEXT) {
      throw new RequestError(`A message has at most ${LONGEST_TEXT} characters`);
    }
    const nonce = text(request?.nonce);
    if (!/^[\w-]{1,64}$/.test(nonce)) {
      throw new RequestError("The message has no valid number");
    }
    return { text: content, nonce };
  },
};

/** Lets a client do something in bursts, and steadily no faster than a given rate. */
class Limiter {
  constructor({ burst, perSecond }) {
    this._burst = burst;
    this._perSecond = perSecond;
    this._left = burst;
    this._at = Date.now();
  }

  take() {
    const now = Date.now();
    const regained = ((now - this._at) / 1000) * this._perSecond;
    this._left = Math.min(this._burst, this._left + regained);
    this._at = now;
    if (this._left < 1) {
      throw new RequestError("That was a bit fast: wait a moment");
    }
    this._left -= 1;
  }
}

module.exports = { parse, Limiter, RequestError };

function text(value) {
  return typeof value === "string" ? value : "";
}
