"use strict";

// The words for a value that is not what it has to be.

/** Characters of a string that are shown. */
const LONGEST = 40;

/**
 * @param {string} what the name of the value, as in `the option "port"`
 * @param {string} expected
 * @param {unknown} value not where it may be a secret
 * @returns {string} the message of an error
 */
function mustBe(what, expected, value) {
  return `${what} must be ${expected}, not ${show(value)}`;
}

function show(value) {
  if (typeof value === "string") {
    return JSON.stringify(value.length > LONGEST ? `${value.slice(0, LONGEST)}...` : value);
  }
  if (typeof value === "function") {
    return "a function";
  }
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? "an array" : "an object";
  }
  return String(value);
}

module.exports = { mustBe };
