"use strict";

// The broadcast operator under the path that instrumentation hooks know it by.

const { BroadcastOperator, RemoteSocket } = require("../lib/broadcast-operator");

module.exports = { BroadcastOperator, RemoteSocket };
