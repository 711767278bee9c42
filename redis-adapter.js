"use strict";

// Entry `ferrio/redis-adapter`.

module.exports = require("./lib/adapter/redis");
