"use strict";

// `process.nextTick()` and `setImmediate()` as they were when this was loaded. What serves everybody must
// not end with a tick that gets lost because a test has faked them meanwhile, as Jest's fake timers do.

const { nextTick } = process;
const { setImmediate } = require("timers");

module.exports = { nextTick, setImmediate };
