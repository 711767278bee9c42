"use strict";

// A client: one connection of the engine, seen by Socket.IO. It turns what the
// engine delivers into packets, routes them to the sockets of the namespaces that
// the connection has joined, and writes encoded packets back to the engine.

const debug = require("debug")("socket.io:client");
// What the core decodes is told under the name of the parser that it stands in for.
const debugParser = require("debug")("socket.io-parser");
const { PacketType } = require("socket.io-parser");
const { warnOfLimits } = require("./engine/foreign");
const { limitsOf } = require("./limits");
const native = require("./native");
const { onReplace } = require("./overrides");
const { runWave } = require("./turns");

/** The decoder, while there is one. */
const kDecoder = Symbol("decoder");
/** Set once the client takes no more data from its connection. */
const kDetached = Symbol("detached");
/** How many namespaces the client waits to be let into. */
const kJoining = Symbol("joining");
/** For how many of them what comes next has been put off already. */
const kRested = Symbol("rested");
/** The Maps of the client's sockets, once somebody looks at them or there is a second socket. */
const kMaps = Symbol("maps");
/** The client's one socket, while there are no Maps. */
const kOnly = Symbol("only socket");
/** Set once the client listens to its connection itself, for all to see. */
const kListens = Symbol("listens");
/** Set while broadcasts have to pass through the client. */
const kLongWay = Symbol("long way");
/** The client's own handlers, once somebody has looked at them or put others in their place. */
const kOwn = Symbol("own handlers");
/** Packets that the core has decoded may go past the handlers, as long as those are the client's. */
const kShort = Symbol("short way in");

/** The client that takes a message in. */
let receiving = null;

class Client {
  /**
   * @param {import("./server").Server} server
   * @param {object} conn a connection of the engine
   */
  constructor(server, conn) {
    this.server = server;
    this.conn = conn;
    this.encoder = server.encoder;
    /** The id of the connection: a secret between the client and the server. */
    this.id = conn.id;
    this[kDetached] = false;
    this[kJoining] = 0;
    this[kRested] = 0;
    this[kDecoder] = undefined;
    this[kOnly] = undefined;
    this[kShort] = false;
    this.connectTimeout = undefined;
    this.setup();
  }

  /** The connected sockets by id. */
  get sockets() {
    return mapsOf(this).sockets;
  }

  /** The connected sockets by the name of their namespace. */
  get nsps() {
    return mapsOf(this).nsps;
  }

  /** The HTTP request that opened the connection. */
  get request() {
    return this.conn.request;
  }

  /** The decoder of this connection. Who asks for it wants to see or replace what it does. */
  get decoder() {
    decodeHere(this);
    return decoderOf(this);
  }

  set decoder(decoder) {
    decodeHere(this);
    this[kDecoder] = decoder;
  }

  /** Listens to the connection and gives it a limited time to join a namespace. */
  setup() {
    if (native.isNative(this.conn)) {
      this.conn.receiver = this;
      if (!isPatched() && native.isDefaultParser(this.server._parser)) {
        this[kShort] = true;
      } else {
        this.conn.setRaw();
      }
      this.conn.on("error", failReceiver);
      this.conn.on("close", closeReceiver);
    } else {
      warnOfLimits(this.conn, this.server.opts);
      goTheLongWay(this);
      this.conn.on("data", this.ondata);
      this.conn.on("error", this.onerror);
      this.conn.on("close", this.onclose);
    }

    this.connectTimeout = setTimeout(closeIfIdle, this.server._connectTimeout, this);
  }

  /** Connects the client to a namespace, which a parent namespace may have to create. */
  connect(name, auth = {}) {
    if (isFull(this)) {
      // One that was left in the same read is left a tick later.
      process.nextTick(joinOrRefuse, this, name, auth);
    } else {
      join(this, name, auth);
    }
  }

  /** True once for each namespace that the client is on its way into. */
  needsRest() {
    const needsRest = this[kJoining] > this[kRested];
    this[kRested] = this[kJoining];
    return needsRest;
  }

  /** Connects the client to a namespace that exists. */
  doConnect(name, auth) {
    const nsp = this.server.of(name);
    this[kJoining]++;
    nsp._add(this, auth, (socket) => {
      endJoin(this);
      addSocket(this, socket);
      clearConnectTimeout(this);
    });
  }

  /** Disconnects every socket of the client, then closes the connection. */
  _disconnect() {
    for (const socket of socketsOf(this)) {
      socket.disconnect();
    }
    clearSockets(this);
    this.close();
  }

  /** Forgets a socket that has left its namespace. */
  _remove(socket) {
    if (this[kOnly]?.id === socket.id) {
      this[kOnly] = undefined;
      return;
    }
    const known = this[kMaps]?.sockets.get(socket.id);
    if (!known) {
      debug("nothing to remove for socket %s", socket.id);
      return;
    }
    this.sockets.delete(socket.id);
    this.nsps.delete(known.nsp.name);
  }

  /** Closes the connection; its sockets hear of it at once. */
  close() {
    if (this.conn.readyState === "open") {
      debug("forcing the connection %s to close", this.id);
      this.conn.close();
      handlerOf(this, "onclose").call(this, "forced server close");
    }
  }

  /** Encodes a packet and writes it. */
  _packet(packet, opts = {}) {
    if (this.conn.readyState !== "open") {
      debug("ignoring packet write %j", packet);
      return;
    }
    if (!opts.preEncoded && canSendShort(this) && native.sendPacket(this.conn, packet, opts)) {
      return;
    }
    // Old adapters hand over what they have encoded themselves.
    const encoded = opts.preEncoded ? packet : this.encoder.encode(packet);
    this.writeToEngine(encoded, opts);
  }

  /**
   * Writes encoded packets to the connection. Adapters call this once for every
   * recipient of a broadcast, with the same two objects.
   */
  writeToEngine(encodedPackets, opts) {
    const { conn } = this;
    if (canWriteShort(this)) {
      native.writeEncoded(conn, encodedPackets, opts);
      return;
    }
    if (opts.volatile && !conn.transport.writable) {
      debug("volatile packet discarded: the transport is not writable now");
      return;
    }
    if (!Array.isArray(encodedPackets)) {
      conn.write(encodedPackets, opts);
      return;
    }
    for (let i = 0; i < encodedPackets.length; i++) {
      conn.write(encodedPackets[i], opts);
    }
  }

  /** Takes a message of a native connection, which does not bind the handlers for that. */
  receive(data) {
    if (!this[kListens]) {
      receiving = this;
      try {
        // Looked up now: the application may have replaced it.
        handlerOf(this, "ondata").call(this, data);
      } finally {
        receiving = null;
      }
    }
  }

  /**
   * Has the client listen to its native connection as to any other: somebody looks at the listeners, and
   * may take them off.
   */
  listen() {
    const { conn } = this;
    if (this[kListens] || conn.receiver !== this) {
      return;
    }
    if (receiving === this) {
      // Listeners for data are about to be called: it must not get the same data twice.
      process.nextTick(() => this.listen());
      return;
    }
    this[kListens] = true;
    const { ondata, onerror, onclose } = this[kOwn] ?? bindHandlers(this);
    conn.removeListener("error", failReceiver);
    conn.removeListener("close", closeReceiver);
    conn.prependListener("close", onclose);
    conn.prependListener("error", onerror);
    conn.prependListener("data", ondata);
  }

  /** Takes a message of the connection. */
  ondata(data) {
    const isNew = this[kDecoder] === undefined;
    try {
      const connect = isNew && isPristine(this) ? native.readConnect(data) : undefined;
      if (connect === undefined) {
        decoderOf(this).add(data);
      } else {
        debugParser("decoded %s as %j", data, connect);
        handlerOf(this, "ondecoded").call(this, connect);
      }
    } catch (err) {
      debug("invalid packet format: %s", err.message);
      handlerOf(this, "onerror").call(this, err);
    }
    if (isNew && !isBinary(data)) {
      dropDecoder(this);
    }
  }

  /** Takes packets that the native core has decoded, of one read. */
  onpackets(wave, alone) {
    const pristine = isPristine(this);
    const packets = [];
    for (const decoded of wave) {
      const socket = this.conn.socketAt(decoded.ordinal);
      if (socket === undefined) {
        debug("invalid state (a packet for a namespace that was left)");
        this.close();
        break;
      }
      let packet;
      try {
        packet = packetOf(socket, decoded);
      } catch (err) {
        handlerOf(this, "onerror").call(this, err);
        break;
      }
      if (debugParser.enabled) {
        debugParser("decoded %j", packet);
      }
      if (pristine) {
        packets.push(socket, packet);
      } else {
        handlerOf(this, "ondecoded").call(this, packet);
      }
    }
    if (packets.length > 0) {
      process.nextTick(runWave, packets, alone);
    }
  }

  /** Encodes a packet that the native core has decoded, for those who want to see it raw. */
  encodeDecoded(decoded) {
    const socket = this.conn.socketAt(decoded.ordinal);
    if (socket === undefined) {
      return [];
    }
    const packet = packetOf(socket, decoded);
    // The encoder finds out by itself what is binary, and takes the attachments of no other type.
    packet.type = decoded.isAck ? PacketType.ACK : PacketType.EVENT;
    return this.encoder.encode(packet);
  }

  /** Takes a decoded packet. */
  ondecoded(packet) {
    const { namespace, authPayload } = this._parseNamespace(packet);
    const socket = socketIn(this, namespace);
    const isConnect = packet.type === PacketType.CONNECT;
    if (!socket && isConnect) {
      this.connect(namespace, authPayload);
    } else if (socket && !isConnect && packet.type !== PacketType.CONNECT_ERROR) {
      process.nextTick(deliver, socket, packet);
    } else {
      debug("invalid state (packet type: %s)", packet.type);
      this.close();
    }
  }

  /**
   * Reads the namespace and the authentication data of a packet. Clients of the
   * third protocol send the latter as the query of the former.
   */
  _parseNamespace(packet) {
    if (this.conn.protocol !== 3) {
      return { namespace: packet.nsp, authPayload: packet.data };
    }
    const url = new URL(packet.nsp, "https://localhost");
    const authPayload = Object.create(null);
    for (const [key, value] of url.searchParams) {
      authPayload[key] = value;
    }
    return { namespace: url.pathname, authPayload };
  }

  /** Takes an error of the connection, or of decoding what came over it. */
  onerror(err) {
    for (const socket of socketsOf(this)) {
      socket._onerror(err);
    }
    this.conn.close();
  }

  /** Takes the end of the connection. */
  onclose(reason, description) {
    debug("client %s closed with reason %s", this.id, reason);
    // The sockets are told now: a later "close" of the connection is not news.
    this.destroy();
    for (const socket of socketsOf(this)) {
      socket._onclose(reason, description);
    }
    clearSockets(this);
    this[kDecoder]?.destroy();
  }

  /** Stops listening to the connection. */
  destroy() {
    if (this[kListens]) {
      const { ondata, onerror, onclose } = this[kOwn];
      this.conn.removeListener("data", ondata);
      this.conn.removeListener("error", onerror);
      this.conn.removeListener("close", onclose);
      this.conn.receiver = null;
    } else if (native.isNative(this.conn)) {
      this.conn.removeListener("error", failReceiver);
      this.conn.removeListener("close", closeReceiver);
      if (this.conn.receiver === this) {
        this.conn.receiver = null;
      }
    } else {
      this.conn.removeListener("data", this.ondata);
      this.conn.removeListener("error", this.onerror);
      this.conn.removeListener("close", this.onclose);
    }
    this[kDetached] = true;
    if (this[kLongWay]) {
      this[kLongWay] = false;
      stopTheLongWay(this.server);
    }
    clearConnectTimeout(this);
  }
}

/** The packet that the full decoder would have made. Throws on attachments that do not fit. */
function packetOf(socket, { isAck, id, args, attachments }) {
  const packet = {
    type: isAck ? PacketType.ACK : PacketType.EVENT,
    nsp: socket.nsp.name,
    id: id === -1 ? undefined : id,
    data: args,
  };
  if (attachments !== undefined) {
    packet.type = isAck ? PacketType.BINARY_ACK : PacketType.BINARY_EVENT;
    packet.data = native.reconstruct(args, attachments);
  }
  return packet;
}

function isFull(client) {
  return namespaceCount(client) + client[kJoining] >= limitsOf(client.server).maxNamespaces;
}

function joinOrRefuse(client, name, auth) {
  if (isFull(client)) {
    debug("connection to namespace %s is one too many", name);
    refuse(client, name, "Too many namespaces");
  } else {
    join(client, name, auth);
  }
}

function join(client, name, auth) {
  if (client.server._nsps.has(name)) {
    debug("connecting to namespace %s", name);
    client.doConnect(name, auth);
    return;
  }
  client[kJoining]++;
  client.server._checkNamespace(name, auth, (nsp) => {
    endJoin(client);
    if (nsp) {
      client.doConnect(name, auth);
      return;
    }
    debug("connection to namespace %s was denied", name);
    refuse(client, name, "Invalid namespace");
  });
}

function refuse(client, name, message) {
  client._packet({ type: PacketType.CONNECT_ERROR, nsp: name, data: { message } });
}

/** The client has been let into a namespace, or has not. Clients of others do not count. */
function endJoin(client) {
  if (client[kJoining] > 0) {
    client[kJoining]--;
    client[kRested] = Math.min(client[kRested], client[kJoining]);
  }
}

function deliver(socket, packet) {
  socket._onpacket(packet);
}

function closeIfIdle(client) {
  if (namespaceCount(client) === 0) {
    debug("client %s has not joined a namespace in time", client.id);
    client.close();
  }
}

function clearConnectTimeout(client) {
  if (client.connectTimeout) {
    clearTimeout(client.connectTimeout);
    client.connectTimeout = undefined;
  }
}

/** True while nobody has replaced what takes packets on this client. */
function isPristine(client) {
  const own = client[kOwn];
  return (
    client[kShort] &&
    (own === undefined || (client.ondata === own.ondata && client.ondecoded === own.ondecoded))
  );
}

/** True when somebody has replaced methods of the class that fast paths leave out. */
function isPatched() {
  const { prototype } = Client;
  return PATCHABLE.some((name) => prototype[name] !== pristine[name]);
}

/** True when the connection lives in the native core and nobody watches what is written to it. */
function canWriteShort(client) {
  return native.isNative(client.conn) && client.conn.isPlainWriter();
}

/** True when, besides, nobody has replaced how packets are encoded. */
function canSendShort(client) {
  return (
    native.isNative(client.conn) &&
    client.writeToEngine === pristine.writeToEngine &&
    native.isDefaultEncoder(client.encoder) &&
    client.conn.isPlainWriter()
  );
}

/** It is made when first needed, because an engine that decodes by itself hardly needs it. */
function decoderOf(client) {
  if (client[kDecoder] === undefined) {
    const decoder = new client.server._parser.Decoder();
    decoder.on("decoded", (packet) => {
      if (!client[kDetached]) {
        handlerOf(client, "ondecoded").call(client, packet);
      }
    });
    client[kDecoder] = decoder;
  }
  return client[kDecoder];
}

/**
 * Most clients need a decoder for one packet only, their CONNECT. One that waits for attachments
 * stays, and so does one that all packets pass through.
 */
function dropDecoder(client) {
  if (client[kShort] && !client.conn.isRaw) {
    client[kDecoder] = undefined;
  }
}

/** True for a message that belongs together with others: attachments, or what they belong to. */
function isBinary(data) {
  return typeof data !== "string" || data[0] === "5" || data[0] === "6";
}

/** From now on the client's decoder sees all packets, not only those that the core leaves to it. */
function decodeHere(client) {
  if (native.isNative(client.conn) && !client[kDetached]) {
    client.conn.setRaw();
  }
}

/** The methods that the short way through the native core leaves out. */
const PATCHABLE = ["ondata", "ondecoded", "_parseNamespace", "_packet", "writeToEngine"];
const pristine = Object.fromEntries(PATCHABLE.map((name) => [name, Client.prototype[name]]));

onReplace(Client.prototype, "writeToEngine", goTheLongWay);

/**
 * The handlers that every client has bound to itself, as properties of its own: from when somebody
 * looks at one of them, or puts another in its place.
 */
const handlers = {};
for (const name of ["onclose", "ondata", "ondecoded", "onerror"]) {
  handlers[name] = Client.prototype[name];
  Object.defineProperty(Client.prototype, name, {
    configurable: true,
    get() {
      if (this === Client.prototype) {
        return handlers[name];
      }
      const own = bindHandlers(this);
      if (name !== "ondecoded") {
        // That one listens to the decoder.
        this.listen();
      }
      return own[name];
    },
    set(handler) {
      if (this === Client.prototype) {
        handlers[name] = handler;
      } else {
        bindHandlers(this);
        this[name] = handler;
      }
    },
  });
}

function bindHandlers(client) {
  const own = {};
  for (const [name, handler] of Object.entries(handlers)) {
    own[name] = handler.bind(client);
    Object.defineProperty(client, name, { ...PLAIN, value: own[name] });
  }
  client[kOwn] = own;
  return own;
}

/** What takes something in now. Asking the client for it would have it bound. */
function handlerOf(client, name) {
  return client[kOwn] === undefined ? handlers[name] : client[name];
}

// Listeners of native connections: the same for all of them.

function failReceiver(err) {
  const { receiver } = this;
  if (receiver !== null) {
    (receiver[kOwn] ?? handlers).onerror.call(receiver, err);
  }
}

function closeReceiver(reason, description) {
  const { receiver } = this;
  if (receiver !== null) {
    (receiver[kOwn] ?? handlers).onclose.call(receiver, reason, description);
  }
}

/** The Maps of a client's sockets. */
function mapsOf(client) {
  if (client[kMaps] === undefined) {
    const only = client[kOnly];
    client[kOnly] = undefined;
    client[kMaps] = { sockets: new Map(), nsps: new Map() };
    if (only !== undefined) {
      addSocket(client, only);
    }
  }
  return client[kMaps];
}

function addSocket(client, socket) {
  if (client[kMaps] === undefined && client[kOnly] === undefined) {
    client[kOnly] = socket;
  } else {
    client.sockets.set(socket.id, socket);
    client.nsps.set(socket.nsp.name, socket);
  }
}

function socketIn(client, namespace) {
  const only = client[kOnly];
  return only?.nsp.name === namespace ? only : client[kMaps]?.nsps.get(namespace);
}

function socketsOf(client) {
  const only = client[kOnly];
  return only === undefined ? (client[kMaps]?.sockets.values() ?? NONE) : [only];
}

function clearSockets(client) {
  client[kOnly] = undefined;
  client[kMaps]?.sockets.clear();
}

function namespaceCount(client) {
  return client[kOnly] === undefined ? (client[kMaps]?.nsps.size ?? 0) : 1;
}

// What most clients never have takes no room in them.
Object.assign(Client.prototype, {
  [kListens]: false,
  [kMaps]: undefined,
  [kOwn]: undefined,
});

/** How a property is that was assigned. */
const PLAIN = { configurable: true, enumerable: true, writable: true };
const NONE = [];

/** From now on broadcasts have to pass through this client's own `writeToEngine()`. */
function goTheLongWay(client) {
  if (!client[kLongWay] && !client[kDetached]) {
    Object.defineProperty(client, kLongWay, { value: true, writable: true });
    client.server._longWays++;
  }
}

function stopTheLongWay(/** @type {any} */ server) {
  server._longWays--;
}

module.exports = { Client, endJoin, isPatched };
