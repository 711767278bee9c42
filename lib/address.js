"use strict";

// Where `io.listen({ port, … })` listens: the object is checked, and what Node itself cannot
// do on the version at hand is prepared by the core.

const cluster = require("cluster");
const { core } = require("./dispatch");
const { kBacklog } = require("./engine/listening");
const { mustBe } = require("./must-be");

/** What each member has to be. */
const MEMBERS = {
  port: [isPort, "a whole number from 0 to 65535"],
  host: [isText, "a name or an address"],
  path: [isText, "the path of a unix socket"],
  backlog: [isBacklog, "a whole number from 1 to 65535"],
  reusePort: [isBoolean, "true or false"],
  ipv6Only: [isBoolean, "true or false"],
};

/** True for an object that says where to listen. A server to attach to has methods. */
function isAddress(value) {
  return (
    value !== null &&
    typeof value === "object" &&
    typeof value.on !== "function" &&
    (Object.hasOwn(value, "port") || Object.hasOwn(value, "path"))
  );
}

/**
 * Has an http server listen.
 * @param {import("http").Server} httpServer
 * @param {{port?: number, host?: string, path?: string, backlog?: number, reusePort?: boolean,
 *   ipv6Only?: boolean}} address
 */
function listenAt(httpServer, address) {
  check(address);
  if (address.backlog !== undefined) {
    Object.defineProperty(httpServer, kBacklog, { value: address.backlog });
  }
  const { port, host, path, backlog = DEFAULT_BACKLOG, reusePort, ipv6Only } = address;
  if (path !== undefined) {
    httpServer.listen({ path, backlog });
    return;
  }
  if (!reusePort) {
    httpServer.listen({ port, host, backlog, ipv6Only });
    return;
  }
  let fd;
  try {
    fd = core.bindSharedPort(host ?? "::", port, ipv6Only === true);
  } catch (err) {
    // Where Node would report it.
    const { message } = err;
    const code = /^[A-Z]+(?=:)/.exec(message)?.[0];
    process.nextTick(() => {
      httpServer.emit("error", Object.assign(new Error(`listen ${message}`), { code }));
    });
    return;
  }
  if (/** @type {any} */ (cluster).isWorker) {
    // A descriptor given to listen() would be looked for in the primary process.
    /** @type {any} */ (httpServer)._listen2(null, null, null, backlog, fd);
  } else {
    httpServer.listen({ fd, backlog });
  }
}

function check(address) {
  for (const [name, value] of Object.entries(address)) {
    if (!Object.hasOwn(MEMBERS, name)) {
      const known = Object.keys(MEMBERS).join(", ");
      throw new TypeError(`unknown member ${JSON.stringify(name)} in listen(): known are ${known}`);
    }
    const [isSound, words] = MEMBERS[name];
    if (value !== undefined && !isSound(value)) {
      throw new TypeError(mustBe(`"${name}" in listen()`, words, value));
    }
  }
  if ((address.port === undefined) === (address.path === undefined)) {
    throw new TypeError('listen() takes either "port" or "path"');
  }
  if (address.reusePort && (process.platform !== "linux" || address.path !== undefined)) {
    throw new TypeError('"reusePort" in listen() is for TCP ports on Linux');
  }
}

function isPort(value) {
  return Number.isInteger(value) && value >= 0 && value <= 65535;
}

function isBacklog(value) {
  return Number.isInteger(value) && value >= 1 && value <= 65535;
}

function isText(value) {
  return typeof value === "string" && value !== "";
}

function isBoolean(value) {
  return typeof value === "boolean";
}

/** Node's own. */
const DEFAULT_BACKLOG = 511;

module.exports = { isAddress, listenAt };
