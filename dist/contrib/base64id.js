"use strict";

// What makes the ids of sockets, under the path that applications know it by.

const { base64id } = require("../../lib/base64id");

module.exports = { base64id };
