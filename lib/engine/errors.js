"use strict";

// Why the engine refuses a request: the codes and texts of the protocol.

/** Codes by name. */
const errors = {
  UNKNOWN_TRANSPORT: 0,
  UNKNOWN_SID: 1,
  BAD_HANDSHAKE_METHOD: 2,
  BAD_REQUEST: 3,
  FORBIDDEN: 4,
  UNSUPPORTED_PROTOCOL_VERSION: 5,
};

/** Texts by code. */
const errorMessages = {
  [errors.UNKNOWN_TRANSPORT]: "Transport unknown",
  [errors.UNKNOWN_SID]: "Session ID unknown",
  [errors.BAD_HANDSHAKE_METHOD]: "Bad handshake method",
  [errors.BAD_REQUEST]: "Bad request",
  [errors.FORBIDDEN]: "Forbidden",
  [errors.UNSUPPORTED_PROTOCOL_VERSION]: "Unsupported protocol version",
};

module.exports = { errorMessages, errors };
