"use strict";

// The base of the emitting classes, under the path that typed applications know it by.

const { StrictEventEmitter } = require("../lib/events");

module.exports = { StrictEventEmitter };
