"use strict";

// Whether what other servers have sent can be used: whatever can publish to Redis can send anything.

const { PacketType } = require("socket.io-parser");

/** True for a packet that may go to clients: an event with its name. */
function isEvent(packet) {
  return (
    packet?.type === PacketType.EVENT &&
    Array.isArray(packet.data) &&
    ["string", "number"].includes(typeof packet.data[0])
  );
}

/** True for what says which sockets are meant. */
function isSelection(opts) {
  return typeof opts === "object" && isList(opts?.rooms) && isList(opts?.except);
}

/** True for a list of rooms, which may be left out. */
function isList(rooms) {
  return rooms === undefined || rooms === null || Array.isArray(rooms);
}

module.exports = { isEvent, isList, isSelection };
