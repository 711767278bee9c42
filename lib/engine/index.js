"use strict";

// The engine: connections, transports, handshakes. The same names as the `engine.io`
// package has, and no logic besides making a server.

const http = require("http");
const { createEngine, engineIo } = require("./foreign");
const { Server } = require("./server");
const { Socket } = require("./socket");
const { Transport } = require("./transport");
const { polling } = require("./polling");
const { WebSocket } = require("./websocket");

/** Makes an http server that serves nothing but WebSockets, and listens. */
function listen(port, options, callback) {
  if (typeof options === "function") {
    callback = options;
    options = {};
  }
  const httpServer = http.createServer((req, res) => {
    res.writeHead(501);
    res.end("Not Implemented");
  });
  const engine = attach(httpServer, options);
  engine.httpServer = httpServer;
  httpServer.listen(port, callback);
  return engine;
}

/** Makes an engine for an http server. */
function attach(httpServer, options) {
  const engine = createEngine(Server, options);
  engine.attach(httpServer, options);
  return engine;
}

module.exports = {
  Server,
  Socket,
  Transport,
  transports: {
    polling,
    websocket: WebSocket,
    get webtransport() {
      return engineIo().transports.webtransport;
    },
  },
  get parser() {
    return engineIo().parser;
  },
  get uServer() {
    return engineIo().uServer;
  },
  listen,
  attach,
  protocol: 4,
};
