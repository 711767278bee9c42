"use strict";

// The one receiver of what the native core reports: drains batches, finds the
// connection that each record is for, and hands the records over in the turns that
// the reference would give them. Also keeps the process alive while it should be.

const { Core } = require("./binding");
const timers = require("timers");

/** The native core of this environment. */
const core = new Core(onWake);
/** Sends an event: the hottest call into the core. */
const sendEvent = core.sendEventFunction();

/** Connections by native handle. */
const connections = new Map();
/** Streams by their link number. */
const links = new Map();
/** Polling requests that wait for their answer, by number. */
const requests = new Map();

let nextRequest = 1;

/** Kinds of records: the table is in src/event.rs. */
const EVENT = 0;
const ACK = 1;
const RAW_TEXT = 2;
const RAW_BINARY = 3;
const CLOSED = 4;
const UPGRADED = 5;
const UPGRADING = 6;
const HEARTBEAT = 7;
const DRAINED = 8;
const ENGINE_PACKET = 9;
const RESPONSE = 10;
const BRIDGE_WRITE = 11;
const BRIDGE_END = 12;
const STREAM_GONE = 13;
const PROBE_FAILED = 14;

/** Kinds of polling answers that bring no extra. */
const BODY_NONE = 0;
const BODY_OK = 3;
const BODY_ERROR = 4;

/**
 * One record of the batch: an EVENT or ACK that the core has decoded.
 * @typedef {{ordinal: number, isAck: boolean, id: number, args: any[], attachments?: Buffer[]}} Decoded
 */

/** Batches that are not fully delivered yet. More than one only while a listener blocks. */
const batches = [];
let scheduled = false;

function onWake() {
  const [json, extras] = core.drain();
  batches.push({ records: JSON.parse(json), extras, at: 0, extra: 0 });
  if (!scheduled) {
    step();
  }
}

/**
 * Delivers one chunk. Between two chunks with packets, next ticks and microtasks run dry, as they
 * do between two reads of the reference; a chunk's decoded packets are handled in one wave.
 */
function step() {
  scheduled = false;
  try {
    while (batches.length > 0) {
      const batch = batches[0];
      if (batch.at >= batch.records.length) {
        batches.shift();
        continue;
      }
      if (deliverChunk(batch)) {
        schedule();
        return;
      }
    }
  } catch (err) {
    // A listener of a close or of raw data has thrown: that is the application's to hear of, and
    // the rest of the batch is not its fault.
    schedule();
    process.nextTick(rethrow, err);
  }
}

const settled = Promise.resolve();

function schedule() {
  if (!scheduled) {
    scheduled = true;
    settled.then(step);
  }
}

function rethrow(err) {
  throw err;
}

/** Delivers the records of one connection's chunk. True when application code was set going. */
function deliverChunk(batch) {
  const { records } = batch;
  const conn = records[batch.at] < 0 ? connections.get(-records[batch.at++] - 1) : undefined;
  let wave = null;
  let busy = false;
  let count = 0;
  while (batch.at < records.length && !(records[batch.at] < 0)) {
    const kind = records[batch.at++];
    count++;
    if (kind <= ACK) {
      const packet = takeDecoded(batch, kind);
      if (conn !== undefined) {
        (wave ??= []).push(packet);
      }
      continue;
    }
    if (wave !== null) {
      // What was decoded before keeps its place before what is handled at once.
      conn.onDecoded(wave, false);
      wave = null;
      busy = true;
    }
    busy = handle(batch, kind, conn) || busy;
  }
  if (wave !== null) {
    conn.onDecoded(wave, wave.length === count && count === 1);
    busy = true;
  }
  return busy;
}

function takeDecoded(batch, kind) {
  const { records, extras } = batch;
  const packet = {
    ordinal: records[batch.at],
    isAck: kind === ACK,
    id: records[batch.at + 1],
    args: records[batch.at + 3],
    attachments: undefined,
  };
  const attachments = records[batch.at + 2];
  batch.at += 4;
  if (attachments > 0) {
    packet.attachments = extras.slice(batch.extra, batch.extra + attachments);
    batch.extra += attachments;
  }
  return packet;
}

/** Handles a record at once. True when application code may have run. */
function handle(batch, kind, conn) {
  const { records, extras } = batch;
  switch (kind) {
    case RAW_TEXT:
    case RAW_BINARY: {
      const data = extras[batch.extra++];
      conn?.onRaw(data);
      return true;
    }
    case CLOSED: {
      const reason = records[batch.at++];
      const description = records[batch.at++];
      conn?.onNativeClose(reason, description);
      return true;
    }
    case UPGRADED:
      conn?.onUpgraded();
      return true;
    case UPGRADING:
      conn?.onUpgrading(records[batch.at++]);
      return true;
    case HEARTBEAT:
      conn?.onHeartbeat();
      return true;
    case DRAINED:
      conn?.onNativeDrain();
      return true;
    case ENGINE_PACKET:
      conn?.onEnginePacket(records[batch.at++]);
      return true;
    case RESPONSE: {
      const id = records[batch.at++];
      const status = records[batch.at++];
      const bodyKind = records[batch.at++];
      let body;
      if (bodyKind === BODY_ERROR) {
        body = records[batch.at++];
      } else if (bodyKind !== BODY_NONE && bodyKind !== BODY_OK) {
        body = extras[batch.extra++];
      }
      const request = requests.get(id);
      if (request !== undefined) {
        requests.delete(id);
        request.respond(status, bodyKind, body);
      }
      return false;
    }
    case BRIDGE_WRITE:
      links.get(records[batch.at++])?.write(extras[batch.extra++]);
      return false;
    case BRIDGE_END:
      links.get(records[batch.at++])?.end();
      return false;
    case STREAM_GONE:
      links.get(records[batch.at++])?.onGone();
      return true;
    case PROBE_FAILED:
      conn?.onProbeFailed(records[batch.at++]);
      return true;
    default:
      throw new Error(`unknown record ${kind} from the native core`);
  }
}

/** Registers a polling request; `respond(status, bodyKind, body)` is called once. */
function addRequest(request) {
  const id = nextRequest;
  nextRequest = (nextRequest + 1) >>> 0;
  requests.set(id, request);
  return id;
}

// Ticks: what was written "in this tick" decides about volatile packets and `writable`.

let tick = 1;
let tickOpen = false;

/** The current tick, for comparison only. */
function currentTick() {
  return tick;
}

/** Notes that something was written in this tick. */
function touchTick() {
  if (!tickOpen) {
    tickOpen = true;
    process.nextTick(endTick);
  }
  return tick;
}

function endTick() {
  tickOpen = false;
  tick++;
  core.endTick();
}

// A native session is no handle of the event loop: something else has to stand for it.

let alive = 0;
let keeper;

/** Keeps the process alive until as many `unref()` came. */
function ref() {
  if (alive++ === 0) {
    keeper = timers.setInterval(noop, 0x7fffffff);
  }
}

/** Undoes one `ref()`. */
function unref() {
  if (--alive === 0) {
    timers.clearInterval(keeper);
  }
}

function noop() {}

/** What `emit()` has accepted is delivered even when the process exits right after. */
const EXIT_FLUSH_LIMIT = 500;

process.on("exit", () => core.flushSync(EXIT_FLUSH_LIMIT));

module.exports = {
  addRequest,
  connections,
  core,
  currentTick,
  links,
  ref,
  requests,
  sendEvent,
  touchTick,
  unref,
};
