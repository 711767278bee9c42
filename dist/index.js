"use strict";

// What `require()` of the package returns. The modules beside this one are loaded first: tools
// that instrument applications patch the classes when they see those files being loaded.

require("./typed-events");
require("./socket-types");
require("./client");
require("./parent-namespace");
require("./broadcast-operator");
const { Namespace } = require("./namespace");
const { Socket } = require("./socket");
const { Server } = require("../lib/server");

// Callable, and an arrow function: applications both call it and read classes from it.
module.exports = (srv, opts) => new Server(srv, opts);
module.exports.Server = Server;
module.exports.Namespace = Namespace;
module.exports.Socket = Socket;
