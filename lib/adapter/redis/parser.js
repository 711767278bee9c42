"use strict";

// Which parser the core's own reading of messages agrees with.

const notepack = require("notepack.io");

const { decode } = notepack;

/** True for the parser that servers of a cluster use unless they are told otherwise. */
function isDefaultParser(parser) {
  return parser.decode === decode;
}

module.exports = { isDefaultParser };
