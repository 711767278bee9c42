"use strict";

// The bridge to uWebSockets.js, which this package does not have, under its usual path.

const { patchAdapter, restoreAdapter, serveFile } = require("../lib/uws");

module.exports = { patchAdapter, restoreAdapter, serveFile };
