"use strict";

// The short way between Socket.IO objects and the native core, for connections that
// live there. Every function here has a long way round in plain JavaScript (encoder,
// decoder, one write per packet), which is taken whenever somebody has replaced or
// watches a part of it; both ways look the same to client and application.

const debug = require("debug")("engine:socket");
const { Encoder, Decoder, PacketType } = require("socket.io-parser");
const { Socket: Connection, toMessage } = require("./engine/socket");
const { core, sendEvent, touchTick } = require("./dispatch");

const { CONNECT, EVENT, ACK } = PacketType;
const pristineEncode = Encoder.prototype.encode;
const pristineAdd = Decoder.prototype.add;

/** Numbers of rooms and namespaces in the core. A number is reused once its room is gone. */
const freeNumbers = [];
let nextNumber = 1;

/** Takes a number for a room or namespace. */
function takeNumber() {
  return freeNumbers.length > 0 ? freeNumbers.pop() : nextNumber++;
}

/** Gives a number back. The core hears of what comes after it in order, so it may be reused. */
function freeNumber(number) {
  freeNumbers.push(number);
}

/** True for connections that live in the core. */
function isNative(conn) {
  return conn instanceof Connection;
}

/** True for the encoder that the core's own encoding agrees with. */
function isDefaultEncoder(/** @type {any} */ encoder) {
  return (
    encoder.constructor === Encoder && encoder.encode === pristineEncode && !encoder["replacer"]
  );
}

/** True for a parser whose packets the core may decode. */
function isDefaultParser(parser) {
  return parser.Decoder === Decoder;
}

/** Has the connected sockets of an adapter counted, see `connectedCount()`. */
function countConnected(adapter) {
  Object.defineProperty(adapter, kConnected, { value: 0, writable: true });
}

/** How many connected sockets of an adapter the core knows. */
function connectedCount(adapter) {
  return adapter[kConnected];
}

/**
 * Reads what the default decoder would: a CONNECT to the main namespace, with which most connections
 * have said all that needs a decoder.
 * @returns {object|undefined} nothing if the decoder has to see it
 */
function readConnect(data) {
  if (Decoder.prototype.add !== pristineAdd) {
    return undefined;
  }
  if (data === "0") {
    return { type: CONNECT, nsp: "/" };
  }
  if (typeof data !== "string" || !data.startsWith("0{")) {
    return undefined;
  }
  try {
    return { type: CONNECT, nsp: "/", data: JSON.parse(data.slice(1)) };
  } catch {
    return undefined;
  }
}

/**
 * Counts a connected socket, once: a middleware may have called `next()` twice. The core knows a
 * namespace while it has any.
 */
function enterNamespace(socket) {
  const { nsp, adapter } = socket;
  if (socket[kEntry] !== undefined) {
    return socket[kEntry].number;
  }
  const entry = entryOf(nsp);
  if (entry.sockets++ === 0) {
    entry.number = takeNumber();
    core.addNamespace(entry.number, nsp.name);
    entry.listener?.(entry.number);
  }
  if (adapter[kConnected] !== undefined) {
    adapter[kConnected]++;
  }
  Object.defineProperty(socket, kEntry, { value: entry, writable: true });
  return entry.number;
}

function entryOf(nsp) {
  if (nsp[kNamespace] === undefined) {
    const entry = { number: 0, sockets: 0, listener: undefined };
    Object.defineProperty(nsp, kNamespace, { value: entry });
  }
  return nsp[kNamespace];
}

/** Calls `listener` with the core's number of a namespace, now and whenever it changes. */
function followNamespace(nsp, listener) {
  const entry = entryOf(nsp);
  entry.listener = listener;
  listener(entry.sockets > 0 ? entry.number : undefined);
}

function exitNamespace(socket) {
  const { adapter } = socket;
  const entry = socket[kEntry];
  if (entry === undefined) {
    return;
  }
  socket[kEntry] = undefined;
  if (adapter[kConnected] !== undefined) {
    adapter[kConnected]--;
  }
  if (--entry.sockets === 0) {
    core.removeNamespace(entry.number);
    entry.listener?.(undefined);
    freeNumber(entry.number);
  }
}

/** The socket no longer hears what is sent to the whole namespace. */
function leaveNamespace(socket) {
  const entry = socket[kEntry];
  if (entry !== undefined) {
    leaveRoom(socket, entry.number);
    socket[kAway] = true;
  }
}

/** Undoes `leaveNamespace()`. */
function returnToNamespace(socket) {
  const entry = socket[kEntry];
  if (socket[kAway] && entry !== undefined) {
    joinRoom(socket, entry.number);
    socket[kAway] = undefined;
  }
}

/**
 * Gives a socket the ordinal by which the core knows it on its connection.
 * @returns {number} -1 if the connection is not the core's, or is closed
 */
function ordinalOf(socket) {
  const { conn } = socket;
  if (!isNative(conn) || conn.handle === -1) {
    return -1;
  }
  if (socket[kOrdinal] === undefined) {
    Object.defineProperty(socket, kOrdinal, { value: conn.addSocket(socket), writable: true });
  }
  return socket[kOrdinal];
}

/** The socket is connected: the core may decode its packets and send it broadcasts. */
function connectSocket(socket) {
  const ordinal = ordinalOf(socket);
  if (ordinal !== -1) {
    core.connect(socket.conn.handle, ordinal, enterNamespace(socket));
  }
}

/** The socket has left its namespace for good. */
function forgetSocket(socket) {
  const ordinal = socket[kOrdinal];
  if (ordinal === undefined) {
    return;
  }
  const { conn } = socket;
  exitNamespace(socket);
  socket[kOrdinal] = undefined;
  conn.removeSocket(ordinal);
  if (conn.handle !== -1) {
    core.detach(conn.handle, ordinal);
  }
}

/** The core sends the socket no more broadcasts. */
function silenceSocket(socket) {
  const ordinal = socket[kOrdinal];
  if (ordinal !== undefined && socket.conn.handle !== -1) {
    core.detach(socket.conn.handle, ordinal);
  }
}

/** Tells the core that a socket has joined the room of that number. */
function joinRoom(socket, number) {
  const isNew = socket[kOrdinal] === undefined;
  const ordinal = ordinalOf(socket);
  if (ordinal !== -1) {
    if (isNew) {
      // It joins rooms before it is connected.
      core.attach(socket.conn.handle, ordinal);
    }
    core.join(socket.conn.handle, ordinal, number);
  }
}

/** Tells the core that a socket has left the room of that number. */
function leaveRoom(socket, number) {
  const ordinal = socket[kOrdinal];
  if (ordinal !== undefined && socket.conn.handle !== -1) {
    core.leave(socket.conn.handle, ordinal, number);
  }
}

/**
 * Sends an EVENT or ACK without binary data through the core's encoder.
 * @returns {boolean} false when the packet has to go the long way
 */
function sendPacket(conn, packet, opts) {
  const { type, data, id, nsp } = packet;
  if ((type !== EVENT && type !== ACK) || data === undefined || hasBinary(data)) {
    return false;
  }
  const head = `${type}${nsp === "/" ? "" : `${nsp},`}${id ?? ""}`;
  const text = JSON.stringify(data);
  if (debug.enabled) {
    debug("%s: sending packet message (%s%s)", conn.id, head, text);
  }
  sendEvent(conn.handle, head, text, flagsOf(opts), conn.touch(head.length + text.length));
  return true;
}

/** Writes an encoded packet: a text and its attachments stay together. */
function writeEncoded(conn, encoded, opts) {
  const group = toGroup(encoded);
  let tick = 0;
  for (const { length } of group) {
    tick = conn.touch(length);
  }
  core.sendGroup(conn.handle, group, flagsOf(opts), tick);
}

/**
 * Sends encoded packets to the members of rooms; to the whole namespace without any.
 * @param {{volatile?: boolean, compress?: boolean}} [flags]
 */
function broadcast(nsp, rooms, except, encoded, flags = {}) {
  if (debug.enabled) {
    debug("broadcasting to %d rooms of %s (%s)", rooms.length, nsp.name, encoded);
  }
  const entry = nsp[kNamespace];
  if (entry !== undefined && entry.sockets > 0) {
    const group = toGroup(encoded);
    core.broadcast(entry.number, rooms, except, group, flagsOf(flags), touchTick());
  }
}

/**
 * The core's form of a packet's flags.
 * @param {{volatile?: boolean, compress?: boolean}} flags
 */
function flagsOf({ volatile, compress }) {
  return (volatile ? 1 : 0) | (compress === false ? 2 : 0);
}

/** Encoded packets in the forms that the core takes. */
function toGroup(encoded) {
  return Array.isArray(encoded) ? encoded.map(toMessage) : [toMessage(encoded)];
}

/**
 * Looks for what has to travel as an attachment, wherever the encoder would find it: among own
 * enumerable properties at any depth, and in what `toJSON()` returns.
 */
function hasBinary(value, toJSON) {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item = value[i];
      if (typeof item === "object" && item !== null && hasBinary(item)) {
        return true;
      }
    }
    return false;
  }
  if (isBinary(value)) {
    return true;
  }
  if (typeof value.toJSON === "function" && !toJSON) {
    return hasBinary(value.toJSON(), true);
  }
  for (const key in value) {
    const item = value[key];
    if (typeof item === "object" && item !== null && Object.hasOwn(value, key) && hasBinary(item)) {
      return true;
    }
  }
  return false;
}

function isBinary(value) {
  return (
    value instanceof ArrayBuffer ||
    ArrayBuffer.isView(value) ||
    (typeof Blob === "function" && value instanceof Blob) ||
    (typeof File === "function" && value instanceof File)
  );
}

/** Puts attachments where their placeholders are. Throws on a placeholder without one. */
function reconstruct(value, attachments) {
  if (typeof value !== "object" || value === null) {
    return value;
  }
  if (value._placeholder === true) {
    const { num } = value;
    if (typeof num === "number" && num >= 0 && num < attachments.length) {
      return attachments[num];
    }
    throw new Error("illegal attachments");
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      value[i] = reconstruct(value[i], attachments);
    }
  } else {
    for (const key of Object.keys(value)) {
      const item = reconstruct(value[key], attachments);
      if (item !== value[key]) {
        value[key] = item;
      }
    }
  }
  return value;
}

const kNamespace = Symbol("native namespace");
const kEntry = Symbol("namespace of the socket");
const kConnected = Symbol("connected sockets");
const kAway = Symbol("left its namespace");
const kOrdinal = Symbol("native ordinal");

module.exports = {
  broadcast,
  connectSocket,
  connectedCount,
  countConnected,
  followNamespace,
  forgetSocket,
  freeNumber,
  isDefaultEncoder,
  isDefaultParser,
  isNative,
  joinRoom,
  leaveNamespace,
  leaveRoom,
  readConnect,
  reconstruct,
  returnToNamespace,
  sendPacket,
  silenceSocket,
  takeNumber,
  writeEncoded,
};
