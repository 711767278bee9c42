"use strict";

// MongoDB as its adapter and emitter see it: one database, in this process, that hands on what is
// written. Values take the way of the wire, so that nothing is shared by reference.

const { EventEmitter } = require("node:events");
const { load } = require("./installed");

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

module.exports = { Mongo };
