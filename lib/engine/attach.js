"use strict";

// Hooks the engine into an http server, beside whatever else the server does.

const debug = require("debug")("engine");
const { acceptorOf, bringConnections, claimPath, kOwn } = require("./acceptor");
const { NodeAcceptor } = require("./accepted");
const { isUnseen, markAsOurs, noteListeners } = require("./policy");
const { mustBe } = require("../must-be");

/**
 * @param {import("./server").Server} engine
 * @param {import("http").Server} httpServer
 * @param {object} options `path`, `addTrailingSlash`, `destroyUpgrade`, `destroyUpgradeTimeout`,
 *   `acceptor`
 * @param {object} pristine the methods of the engine's class, to tell whether some were replaced
 */
function attach(engine, httpServer, options, pristine) {
  const acceptor = acceptorOf(options.acceptor, Object.hasOwn(httpServer, kOwn));
  const isNative = acceptor === "native";
  const { proxyProtocol: isProxied = false } = options;
  if (typeof isProxied !== "boolean") {
    throw new TypeError(mustBe('the option "proxyProtocol"', "true or false", isProxied));
  }
  if (isProxied && !isNative) {
    throw new TypeError(
      'the option "proxyProtocol" is for the native listener: acceptor: "native"',
    );
  }
  const path = engine._computePath(options);
  const destroyTimeout = options.destroyUpgradeTimeout || 1000;
  const concerns = (req) => req.url.startsWith(path);

  // Requests of the engine must not reach the application, all others must, unchanged.
  const others = httpServer.listeners("request").slice();
  httpServer.removeAllListeners("request");
  httpServer.on("close", () => engine.close());
  httpServer.on("listening", () => engine.init());
  const onRequest = (req, res) => {
    if (concerns(req)) {
      debug('intercepting request for path "%s"', path);
      engine.handleRequest(req, res);
      return;
    }
    for (const listener of others) {
      listener.call(httpServer, req, res);
    }
  };
  httpServer.on("request", markAsOurs(onRequest));
  if (engine.opts.transports.includes("websocket")) {
    const itself = new NodeAcceptor(httpServer);
    const onUpgrade = (req, socket, head) => {
      if (concerns(req)) {
        if (isUnseen(engine, pristine, httpServer, req, socket)) {
          engine.unseen.set(req, itself);
        }
        engine.handleUpgrade(req, socket, head);
      } else if (options.destroyUpgrade !== false) {
        // Another listener may want it. If none has answered after a while, nobody does. Until then nobody
        // else may be there to hear that the client has gone.
        socket.on("error", (err) => debug("an upgrade that is not ours: %s", err.message));
        setTimeout(() => {
          if (socket.writable && socket.bytesWritten <= 0) {
            socket.end();
          }
        }, destroyTimeout);
      }
    };
    httpServer.on("upgrade", markAsOurs(onUpgrade));
    noteListeners(httpServer);
  }
  claimPath(httpServer, engine, path);
  if (acceptor !== "node") {
    const isAsked = options.acceptor === "native";
    bringConnections(engine, httpServer, path, pristine, { isNative, isAsked, isProxied });
  }
}

module.exports = { attach };
