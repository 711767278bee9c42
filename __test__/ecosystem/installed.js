"use strict";

// Packages as an application finds them that installed the server under the name `socket.io`,
// and servers and clients made with them. FERRIO_TEST_TARGET=socket.io gives the same packages
// with stock socket.io.

const http = require("node:http");
const path = require("node:path");
const { createRequire } = require("node:module");
const { pathToFileURL } = require("node:url");
const { isReference } = require("../support/target");
const { App, closeAtEnd, listen } = require("../support/app");
const { isInstalled, treeOf } = require("../../scripts/ensure-ecosystem");

const tree = treeOf(isReference);
if (!isInstalled(tree)) {
  throw new Error(
    "the packages of __test__/ecosystem are not installed: run " +
      `${isReference ? "FERRIO_TEST_TARGET=socket.io " : ""}node scripts/ensure-ecosystem.js`,
  );
}

/** `require()` of an application in that folder. */
const load = createRequire(path.join(tree, "app.js"));

/** `import()` of an application in that folder, for packages that are ES modules only. */
function loadModule(name) {
  return import(pathToFileURL(load.resolve(name)).href);
}

/**
 * Starts a server on a free port, as `serve` of support/app.js does, with the installed package.
 *
 * @param {TestContext} t
 * @param {object} [setup]
 * @param {object} [setup.transport] one of TRANSPORTS: what the clients use
 * @param {object} [setup.options] options of the Socket.IO server
 * @param {Function} [setup.handler] the http server's request listener, such as an Express app
 * @param {Function} [setup.prepare] gets `io` before the server listens
 * @param {Function} [setup.Server] another class than that of the installed package
 */
async function serve(t, { transport, options, handler, prepare, Server } = {}) {
  const httpServer = http.createServer(handler);
  const io = new (Server ?? load("socket.io").Server)(httpServer, options);
  const app = new App(io, transport, options);
  closeAtEnd(t, io, app);
  await prepare?.(io);
  await listen(httpServer);
  return app;
}

module.exports = { load, loadModule, serve, tree };
