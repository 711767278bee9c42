"use strict";

// Entry of the package for CommonJS.

module.exports = require("./dist/index");
