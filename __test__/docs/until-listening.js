"use strict";

// Loaded before a program of the documentation: its servers get a free port, and the program
// ends well once one of them listens.

const net = require("node:net");

const { listen } = net.Server.prototype;

net.Server.prototype.listen = function (...args) {
  if (typeof args[0] === "number") {
    args[0] = 0;
  }
  this.once("listening", () => setImmediate(() => process.exit(0)));
  return listen.apply(this, args);
};
