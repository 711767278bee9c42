"use strict";

// Where the native addon for this machine is: beside a checkout's package.json, or in
// the platform package that npm installs along.

const fs = require("fs");
const path = require("path");
const { PUBLISHED, triple } = require("./triple");

/**
 * @typedef {object} Location
 * @property {string} triple the platform's name
 * @property {string | undefined} file the addon; undefined if there is none
 * @property {string[]} lookedFor what was tried, in order
 */

/**
 * Finds the addon without loading it.
 * @param {string} [name] the platform's name
 * @returns {Location}
 */
function locate(name = triple()) {
  const local = path.join(__dirname, "..", `ferrio.${name}.node`);
  const packaged = `@ferrio/${name}`;
  const lookedFor = [local, `the package ${packaged}`];
  if (fs.existsSync(local)) {
    return { triple: name, file: local, lookedFor };
  }
  try {
    return { triple: name, file: require.resolve(packaged), lookedFor };
  } catch {
    return { triple: name, file: undefined, lookedFor };
  }
}

/**
 * What to do on a machine without an addon.
 * @param {string} name the platform's name
 * @returns {string}
 */
function advice(name) {
  const source =
    "build it from source: install Rust 1.88 or newer (https://rustup.rs) and a C compiler, " +
    "then run `npx ferrio build`";
  return PUBLISHED.includes(name)
    ? `Install again without --omit=optional (or --no-optional), or ${source}.`
    : `There is no prebuilt binary for this platform; ${source}.`;
}

module.exports = { advice, locate };
