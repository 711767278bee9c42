"use strict";

// The words for a value that is not what it has to be.

const { inspect } = require("node:util");

/** A value may be long, or a secret that somebody has put in the wrong place. */
const SHOWN = { depth: 0, maxArrayLength: 5, maxStringLength: 40, breakLength: Infinity };

/**
 * @param {string} what the name of the value, as in `the option "port"`
 * @param {string} expected
 * @param {unknown} value
 * @returns {string} the message of an error
 */
function mustBe(what, expected, value) {
  return `${what} must be ${expected}, not ${show(value)}`;
}

function show(value) {
  try {
    const shown = inspect(value, SHOWN);
    // As it would be written among the options of the documentation.
    return typeof value === "string" ? shown.replace(/^'(.*)'/s, '"$1"') : shown;
  } catch {
    // Its own way to be shown has thrown.
    return typeof value;
  }
}

module.exports = { mustBe };
