"use strict";

// Entry `ferrio/metrics`.

module.exports = require("./lib/metrics");
