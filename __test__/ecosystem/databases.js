"use strict";

// Postgres and MongoDB as the adapters and emitters see them: one database, in this process, that
// hands on what is written. Values take the way of the wire, so that nothing is shared by reference.

const { EventEmitter } = require("node:events");
const { load } = require("./installed");

/** LISTEN, NOTIFY and one table with payloads. `pool()` is what `pg.Pool` is. */
class Postgres {
  constructor() {
    this._listening = new Map();
    this._payloads = [];
  }

  pool() {
    return {
      query: async (text, values) => this._query(text, values),
      connect: async () => {
        const client = new EventEmitter();
        client.query = async (text) => this._listen(client, text);
        client.release = () => this._listening.delete(client);
        return client;
      },
    };
  }

  _listen(client, text) {
    const [, channel] = /^LISTEN "(.+)"$/.exec(text);
    const channels = this._listening.get(client) ?? new Set();
    this._listening.set(client, channels.add(channel));
  }

  _query(text, values) {
    const [command] = text.split(" ", 1);
    if (command === "INSERT") {
      const id = this._payloads.push(Buffer.from(values[0])) - 1;
      return { rows: [{ id: String(id) }] };
    }
    if (text.includes("pg_notify")) {
      this._notify(...values);
      return { rows: [] };
    }
    return { rows: command === "SELECT" ? [{ payload: this._payloads[values[0]] }] : [] };
  }

  _notify(channel, payload) {
    setImmediate(() => {
      for (const [client, channels] of this._listening) {
        if (channels.has(channel)) {
          client.emit("notification", { channel, payload });
        }
      }
    });
  }
}

/** A collection with change streams: `collection()` is what `db.collection()` gives. */
class Mongo {
  constructor() {
    this._streams = new Set();
  }

  collection() {
    return {
      insertOne: async (document) => this._insert(document),
      watch: (pipeline) => this._watch(pipeline),
    };
  }

  _watch([{ $match: match }]) {
    const stream = new EventEmitter();
    stream.ignored = match["fullDocument.uid"].$ne;
    stream.closed = false;
    stream.close = async () => {
      stream.closed = true;
      this._streams.delete(stream);
    };
    this._streams.add(stream);
    return stream;
  }

  _insert(document) {
    const bson = load("bson");
    const _id = new bson.ObjectId();
    const bytes = bson.serialize({ ...document, _id }, { ignoreUndefined: true });
    setImmediate(() => {
      for (const stream of this._streams) {
        if (stream.ignored !== document.uid) {
          const fullDocument = bson.deserialize(bytes, { promoteBuffers: true });
          stream.emit("change", { operationType: "insert", fullDocument });
        }
      }
    });
    return { insertedId: _id };
  }
}

module.exports = { Mongo, Postgres };
