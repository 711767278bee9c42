"use strict";

// What there is to say about uWebSockets.js: its server and this package's engine both want to
// own the connections, so that they do not go together.

/** Always throws: servers of uWebSockets.js have no sockets that could be taken over. */
function patchAdapter(_app) {
  throw unsupported();
}

/** Does nothing, as nothing is ever patched. */
function restoreAdapter() {}

/** Always throws: there is no uWebSockets.js response to write to. */
function serveFile(_res, _filepath) {
  throw unsupported();
}

function unsupported() {
  return new Error(
    "ferrio does not support attachApp(): it brings its own native engine in place of " +
      "uWebSockets.js. Please use attach() with a http.Server instance or a port."
  );
}

module.exports = { patchAdapter, restoreAdapter, serveFile };
