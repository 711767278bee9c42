"use strict";

// Connections that the core has accepted, and that are the http server's.

const fs = require("fs");
const net = require("net");
const debug = require("debug")("engine:acceptor");
const { setAddresses } = require("./accepted");

/**
 * Makes Node's socket of a descriptor, as a listening server would.
 * @param {any} httpServer
 * @param {number} fd
 * @param {string} [addresses] in JSON, where the descriptor does not tell
 * @returns {any} undefined when that fails, or there are too many
 */
function adopt(httpServer, fd, addresses) {
  const options = {
    fd,
    allowHalfOpen: httpServer.allowHalfOpen,
    pauseOnCreate: httpServer.pauseOnConnect,
    readable: true,
    writable: true,
  };
  /** @type {any} */
  let socket;
  try {
    socket = new net.Socket(options);
  } catch (err) {
    debug("a connection could not be passed on: %s", err.message);
    fs.closeSync(fd);
    return undefined;
  }
  if (addresses !== undefined) {
    setAddresses(socket, JSON.parse(`[${addresses}]`));
  }
  if (isFull(httpServer)) {
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    httpServer.emit("drop", dropped([remoteAddress, remotePort, localAddress, localPort]));
    socket.destroy();
    return undefined;
  }
  if (httpServer.noDelay) {
    socket.setNoDelay(true);
  }
  if (httpServer.keepAlive) {
    socket.setKeepAlive(true, 1000 * httpServer.keepAliveInitialDelay);
  }
  httpServer._connections++;
  return Object.assign(socket, { server: httpServer, _server: httpServer });
}

/** True when an http server takes no more connections. Since Node 21, a limit of 0 is one. */
function isFull({ maxConnections, _connections }) {
  const isLimit =
    MAJOR < 21 ? Boolean(maxConnections) : (maxConnections ?? undefined) !== undefined;
  return isLimit && _connections >= maxConnections;
}

/** @param {any[]} addresses the peer's address and port, and our own */
function dropped([remoteAddress, remotePort, localAddress, localPort]) {
  const family = (address) => (address ? `IPv${net.isIP(address)}` : undefined);
  return {
    localAddress,
    localPort,
    localFamily: family(localAddress),
    remoteAddress,
    remotePort,
    remoteFamily: family(remoteAddress),
  };
}

const MAJOR = Number(process.versions.node.split(".")[0]);

module.exports = { adopt, dropped, isFull };
