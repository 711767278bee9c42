"use strict";

// Entry of the package for CommonJS: names only. The export is callable, and an
// arrow function, because applications both call it and read classes from it.

const { Server } = require("./lib/server");
const { Namespace } = require("./lib/namespace");
const { Socket } = require("./lib/socket");

module.exports = (srv, opts) => new Server(srv, opts);
module.exports.Server = Server;
module.exports.Namespace = Namespace;
module.exports.Socket = Socket;
