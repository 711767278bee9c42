"use strict";

// What a test opened is closed when it ends: peers first, the latest first, then all
// servers together, because two that share an http server wait for each other.

const { withDeadline } = require("./events");

/** Runs `close` when the test ends, before its servers are closed. */
function atEnd(t, close) {
  openedBy(t).peers.push(close);
}

/** Closes a Socket.IO server, and the http server it is attached to, when the test ends. */
function closeServerAtEnd(t, io) {
  openedBy(t).servers.push(io);
}

module.exports = { atEnd, closeServerAtEnd };

const opened = new WeakMap();

function openedBy(t) {
  if (!opened.has(t)) {
    const entry = { peers: [], servers: [] };
    opened.set(t, entry);
    t.after(() => closeAll(entry));
  }
  return opened.get(t);
}

async function closeAll({ peers, servers }) {
  for (const close of peers.reverse()) {
    await close();
  }
  const closed = Promise.all(servers.map(closeServer));
  await withDeadline(closed, () => "io.close() did not end");
}

async function closeServer(io) {
  // Never attached: there is nothing to close.
  if (!io.engine) {
    return;
  }
  const closed = io.close();
  // Idle keep-alive connections of test clients would hold the server open.
  io.httpServer?.closeAllConnections?.();
  await closed;
}
