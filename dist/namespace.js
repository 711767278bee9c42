"use strict";

// The namespace under the path that instrumentation hooks know it by.

const { SERVER_RESERVED_EVENTS } = require("../lib/events");
const { Namespace } = require("../lib/namespace");

module.exports = { Namespace, RESERVED_EVENTS: SERVER_RESERVED_EVENTS };
