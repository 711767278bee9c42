"use strict";

// The one receiver of what the native core reports: drains batches, finds the
// connection that each record is for, and hands the records over in the turns that
// the reference would give them. Also keeps the process alive while it should be.

const { Core } = require("./binding");
const timers = require("timers");
const { nextTick, setImmediate } = require("./scheduling");
const { takeFailure } = require("./turns");
const { weakly } = require("./weakly");

/**
 * The native core of this environment and copy of the package. It goes with the copy: the core's
 * own hold on the callback must not keep both alive.
 */
const core = new Core(weakly(onWake));
/** Sends an event: the hottest call into the core. */
const sendEvent = core.sendEventFunction();

/** Connections by native handle. */
const connections = new Map();
/** Streams by their link number. */
const links = new Map();
/** Native listeners by number. */
const acceptors = new Map();
/** Polling requests that wait for their answer, by number. */
const requests = new Map();

let nextRequest = 1;

/** Kinds of records: the table is in src/event.rs. An event is 0 and needs no name. */
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
const BLOCKED = 15;
const SEND_DUE = 17;
const CONTROL_FRAME = 16;
const ACCEPTED = 18;
const PROBING = 19;
const PASSED = 20;
const UNLISTENED = 21;

/** Kinds of polling answers that bring no extra. */
const BODY_NONE = 0;
const BODY_OK = 3;
const BODY_ERROR = 4;

/**
 * One record of the batch: an EVENT or ACK that the core has decoded.
 * @typedef {object} Decoded
 * @property {number} ordinal which socket of the connection it is for
 * @property {boolean} isAck
 * @property {number} id of the acknowledgement, -1 without
 * @property {any[]} args
 * @property {Buffer[]} [attachments]
 */

/** Fields of records after which the event loop gets a turn. */
const MAX_PER_TURN = 2048;

/** Batches that are not fully delivered yet. */
const batches = [];

/** Fields of records taken since the last rest. */
let taken = 0;
/** Enough was taken: the next batch waits for another turn of the event loop. */
let resting = false;

function onWake() {
  if (!resting) {
    drain();
  }
}

function drain() {
  const [json, extras] = core.drain();
  const records = JSON.parse(json);
  taken += records.length;
  if (taken > MAX_PER_TURN) {
    // While clients send without end, timers and other streams get their turn, too.
    resting = true;
    setImmediate(endRest);
  }
  batches.push({ records, extras, at: 0, extra: 0, session: -1, conn: undefined });
  if (batches.length === 1) {
    step();
  }
}

function endRest() {
  resting = false;
  taken = 0;
  drain();
}

/**
 * Delivers one chunk. Between two chunks next ticks and microtasks run dry, as they do between two
 * reads of the reference: a chunk's packets are handled in a next tick, and that tick asks for the
 * next step with a promise, whose job runs when no tick is left.
 */
function step() {
  try {
    while (batches.length > 0) {
      const batch = batches[0];
      if (batch.at >= batch.records.length) {
        batches.shift();
      } else if (opensEarly(batch)) {
        setImmediate(stepSafely);
        return;
      } else if (deliverChunk(batch)) {
        nextTick(stepLater);
        return;
      }
    }
  } catch (err) {
    // A listener of a close or of raw data has thrown: that is the application's to hear of, and
    // the rest of the batch is not its fault.
    nextTick(stepLater);
    throw err;
  }
}

/**
 * Looks whose chunk comes next. True when that has to wait: the client is on its way into a namespace,
 * which takes ticks and microtasks in turn, and they are over before another read of the reference.
 * Middlewares that take longer are not waited for.
 */
function opensEarly(batch) {
  const { records, at } = batch;
  if (!(records[at] < 0)) {
    return false;
  }
  batch.session = -records[at] - 1;
  batch.conn = connections.get(batch.session);
  return batch.conn?.receiver?.needsRest() === true;
}

const settled = Promise.resolve();

function stepLater() {
  if (takeFailure()) {
    setImmediate(stepSafely);
  } else {
    settled.then(stepSafely);
  }
}

/** A promise job must not throw: that would be an unhandled rejection, not an exception. */
function stepSafely() {
  if (takeFailure()) {
    // A listener has thrown since: those behind it in its chunk have been put off by an immediate,
    // and what comes next has to stay behind them.
    setImmediate(stepSafely);
    return;
  }
  try {
    step();
  } catch (err) {
    nextTick(rethrow, err);
  }
}

function rethrow(err) {
  throw err;
}

/**
 * Delivers the records of one connection's chunk, and of the next one if that is more of the same: a
 * thread that reads for itself would have found both in one read by now. True when application code
 * was set going.
 */
function deliverChunk(batch) {
  const { records } = batch;
  if (records[batch.at] < 0) {
    batch.at++;
  }
  const { conn } = batch;
  let wave = null;
  let busy = false;
  let count = 0;
  while (batch.at < records.length && !(records[batch.at] < 0)) {
    const kind = records[batch.at];
    count++;
    if (kind <= ACK) {
      const packet = takeDecoded(batch);
      if (conn !== undefined) {
        (wave ??= []).push(packet);
        if (goesOn(batch)) {
          batch.at++;
        }
      }
      continue;
    }
    if (wave !== null) {
      // What was decoded before keeps its place before what is handled at once.
      conn.onDecoded(wave, false);
      wave = null;
      busy = true;
    }
    if (busy && kind === CLOSED && conn !== undefined && conn.closesLate(records[batch.at + 1])) {
      // The peer has said something and left: it is heard first.
      return true;
    }
    if (kind === ACCEPTED) {
      // What follows is for the connection that this one makes known, and comes in another chunk.
      return accept(batch);
    }
    busy = handle(takeRecord(batch), conn) || busy;
  }
  if (wave !== null) {
    conn.onDecoded(wave, count === 1);
    busy = true;
  }
  return busy;
}

/** True when a further chunk of the same connection begins here, with a message. */
function goesOn({ records, at, session }) {
  return records[at] === -session - 1 && records[at + 1] <= RAW_BINARY;
}

function takeDecoded(batch) {
  const { records, extras, at } = batch;
  const packet = {
    ordinal: records[at + 1],
    isAck: records[at] === ACK,
    id: records[at + 2],
    args: records[at + 4],
    attachments: undefined,
  };
  const attachments = records[at + 3];
  batch.at += 5;
  if (attachments > 0) {
    packet.attachments = extras.slice(batch.extra, batch.extra + attachments);
    batch.extra += attachments;
  }
  return packet;
}

/** How many fields a record of each kind has, besides its kind, and how many extras. */
const FIELDS = [4, 4, 0, 0, 2, 0, 1, 0, 0, 1, 3, 1, 1, 1, 1, 1, 1, 1, 10, 7, 1, 1];
const EXTRAS = { [RAW_TEXT]: 1, [RAW_BINARY]: 1, [BRIDGE_WRITE]: 1, [CONTROL_FRAME]: 1 };

/**
 * Takes a whole record off the batch, whether or not anybody is there for it.
 * @returns {{kind: number, fields: any[], extra: any}}
 */
function takeRecord(batch) {
  const { records, extras } = batch;
  const kind = records[batch.at];
  const count = FIELDS[kind];
  if (count === undefined) {
    throw new Error(`unknown record ${kind} from the native core`);
  }
  const fields = records.slice(batch.at + 1, batch.at + 1 + count);
  batch.at += 1 + count;
  let takes = EXTRAS[kind] === 1;
  if (kind === RESPONSE) {
    if (fields[2] === BODY_ERROR) {
      fields.push(records[batch.at++]);
    } else {
      takes = fields[2] !== BODY_NONE && fields[2] !== BODY_OK;
    }
  }
  return { kind, fields, extra: takes ? extras[batch.extra++] : undefined };
}

/** Handles a record at once. True when application code may have run. */
function handle({ kind, fields, extra }, conn) {
  switch (kind) {
    case RESPONSE:
      respond(fields, extra);
      return false;
    case BRIDGE_WRITE:
      links.get(fields[0])?.write(extra);
      return false;
    case BRIDGE_END:
      links.get(fields[0])?.end();
      return false;
    case STREAM_GONE:
      links.get(fields[0])?.onGone();
      return true;
    case PROBE_FAILED:
      conn?.onProbeFailed(fields[0]);
      return true;
    case BLOCKED:
      conn?.onBlocked(fields[0]);
      return false;
    case PROBING:
      if (conn !== undefined) {
        acceptors.get(fields[1])?.onProbing(conn, fields[0], fields.slice(2));
      }
      return true;
    case PASSED:
      acceptors.get(fields[0])?.onPassed(fields[0]);
      return true;
    case UNLISTENED:
      acceptors.get(fields[0])?.onUnlistened(fields[0]);
      return true;
  }
  if (conn === undefined) {
    return false;
  }
  switch (kind) {
    case RAW_TEXT:
    case RAW_BINARY:
      conn.onRaw(extra);
      break;
    case CLOSED:
      conn.onNativeClose(fields[0], fields[1]);
      break;
    case UPGRADED:
      conn.onUpgraded();
      break;
    case UPGRADING:
      conn.onUpgrading(fields[0]);
      break;
    case HEARTBEAT:
      conn.onHeartbeat();
      break;
    case DRAINED:
      conn.onNativeDrain();
      break;
    case ENGINE_PACKET:
      conn.onEnginePacket(fields[0]);
      break;
    case SEND_DUE:
      conn.onSendDue(fields[0]);
      break;
    case CONTROL_FRAME:
      conn.onControlFrame(fields[0], extra);
      break;
  }
  return true;
}

/** Makes the connection of an ACCEPTED record known. True when application code may have run. */
function accept(batch) {
  const { records, at, session } = batch;
  batch.at += 1 + FIELDS[ACCEPTED];
  const acceptor = acceptors.get(records[at + 5]);
  if (acceptor === undefined) {
    // The listener has closed, and its last word was faster than its last connection.
    refuse(session);
    return false;
  }
  return acceptor.onAccepted(session, records.slice(at + 1, batch.at));
}

/** Closes a connection that was opened for nobody. */
function refuse(handle) {
  connections.set(handle, new Unwanted(handle));
  core.close(handle, true);
}

/** Stands for such a connection: it goes as soon as the core has closed it. */
class Unwanted {
  constructor(handle) {
    this.handle = handle;
  }

  closesLate() {
    return false;
  }

  onNativeClose() {
    connections.delete(this.handle);
    core.release(this.handle);
  }
}

for (const name of [
  "onBlocked",
  "onControlFrame",
  "onDecoded",
  "onEnginePacket",
  "onHeartbeat",
  "onNativeDrain",
  "onProbeFailed",
  "onRaw",
  "onSendDue",
  "onUpgraded",
  "onUpgrading",
]) {
  Unwanted.prototype[name] = noop;
}

function respond([id, status, bodyKind, code], body) {
  const request = requests.get(id);
  if (request !== undefined) {
    requests.delete(id);
    request.respond(status, bodyKind, bodyKind === BODY_ERROR ? code : body);
  }
}

/** Registers a polling request; `respond(status, bodyKind, body)` is called once. */
function addRequest(request) {
  const id = nextRequest;
  // The numbers from 2^31 on are the listener's.
  nextRequest = (nextRequest + 1) & 0x7fffffff;
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

/** Notes that something is written in this tick, and returns the tick for the core. */
function touchTick() {
  if (!tickOpen) {
    tickOpen = true;
    nextTick(endTick);
  }
  return tick;
}

function endTick() {
  tickOpen = false;
  // Small integers are fastest in JavaScript; the core takes it as one of 32 bits.
  tick = (tick + 1) & 0x3fffffff;
}

// A native session is no handle of the event loop: something else has to stand for it.

let alive = 0;
let keeper;

/** Keeps the process alive until as many `unref()` came. */
function ref() {
  if (alive++ === 0) {
    // The timer also holds on to the callback that the core holds weakly.
    keeper = timers.setInterval(noop, 0x7fffffff, onWake);
    process.on("exit", flushAtExit);
  }
}

/** Undoes one `ref()`. */
function unref() {
  if (--alive === 0) {
    timers.clearInterval(keeper);
    process.removeListener("exit", flushAtExit);
  }
}

function noop() {}

/** What `emit()` has accepted is delivered even when the process exits right after. */
function flushAtExit() {
  core.flushSync(EXIT_FLUSH_LIMIT);
  // Answers to polls and bytes of bridged streams still have to pass through here.
  onWakeAtExit();
}

function onWakeAtExit() {
  // What was flushed is there already; clients that go on sending must not hold the exit up.
  const deadline = Date.now() + EXIT_FLUSH_LIMIT;
  while (Date.now() < deadline) {
    const [json, extras] = core.drain();
    const records = JSON.parse(json);
    if (records.length === 0) {
      break;
    }
    batches.push({ records, extras, at: 0, extra: 0 });
  }
  for (const batch of batches) {
    while (batch.at < batch.records.length) {
      if (batch.records[batch.at] < 0) {
        batch.at++;
      } else if (batch.records[batch.at] <= ACK) {
        takeDecoded(batch);
      } else {
        const record = takeRecord(batch);
        if (record.kind >= RESPONSE && record.kind <= BRIDGE_END) {
          handle(record);
        }
      }
    }
  }
}

const EXIT_FLUSH_LIMIT = 500;

module.exports = {
  acceptors,
  addRequest,
  connections,
  core,
  currentTick,
  links,
  ref,
  refuse,
  requests,
  sendEvent,
  touchTick,
  unref,
};
