"use strict";

// The option `trustProxy`: whose word counts about where a client is. The meaning of its values,
// and how `X-Forwarded-For` is read, are those of Express, through the same package.

const proxyAddr = require("proxy-addr");
const { mustBe } = require("./must-be");

const EXPECTED =
  "true, false, a number of hops, addresses and subnets (an array, or separated by commas), or a function";

/**
 * Reads the option.
 * @param {any} value
 * @returns {((address: string, hop: number) => boolean)|undefined} undefined when nobody is trusted
 */
function readTrust(value) {
  if (value === undefined || value === false) {
    return undefined;
  }
  if (value === true) {
    return () => true;
  }
  if (typeof value === "function") {
    return value;
  }
  if (Number.isInteger(value) && value >= 0) {
    return (address, hop) => hop < value;
  }
  const listed = typeof value === "string" ? value.split(",").map((part) => part.trim()) : value;
  if (Array.isArray(listed) && listed.every((part) => typeof part === "string")) {
    try {
      return proxyAddr.compile(listed);
    } catch (err) {
      throw new TypeError(`the option "trustProxy" must be ${EXPECTED}: ${err.message}`, {
        cause: err,
      });
    }
  }
  throw new TypeError(mustBe('the option "trustProxy"', EXPECTED, value));
}

/**
 * Where the client of a connection is: the first address that is not a trusted proxy's, seen from
 * here.
 * @param {any} server
 * @param {string|undefined} address the other end of the connection
 * @param {import("http").IncomingMessage|undefined} request
 */
function clientAddress({ _trust: trust }, address, request) {
  if (trust === undefined || request === undefined) {
    return address;
  }
  const { headers } = request;
  const seen = /** @type {any} */ ({ headers, socket: { remoteAddress: address } });
  return proxyAddr(seen, trust);
}

module.exports = { clientAddress, readTrust };
