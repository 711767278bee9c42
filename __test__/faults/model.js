"use strict";

// What Socket.IO promises, as a model, and random operations that a server has to stand up to:
//
// - What a server sends to a client arrives in the order in which it was sent, direct events and
//   broadcasts alike, to those who were in the rooms at that moment, each once.
// - What a client sends arrives in its order, each once; each acknowledgement is given once.
// - A server that disconnects a client has delivered all that it sent before. Whatever else ends a
//   connection loses an end of the sequence, never a middle.
//
// Each client has a list of what it has to hear and one of what the server has to hear of it, and
// every operation adds to them what the model says.

const assert = require("node:assert/strict");
const { TRANSPORTS } = require("../support/scenario");
const { next, settle, until } = require("../support/events");

const CLIENTS = 4;
const ROOMS = ["red", "green", "blue", "7"];

/** One connection of a client: both ends, and what each has to hear. */
class Peer {
  constructor(transport, client, socket) {
    this.transport = transport;
    this.client = client;
    this.socket = socket;
    this.rooms = new Set([socket.id]);
    this.toHear = [];
    this.heard = [];
    this.toTell = [];
    this.told = [];
    this.acks = [];
    client.on("event", (...args) => this.heard.push(plain(args)));
    client.on("question", (number, answer) => {
      this.heard.push(["question", number]);
      answer(number);
    });
    socket.on("event", (...args) => this.told.push(plain(args)));
    socket.on("question", (number, answer) => {
      this.told.push(["question", number]);
      answer(number);
    });
  }

  get isHere() {
    return this.client.connected && this.socket.connected;
  }

  /** A question of one end to the other; its answer is looked at in the end. */
  ask(from, list, number) {
    list.push(["question", number]);
    const ack = { number, answers: [] };
    this.acks.push(ack);
    from.emit("question", number, (answer) => ack.answers.push(answer));
  }
}

/** The server under test with its clients, and the operations. */
class World {
  constructor(app, random) {
    this.app = app;
    this.random = random;
    this.peers = [];
    this.past = [];
    this.operations = 0;
    this.number = 0;
    /** The names of what was done, for whoever has to understand a failure. */
    this.log = [];
  }

  async run(length) {
    for (let i = 0; i < CLIENTS; i++) {
      await this.connect();
    }
    for (let i = 0; i < length; i++) {
      await this.step();
    }
    await this.end();
  }

  async step() {
    const { random } = this;
    const peer = random.pick(this.peers);
    const name = random.pick(OPERATIONS);
    this.operations++;
    this.log.push(`${name} ${this.peers.indexOf(peer)}`);
    await operations[name](this, peer);
    if (random.roll() < 0.15) {
      // Whatever is under way gets a chance to arrive.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** What an event carries: its number, and sometimes something that takes another way. */
  payload() {
    const number = this.number++;
    switch (this.random.below(5)) {
      case 0:
        return [number, Buffer.from([number & 255, 1, 2])];
      case 1:
        return [number, { text: "ü".repeat(number % 50), nested: [{ data: Buffer.from("x") }] }];
      case 2:
        return [number, "x".repeat(this.random.below(3000))];
      default:
        return [number];
    }
  }

  broadcast(operator, args, isMember) {
    for (const peer of this.peers) {
      if (isMember(peer)) {
        peer.toHear.push(plain(args));
      }
    }
    operator.emit("event", ...args);
  }

  async connect() {
    const transport = TRANSPORTS[this.random.pick(Object.keys(TRANSPORTS))];
    const connection = next(this.app.io, "connection");
    const client = this.app.open("/", transport.client);
    // Listens before anything can arrive, which may be with the answer to its connection.
    const connected = next(client, "connect");
    const [socket] = await connection;
    const peer = new Peer(transport, client, socket);
    this.peers.push(peer);
    await connected;
    return peer;
  }

  /** Replaces a peer that has left by a new one. */
  async replace(peer) {
    this.peers.splice(this.peers.indexOf(peer), 1);
    this.past.push(peer);
    await this.connect();
  }

  /** What was sent has all arrived. */
  async settle() {
    for (const { client, socket } of this.peers) {
      await settle(client, socket);
    }
  }

  async end() {
    await this.settle();
    for (const peer of this.peers) {
      this.check(peer, equal, equal);
    }
    const rooms = this.app.io.of("/").adapter.rooms;
    const expected = new Set(this.peers.flatMap((peer) => [...peer.rooms]));
    assert.deepEqual(new Set(rooms.keys()), expected);
    for (const { client } of this.peers) {
      client.disconnect();
    }
    await until(() => this.app.io.of("/").sockets.size === 0, "all sockets are gone");
    assert.equal(rooms.size, 0, "no room is left");
  }

  check(peer, toClient, toServer) {
    toClient(peer.heard, peer.toHear, "what the client has heard");
    toServer(peer.told, peer.toTell, "what the server has heard");
    for (const { number, answers } of peer.acks) {
      const isWhole = toClient === equal && toServer === equal;
      assert.ok(answers.length === 1 || (!isWhole && answers.length === 0), "answered once");
      assert.ok(answers.every((answer) => answer === number));
    }
  }

  /** What every client has heard, for a comparison with another server. */
  get transcript() {
    return [...this.past, ...this.peers].map(({ heard, told }) => ({ heard, told }));
  }
}

const operations = {
  emit(world, peer) {
    const args = world.payload();
    peer.toHear.push(plain(args));
    peer.socket.emit("event", ...args);
  },

  tell(world, peer) {
    const args = world.payload();
    peer.toTell.push(plain(args));
    peer.client.emit("event", ...args);
  },

  ask(world, peer) {
    peer.ask(peer.socket, peer.toHear, world.number++);
  },

  question(world, peer) {
    peer.ask(peer.client, peer.toTell, world.number++);
  },

  join(world, peer) {
    const room = world.random.pick(ROOMS);
    peer.socket.join(room);
    peer.rooms.add(room);
  },

  leave(world, peer) {
    const room = world.random.pick(ROOMS);
    peer.socket.leave(room);
    peer.rooms.delete(room);
  },

  all(world) {
    world.broadcast(world.app.io, world.payload(), () => true);
  },

  rooms(world) {
    const some = () => ROOMS.filter(() => world.random.roll() < 0.4);
    const [to, except] = [some(), some()];
    const isIn = (peer, rooms) => rooms.some((room) => peer.rooms.has(room));
    world.broadcast(
      world.app.io.to(to).except(except),
      world.payload(),
      (peer) => (to.length === 0 || isIn(peer, to)) && !isIn(peer, except),
    );
  },

  others(world, sender) {
    const room = world.random.pick(ROOMS);
    world.broadcast(
      sender.socket.to(room),
      world.payload(),
      (peer) => peer !== sender && peer.rooms.has(room),
    );
  },

  /** By the name of its own room, which is a way of its own inside. */
  one(world, peer) {
    world.broadcast(world.app.io.to(peer.socket.id), world.payload(), (other) => other === peer);
  },

  async askAll(world) {
    const number = world.number++;
    for (const peer of world.peers) {
      peer.toHear.push(["question", number]);
    }
    const answers = await world.app.io.timeout(10_000).emitWithAck("question", number);
    assert.deepEqual(answers, Array(world.peers.length).fill(number));
  },

  async settle(world) {
    await world.settle();
  },

  async moveAll(world) {
    const [from, to] = [world.random.pick(ROOMS), world.random.pick(ROOMS)];
    world.app.io.in(from).socketsJoin(to);
    for (const peer of world.peers) {
      if (peer.rooms.has(from)) {
        peer.rooms.add(to);
      }
    }
  },

  async clientLeaves(world, peer) {
    const gone = next(peer.socket, "disconnect");
    peer.client.disconnect();
    assert.equal((await gone)[0], "client namespace disconnect");
    // The reference, too, drops an event that arrives together with the news of leaving.
    world.check(peer, start, start);
    await world.replace(peer);
  },

  async serverLeaves(world, peer) {
    const gone = next(peer.client, "disconnect");
    peer.socket.disconnect();
    assert.equal((await gone)[0], "io server disconnect");
    world.check(peer, equal, start);
    await world.replace(peer);
  },

  async connectionBreaks(world, peer) {
    const gone = next(peer.socket, "disconnect");
    const left = next(peer.client, "disconnect");
    const { transport } = peer.client.io.engine;
    if (transport.ws?._socket) {
      transport.ws._socket.destroy();
    } else {
      peer.client.io.engine.close();
    }
    await Promise.all([gone, left]);
    world.check(peer, start, start);
    await world.replace(peer);
  },

  async serverBreaks(world, peer) {
    if (peer.socket.conn.transport.name !== peer.transport.final) {
      // Cut off during its upgrade, a client of the reference may never learn of it.
      return;
    }
    const left = next(peer.client, "disconnect");
    peer.socket.conn.close(true);
    await left;
    assert.equal(peer.socket.connected, false);
    world.check(peer, start, start);
    await world.replace(peer);
  },
};

/** Connections end less often than events are sent. */
const OPERATIONS = [
  ...["emit", "emit", "tell", "tell", "ask", "question", "join", "join", "leave"],
  ...["all", "rooms", "rooms", "others", "one"],
  ...["emit", "emit", "tell", "tell", "ask", "question", "join", "join", "leave"],
  ...["all", "rooms", "rooms", "others", "one", "moveAll", "askAll", "settle"],
  ...["clientLeaves", "serverLeaves", "connectionBreaks", "serverBreaks"],
];

function equal(seen, expected, what) {
  assert.deepEqual(seen, expected, what);
}

/** All that was seen was expected, in that order, up to some point. */
function start(seen, expected, what) {
  assert.deepEqual(seen, expected.slice(0, seen.length), what);
}

/** Arguments in a form that compares: both ends have Buffers of their own kind. */
function plain(args) {
  return JSON.parse(JSON.stringify(args, (_key, value) => (isBytes(value) ? hex(value) : value)));
}

function isBytes(value) {
  return value?.type === "Buffer" || value instanceof Uint8Array;
}

function hex(value) {
  return `bytes ${Buffer.from(value.data ?? value).toString("hex")}`;
}

module.exports = { World };
