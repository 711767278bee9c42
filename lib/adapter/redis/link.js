"use strict";

// The connection to Redis that the adapters of all namespaces share. It lives in the core; what
// it has to say is handed to the adapter concerned.

const debug = require("debug")("ferrio:redis");
const { core } = require("../../dispatch");
const { nextTick } = require("../../scheduling");

class RedisLink {
  constructor(place) {
    this._place = place;
    this._native = undefined;
    this._adapters = new Map();
    this._counts = new Map();
    this._next = 1;
    this._isDown = false;
    /** What to do when connections have ended that nobody needs any more. */
    this._endings = new Map();
    this._timer = undefined;
  }

  /** Listens for an adapter, connecting if that is not done yet. @returns {number} its number */
  add(adapter) {
    const id = this._next++;
    this._native ??= this._open();
    this._adapters.set(id, adapter);
    const { uid, nsp, channel, requestChannel, responseChannel, specificResponseChannel } = adapter;
    const others = [requestChannel, responseChannel, specificResponseChannel];
    this._native.add(id, uid, nsp.name, channel, others);
    return id;
  }

  _open() {
    // The callback must not keep what keeps the callback.
    const current = { native: undefined };
    current.native = core.openRedis(this._place, () => this._drain(current));
    this._timer = setInterval(() => this._look(), LOOK_INTERVAL).unref();
    this._isDown = false;
    return current.native;
  }

  /**
   * Stops listening for an adapter; the connection ends with the last. Resolves when what was
   * published before is on its way, or has had its time.
   */
  async remove(id) {
    if (this._adapters.delete(id)) {
      this._native.remove(id);
      if (this._adapters.size === 0) {
        const native = this._native;
        this._native = undefined;
        clearInterval(this._timer);
        // Nobody else can be asked any more: what is left of the cluster is this server.
        for (const { resolve } of this._counts.values()) {
          resolve(1);
        }
        this._counts.clear();
        await this._end(native);
      }
    }
  }

  _end(native) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, FAREWELL);
      this._endings.set(native, () => {
        clearTimeout(timer);
        resolve(undefined);
      });
      native.close();
    });
  }

  /** Has the adapters look for what applications have replaced. */
  _look() {
    for (const adapter of this._adapters.values()) {
      adapter.look();
    }
  }

  setDirect(id, isDirect) {
    this._native?.setDirect(id, isDirect);
  }

  setNamespace(id, number) {
    this._native?.setNamespace(id, number);
  }

  setRoom(id, room, number) {
    this._native?.setRoom(id, room, number);
  }

  /** Publishes, or drops the message when Redis has taken none for long. */
  publish(channel, payload) {
    const data = typeof payload === "string" ? Buffer.from(payload) : payload;
    if (this._native !== undefined && !this._native.publish(channel, data)) {
      this._fail(new Error("a message to the other servers was dropped: too many wait already"));
    }
  }

  /** Resolves to how many servers listen to a channel. */
  count(channel, limit) {
    return new Promise((resolve, reject) => {
      if (this._native === undefined) {
        resolve(0);
        return;
      }
      const request = this._next++;
      const timer = setTimeout(() => {
        this._counts.delete(request);
        reject(new Error("timeout reached while waiting for the number of servers"));
      }, limit);
      const settle = (/** @type {(value: any) => void} */ how) => (/** @type {any} */ value) => {
        clearTimeout(timer);
        how(value);
      };
      this._counts.set(request, { resolve: settle(resolve), reject: settle(reject) });
      this._native.count(channel, request);
    });
  }

  _drain(current) {
    const { native } = current;
    for (const { kind, number, text, data } of native?.drain() ?? []) {
      if (kind === CLOSED) {
        current.native = undefined;
        this._endings.get(native)?.();
        this._endings.delete(native);
      } else if (native === this._native) {
        this._take(kind, number, text, data);
      }
    }
  }

  _take(kind, number, text, data) {
    switch (kind) {
      case BROADCAST:
        this._hand(number, (adapter) => adapter.onmessage(text, data));
        break;
      case REQUEST:
        this._hand(number, (adapter) => adapter.onrequest(text, data));
        break;
      case COUNT:
        this._counted(number, text, data);
        break;
      case READY:
        debug("connected, adapter %d has its subscriptions", number);
        this._isDown = false;
        contain(() => this._adapters.get(number)?.emit("ready"));
        break;
      case ERROR:
        this._fail(new Error(`Redis: ${text}`));
        break;
    }
  }

  /** Takes the answer to a count: digits, or what Redis says against it. */
  _counted(request, text, data) {
    const count = this._counts.get(request);
    this._counts.delete(request);
    if (text === "") {
      count?.resolve(Number(data.toString()));
    } else {
      count?.reject(new Error(`Redis: ${text}`));
    }
  }

  /** Has an adapter handle a message; what follows may go past JavaScript again after that. */
  _hand(id, handle) {
    const adapter = this._adapters.get(id);
    if (adapter === undefined) {
      return;
    }
    contain(() => handle(adapter));
    this._native?.settle(id);
  }

  /** Tells who listens; without anybody a warning is printed, once for each outage. */
  _fail(err) {
    debug("%s", err.message);
    let isHeard = false;
    for (const adapter of this._adapters.values()) {
      if (adapter.listenerCount("error") > 0) {
        isHeard = true;
        contain(() => adapter.emit("error", err));
      }
    }
    if (!isHeard && !this._isDown) {
      console.warn(
        `ferrio/redis-adapter: ${err.message}; it is tried again. ` +
          'Listen to "error" of the adapter, as in io.of("/").adapter.on("error", ...), to handle this.',
      );
    }
    this._isDown = true;
  }
}

/** Runs what may call listeners. What they throw is no concern of the messages behind. */
function contain(work) {
  try {
    work();
  } catch (err) {
    nextTick(() => {
      throw err;
    });
  }
}

const BROADCAST = 0;
const REQUEST = 1;
const READY = 2;
const ERROR = 3;
const COUNT = 4;
const CLOSED = 5;

/** Milliseconds between looks for methods that an application has replaced. */
const LOOK_INTERVAL = 100;
/** Milliseconds that the last messages may take to leave. */
const FAREWELL = 1000;

module.exports = { RedisLink };
