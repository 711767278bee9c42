"use strict";

// The Redis adapter: joins servers through Redis's publish and subscribe, speaking the format of
// @socket.io/redis-adapter. Broadcasts of other servers reach local sockets in the core; what
// asks for an answer or for sockets as objects is done here.

const { randomBytes } = require("node:crypto");
const debug = require("debug")("ferrio:redis");
const { Adapter } = require("socket.io-adapter");
const native = require("../../native");
const { nextTick } = require("../../scheduling");
const {
  isNotifying,
  isPristine,
  isUnwatched,
  kMirror,
  withNativeRooms,
} = require("../native-rooms");
const { RedisLink } = require("./link");
const { isEvent, isList, isSelection } = require("./messages");
const { readOptions } = require("./options");
const { RequestType, Requests } = require("./requests");

/** Rooms that are compared with the core's in each look. */
const ROOMS_A_LOOK = 64;

/**
 * Makes the adapters of a server: give the result to the option `adapter`.
 * @param {any} options the URL of a Redis server, an object, or a client of npm whose options are read
 * @param {any} [subClient] behind a client, another one
 * @param {object} [others] behind clients, further options
 */
function createAdapter(options, subClient, others) {
  const isClient = typeof options?.publish === "function";
  const read = readOptions(isClient ? { ...others, pubClient: options, subClient } : options);
  const link = new RedisLink(read.place);
  return function (nsp) {
    return new RedisAdapter(nsp, link, read);
  };
}

class RedisAdapter extends withNativeRooms(Adapter) {
  constructor(nsp, link, options) {
    super(nsp);
    this.uid = randomBytes(6).toString("base64url");
    this.requestsTimeout = options.requestsTimeout;
    this.publishOnSpecificResponseChannel = options.publishOnSpecificResponseChannel;
    this.parser = options.parser;
    const { prefix } = options;
    this.channel = `${prefix}#${nsp.name}#`;
    this.requestChannel = `${prefix}-request#${nsp.name}#`;
    this.responseChannel = `${prefix}-response#${nsp.name}#`;
    this.specificResponseChannel = `${this.responseChannel}${this.uid}#`;
    this._requests = new Requests();
    this._ackRequests = new Map();
    this._link = link;
    this._canBeDirect = options.isDefaultParser;
    this._isDirect = false;
    this._isLooking = false;
    /** A room whose members the core does not know, and those that are still to be looked at. */
    this._changed = undefined;
    this._unseen = this.rooms.keys();
    this._id = link.add(this);
    this._followRooms();
  }

  /** Keeps the core's side of the route in step. */
  _followRooms() {
    let odd = 0;
    this[kMirror].follow((room, number) => {
      if (typeof room === "string") {
        this._link.setRoom(this._id, room, number);
      } else {
        // A number, say, which channels cannot tell from its text.
        odd += number === undefined ? -1 : 1;
      }
      this._lookSoon();
    });
    native.followNamespace(this.nsp, (number) => {
      this._link.setNamespace(this._id, number);
      this._lookSoon();
    });
    this._hasOddRooms = () => odd > 0;
    this.nsp._onOutgoing = () => this._look();
  }

  /** Looks for what nobody has told us of, once in a while. */
  look() {
    if (this.nsp.sockets.size > 0) {
      this._compareRooms();
      this._look();
    }
  }

  /** Finds a room whose members somebody has changed in its set, sooner or later. */
  _compareRooms() {
    const { [kMirror]: mirror } = this;
    if (this._changed !== undefined && !mirror.agrees(this, [this._changed])) {
      return;
    }
    this._changed = undefined;
    for (let n = 0; n < ROOMS_A_LOOK; n++) {
      const { done, value: room } = this._unseen.next();
      if (done) {
        this._unseen = this.rooms.keys();
        return;
      }
      if (!mirror.agrees(this, [room])) {
        this._changed = room;
        return;
      }
    }
  }

  _lookSoon() {
    if (!this._isLooking) {
      this._isLooking = true;
      nextTick(() => {
        this._isLooking = false;
        this._look();
      });
    }
  }

  /** Tells the core whether it may deliver by itself. */
  _look() {
    const { nsp, [kMirror]: mirror } = this;
    const isDirect =
      this._canBeDirect &&
      native.isDefaultEncoder(this.encoder) &&
      isUnwatched(nsp.server) &&
      isPristine(this) &&
      !isNotifying(nsp) &&
      !this._hasOddRooms() &&
      this._changed === undefined &&
      nsp.sockets.size === native.connectedCount(this) &&
      this.sids.size === mirror.ids &&
      this.rooms.size === mirror.rooms.size;
    if (isDirect !== this._isDirect) {
      this._isDirect = isDirect;
      this._link.setDirect(this._id, isDirect);
    }
  }

  broadcast(packet, opts) {
    packet.nsp = this.nsp.name;
    if (!opts.flags?.local) {
      let { channel } = this;
      if (opts.rooms.size === 1) {
        channel += `${[...opts.rooms][0]}#`;
      }
      const message = [this.uid, packet, { ...plain(opts), flags: opts.flags }];
      this._link.publish(channel, this.parser.encode(message));
    }
    super.broadcast(packet, opts);
  }

  broadcastWithAck(packet, opts, clientCountCallback, ack) {
    packet.nsp = this.nsp.name;
    if (!opts.flags?.local) {
      const requestId = newId();
      this._ackRequests.set(requestId, { clientCountCallback, ack });
      setTimeout(() => this._ackRequests.delete(requestId), opts.flags?.timeout);
      const message = { packet, opts: { ...plain(opts), flags: opts.flags } };
      const encode = (request) => this.parser.encode(request);
      this._publishRequest(RequestType.BROADCAST, { requestId, ...message }, encode);
    }
    super.broadcastWithAck(packet, opts, clientCountCallback, ack);
  }

  /** Resolves to the ids of the sockets in rooms, on all servers. */
  async sockets(rooms) {
    const local = await super.sockets(rooms);
    const answers = await this._ask(RequestType.SOCKETS, { rooms: [...rooms] }, "sockets");
    return new Set([...local, ...answers.flatMap(({ sockets }) => listOf(sockets))]);
  }

  /** Resolves to the names of the rooms of all servers. */
  async allRooms() {
    const answers = await this._ask(RequestType.ALL_ROOMS, {}, "allRooms");
    return new Set([...this.rooms.keys(), ...answers.flatMap(({ rooms }) => listOf(rooms))]);
  }

  async fetchSockets(opts) {
    const local = await super.fetchSockets(opts);
    if (opts.flags?.local) {
      return local;
    }
    const answers = await this._ask(
      RequestType.REMOTE_FETCH,
      { opts: plain(opts) },
      "fetchSockets",
    );
    return [...local, ...answers.flatMap(({ sockets }) => listOf(sockets))];
  }

  addSockets(opts, rooms) {
    super.addSockets(opts, rooms);
    if (!opts.flags?.local) {
      this._publishRequest(RequestType.REMOTE_JOIN, { opts: plain(opts), rooms: [...rooms] });
    }
  }

  delSockets(opts, rooms) {
    super.delSockets(opts, rooms);
    if (!opts.flags?.local) {
      this._publishRequest(RequestType.REMOTE_LEAVE, { opts: plain(opts), rooms: [...rooms] });
    }
  }

  disconnectSockets(opts, close) {
    if (!opts.flags?.local) {
      this._publishRequest(RequestType.REMOTE_DISCONNECT, { opts: plain(opts), close });
    }
    super.disconnectSockets(opts, close);
  }

  serverSideEmit(packet) {
    if (typeof packet.at(-1) !== "function") {
      this._publishRequest(RequestType.SERVER_SIDE_EMIT, { data: packet });
      return;
    }
    const ack = packet.pop();
    this._count()
      .then(
        (count) => this._emitWithAck(packet, count - 1, ack),
        (err) => ack(err, []),
      )
      .catch((err) => debug("a question to the other servers has failed: %s", err.message));
  }

  _emitWithAck(data, wanted, ack) {
    if (wanted <= 0) {
      ack(null, []);
      return;
    }
    const requestId = newId();
    this._requests.open(requestId, wanted, this.requestsTimeout, (isWhole, answers) => {
      const responses = answers.map((answer) => answer.data);
      const missing = `only ${responses.length} responses received out of ${wanted}`;
      ack(isWhole ? null : new Error(`timeout reached: ${missing}`), responses);
    });
    this._publishRequest(RequestType.SERVER_SIDE_EMIT, { requestId, data });
  }

  /** Resolves to the number of servers in the cluster. */
  serverCount() {
    return this._count();
  }

  /** Leaves the cluster. Resolves when what was sent before is on its way. */
  close() {
    return this._link.remove(this._id);
  }

  _count() {
    return this._link.count(this.requestChannel, this.requestsTimeout);
  }

  /** Resolves to the answers of all other servers. */
  async _ask(type, fields, name) {
    const wanted = (await this._count()) - 1;
    if (wanted <= 0) {
      return [];
    }
    return new Promise((resolve, reject) => {
      const requestId = newId();
      this._requests.open(requestId, wanted, this.requestsTimeout, (isWhole, answers) => {
        if (isWhole) {
          resolve(answers);
        } else {
          reject(new Error(`timeout reached while waiting for ${name} response`));
        }
      });
      this._publishRequest(type, { requestId, ...fields });
    });
  }

  _publishRequest(type, fields, encode = JSON.stringify) {
    this._link.publish(this.requestChannel, encode({ uid: this.uid, type, ...fields }));
  }

  /** Takes a broadcast that the core has left to us. */
  onmessage(channel, payload) {
    // Whatever it begins with: only requests and responses may be JSON as well.
    const decoded = safely(() => this.parser.decode(payload));
    if (!Array.isArray(decoded)) {
      return;
    }
    const [uid, packet, opts] = decoded;
    if (uid === this.uid || !packet || !opts || nameOf(packet) !== this.nsp.name) {
      return;
    }
    if (channel !== this.channel && !this._hasRoomOf(channel)) {
      return;
    }
    if (!isEvent(packet) || !isSelection(opts)) {
      debug("ignoring a malformed broadcast: %j", decoded);
      return;
    }
    super.broadcast(packet, { ...setsOf(opts), flags: opts.flags });
  }

  /** Whether anybody here is in the room that a channel is for. */
  _hasRoomOf(channel) {
    const room = channel.slice(this.channel.length, -1);
    return channel.endsWith("#") && (this.rooms.has(room) || this.rooms.has(Number(room)));
  }

  /** Takes a request or a response. */
  onrequest(channel, payload) {
    const message = this._decode(payload);
    if (message === null || typeof message !== "object") {
      return;
    }
    if (channel.startsWith(this.responseChannel)) {
      this._onresponse(message);
    } else if (message.uid !== this.uid) {
      debug("received request %j", message);
      this._answer(message);
    }
  }

  _onresponse(response) {
    const { requestId, type } = response;
    const asked = this._ackRequests.get(requestId);
    if (asked === undefined) {
      this._requests.answer(requestId, response);
    } else if (type === RequestType.BROADCAST_CLIENT_COUNT) {
      asked.clientCountCallback(response.clientCount);
    } else if (type === RequestType.BROADCAST_ACK) {
      asked.ack(response.packet);
    }
  }

  _answer(request) {
    const { type, requestId } = request;
    if ((request.opts && !isSelection(request.opts)) || !isList(request.rooms)) {
      debug("ignoring a malformed request: %j", request);
      return;
    }
    const opts = request.opts && setsOf(request.opts);
    switch (type) {
      case RequestType.SOCKETS:
        this._respondWith(request, super.sockets(new Set(request.rooms)), (id) => id);
        break;
      case RequestType.ALL_ROOMS:
        this._respond(request, { rooms: [...this.rooms.keys()] });
        break;
      case RequestType.REMOTE_JOIN:
        this._change(request, opts, (found) => found.join(request.rooms ?? request.room));
        break;
      case RequestType.REMOTE_LEAVE:
        this._change(request, opts, (found) => {
          for (const room of request.rooms ?? [request.room]) {
            found.leave(room);
          }
        });
        break;
      case RequestType.REMOTE_DISCONNECT:
        this._change(request, opts, (found) => found.disconnect(request.close));
        break;
      case RequestType.REMOTE_FETCH:
        if (!opts) {
          break;
        }
        this._respondWith(request, super.fetchSockets(opts), describe);
        break;
      case RequestType.SERVER_SIDE_EMIT:
        this._onServerSideEmit(request);
        break;
      case RequestType.BROADCAST:
        if (!opts || !isEvent(request.packet)) {
          break;
        }
        super.broadcastWithAck(
          request.packet,
          opts,
          (clientCount) => {
            this._respond(request, { type: RequestType.BROADCAST_CLIENT_COUNT, clientCount });
          },
          (packet) => {
            const answer = { type: RequestType.BROADCAST_ACK, requestId, packet };
            this._link.publish(this._responseChannelOf(request), this.parser.encode(answer));
          },
        );
        break;
      default:
        debug("ignoring unknown request type: %s", type);
    }
  }

  /** Does something to the sockets of a request: those of rooms, or the one of an id. */
  _change(request, opts, change) {
    if (opts) {
      this.apply(opts, change);
      return;
    }
    const socket = this.nsp.sockets.get(request.sid);
    if (socket) {
      change(socket);
      this._respond(request, {});
    }
  }

  _onServerSideEmit(request) {
    const { requestId, data } = request;
    if (!Array.isArray(data)) {
      return;
    }
    if (requestId === undefined) {
      this.nsp._onServerSideEmit(data);
      return;
    }
    let isCalled = false;
    const answer = (arg) => {
      if (!isCalled) {
        isCalled = true;
        const response = { type: RequestType.SERVER_SIDE_EMIT, requestId, data: arg };
        this._link.publish(this.responseChannel, JSON.stringify(response));
      }
    };
    this.nsp._onServerSideEmit([...data, answer]);
  }

  /** Answers with sockets, unless what describes them cannot be sent. */
  _respondWith(request, found, describeOne) {
    found
      .then((sockets) => this._respond(request, { sockets: [...sockets].map(describeOne) }))
      .catch((err) => debug("a question cannot be answered: %s", err.message));
  }

  _respond(request, fields) {
    const response = JSON.stringify({ requestId: request.requestId, ...fields });
    this._link.publish(this._responseChannelOf(request), response);
  }

  _responseChannelOf({ uid }) {
    const own = this.publishOnSpecificResponseChannel && uid;
    return own ? `${this.responseChannel}${uid}#` : this.responseChannel;
  }

  _decode(payload) {
    return safely(() =>
      payload[0] === OPENING_BRACE ? JSON.parse(payload.toString()) : this.parser.decode(payload),
    );
  }
}

/** What a message says; undefined if that cannot be read. */
function safely(decode) {
  try {
    return decode();
  } catch (err) {
    debug("ignoring a malformed message: %s", err.message);
    return undefined;
  }
}

/** The namespace of a packet; some emitters leave the main one out. */
function nameOf({ nsp }) {
  return nsp === undefined ? "/" : nsp;
}

/** What an answer lists. */
function listOf(value) {
  return Array.isArray(value) ? value : [];
}

function newId() {
  return randomBytes(6).toString("base64url");
}

function plain({ rooms, except }) {
  return { rooms: [...rooms], except: [...(except ?? [])] };
}

function setsOf({ rooms, except }) {
  return { rooms: new Set(rooms), except: new Set(except) };
}

/** A socket as other servers see it. Sessions may hold circular references. */
function describe(socket) {
  const handshake = { ...socket.handshake };
  delete handshake.sessionStore;
  return { id: socket.id, handshake, rooms: [...socket.rooms], data: socket.data };
}

const OPENING_BRACE = 0x7b;

module.exports = { RedisAdapter, createAdapter };
