"use strict";

// The client under the path that applications know it by.

const { Client } = require("../lib/client");

module.exports = { Client };
