"use strict";

// A server of this package, whichever one the other tests are about: for what only it has.

const http = require("node:http");
const { Server } = require("../..");
const { App, closeAtEnd, listen } = require("./app");

/** Starts a server on a free port; it is closed when the test ends. */
async function serveOwn(t, options) {
  const httpServer = http.createServer();
  const io = new Server(httpServer, options);
  const app = new App(io, undefined, options);
  closeAtEnd(t, io, app);
  await listen(httpServer);
  return app;
}

module.exports = { serveOwn };
