"use strict";

// The event names that a socket keeps to itself, under the path that applications know.

const { RESERVED_EVENTS } = require("../lib/events");

module.exports = { RESERVED_EVENTS };
