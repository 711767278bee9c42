"use strict";

// The socket under the path that instrumentation hooks know it by.

const { Socket } = require("../lib/socket");

module.exports = { Socket };
