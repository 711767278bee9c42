"use strict";

// The negotiation of permessage-deflate (RFC 7692): which offer of a client is
// accepted, what is answered, and what the core is told. Compressing is the core's.

const { mustBe } = require("../must-be");

const NAME = "permessage-deflate";

/** What an offer says, as it was accepted; names and values as on the wire, `true` for no value. */
/** @typedef {Map<string, true|number>} Params */

/**
 * What a WebSocket agreed on.
 * @typedef {object} Agreement
 * @property {string} header the value of `Sec-WebSocket-Extensions` in the answer
 * @property {Params} params
 * @property {object} native what the core is told
 */

/**
 * Negotiates compression for an upgrade request.
 * @param {string|undefined} header its `Sec-WebSocket-Extensions`
 * @param {object|false|undefined} options the option `perMessageDeflate`
 * @returns {Agreement|undefined} undefined: messages are not compressed
 * @throws {SyntaxError|RangeError} when the request has to be refused
 */
function negotiate(header, options) {
  if (!options || header === undefined) {
    return undefined;
  }
  const offers = parseExtensions(header).filter(({ name }) => name === NAME);
  if (offers.length === 0) {
    return undefined;
  }
  // One malformed offer spoils the request, whether or not another would do.
  const params = offers.map(readOffer).find((offer) => isAcceptable(offer, options));
  if (params === undefined) {
    throw new RangeError("none of the offers is acceptable");
  }
  settle(params, options);
  warnOfUnused(options);
  return { header: format(params), params, native: toNative(params, options) };
}

/**
 * Refuses options that zlib or the protocol would refuse later, in the middle of a connection.
 * @param {object} options the option `perMessageDeflate`
 */
function checkOptions(options) {
  const inRange = (name, value, min, max) => {
    if (value !== undefined && !(Number.isInteger(value) && value >= min && value <= max)) {
      const expected = `a whole number from ${min} to ${max}`;
      throw new RangeError(mustBe(`the option "perMessageDeflate.${name}"`, expected, value));
    }
  };
  for (const name of ["serverMaxWindowBits", "clientMaxWindowBits"]) {
    if (typeof options[name] === "number") {
      inRange(name, options[name], 8, 15);
    }
  }
  const { level, memLevel, strategy } = options.zlibDeflateOptions ?? {};
  inRange("zlibDeflateOptions.level", level, -1, 9);
  inRange("zlibDeflateOptions.memLevel", memLevel, 1, 9);
  inRange("zlibDeflateOptions.strategy", strategy, 0, 4);
}

module.exports = { NAME, checkOptions, negotiate };

/** One extension or parameter and what ends it: RFC 6455, 9.1, with tokens in quotes. */
const CHAR = "[!#$%&'*+\\-.^_`|~\\w]";
const VALUE = `(?:(${CHAR}+)|"((?:\\\\?${CHAR})+)")`;
const ITEM = new RegExp(`[ \\t]*(${CHAR}+)(?:=${VALUE})?[ \\t]*([;,]|$)`, "y");

/**
 * Reads the header.
 * @returns {{name: string, params: [string, string|true][]}[]} in the order of the client's choice
 */
function parseExtensions(header) {
  const extensions = [];
  let current;
  let end;
  ITEM.lastIndex = 0;
  while (end !== "") {
    const at = ITEM.lastIndex;
    const item = ITEM.exec(header);
    const [, name, token, quoted] = item ?? [];
    const value = token ?? quoted?.replaceAll("\\", "") ?? true;
    if (item === null || (current === undefined && value !== true)) {
      throw new SyntaxError(`malformed list of extensions, from index ${at} on`);
    }
    if (current === undefined) {
      current = { name, params: [] };
      extensions.push(current);
    } else {
      current.params.push([name, value]);
    }
    end = item[4];
    if (end === ",") {
      current = undefined;
    }
  }
  return extensions;
}

/** What the parameters of RFC 7692, 7.1, may be in an offer. */
const PARAMETERS = {
  server_no_context_takeover: isAlone,
  client_no_context_takeover: isAlone,
  server_max_window_bits: isWindow,
  client_max_window_bits: (value) => isAlone(value) || isWindow(value),
};

function isAlone(value) {
  return value === true;
}

function isWindow(value) {
  const bits = Number(value);
  return value !== true && Number.isInteger(bits) && bits >= 8 && bits <= 15;
}

/** Checks the parameters of an offer. */
function readOffer({ params }) {
  const offer = new Map();
  for (const [name, value] of params) {
    if (!Object.hasOwn(PARAMETERS, name) || !PARAMETERS[name](value) || offer.has(name)) {
      throw new RangeError(`unknown, repeated or invalid parameter "${name}"`);
    }
    offer.set(name, value === true ? true : Number(value));
  }
  return offer;
}

/** Whether the options allow what a client asks for, and the client what the options ask for. */
function isAcceptable(offer, options) {
  const { serverNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits } = options;
  if (serverNoContextTakeover === false && offer.has("server_no_context_takeover")) {
    return false;
  }
  const ours = offer.get("server_max_window_bits");
  if (ours !== undefined && (serverMaxWindowBits === false || serverMaxWindowBits > ours)) {
    return false;
  }
  if (typeof clientMaxWindowBits !== "number") {
    return true;
  }
  // A client that did not mention its window cannot be asked to limit it.
  const theirs = offer.get("client_max_window_bits");
  return theirs !== undefined && (theirs === true || clientMaxWindowBits <= theirs);
}

/** Turns an accepted offer into the answer to it. */
function settle(params, options) {
  if (options.serverNoContextTakeover) {
    params.set("server_no_context_takeover", true);
  }
  if (options.clientNoContextTakeover) {
    params.set("client_no_context_takeover", true);
  }
  if (typeof options.serverMaxWindowBits === "number") {
    params.set("server_max_window_bits", options.serverMaxWindowBits);
  }
  const theirs = options.clientMaxWindowBits;
  if (typeof theirs === "number") {
    params.set("client_max_window_bits", theirs);
  } else if (theirs === false || params.get("client_max_window_bits") === true) {
    params.delete("client_max_window_bits");
  }
}

function format(params) {
  const parts = [...params].map(([name, value]) => (value === true ? name : `${name}=${value}`));
  return [NAME, ...parts].join("; ");
}

function toNative(params, { threshold = 1024, zlibDeflateOptions }) {
  const { level = -1, memLevel = 8, strategy = 0 } = zlibDeflateOptions ?? {};
  return {
    windowBits: params.get("server_max_window_bits") ?? 15,
    level,
    memLevel,
    strategy,
    threshold: Number(threshold),
    peerWindowBits: params.get("client_max_window_bits") ?? 15,
    peerTakesContextOver: !params.has("client_no_context_takeover"),
  };
}

/** Options that tune Node's zlib and its threads, which do not compress here. */
const UNUSED = {
  concurrencyLimit: ({ concurrencyLimit }) => concurrencyLimit,
  zlibInflateOptions: ({ zlibInflateOptions }) => zlibInflateOptions,
  ...Object.fromEntries(
    ["chunkSize", "dictionary", "finishFlush", "flush"].map((name) => [
      `zlibDeflateOptions.${name}`,
      ({ zlibDeflateOptions }) => zlibDeflateOptions?.[name],
    ]),
  ),
};
const warned = new Set();

function warnOfUnused(options) {
  const names = Object.keys(UNUSED).filter((name) => UNUSED[name](options) !== undefined);
  const news = names.filter((name) => !warned.has(name));
  if (news.length > 0) {
    news.forEach((name) => warned.add(name));
    process.emitWarning(`parts of "perMessageDeflate" have no effect: ${news.join(", ")}`, {
      code: "FERRIO_OPTION_WITHOUT_EFFECT",
    });
  }
}
