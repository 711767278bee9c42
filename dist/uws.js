"use strict";

// The bridge to uWebSockets.js under its usual path. Broadcasts reach its clients like all others,
// so that adapters need no patching for it.

const fs = require("fs");

/** Does nothing: there is nothing to patch. */
function patchAdapter(_app) {}

/** Does nothing: nothing was patched. */
function restoreAdapter() {}

/** Answers with a file on a response of uWebSockets.js. */
function serveFile(res, filepath) {
  let aborted = false;
  res.onAborted(() => {
    aborted = true;
  });
  fs.readFile(filepath, (err, content) => {
    if (aborted) {
      return;
    }
    if (err) {
      res.writeStatus("404 Not Found");
    }
    res.end(err ? undefined : content);
  });
}

module.exports = { patchAdapter, restoreAdapter, serveFile };
