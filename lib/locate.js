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
  const lookedFor = [local, `the package @ferrio/${name}`];
  if (fs.existsSync(local)) {
    return { triple: name, file: local, lookedFor };
  }
  return { triple: name, file: packaged(name), lookedFor };
}

/**
 * The addon of a platform package. One literal for each, where a missing one may be caught: tools that collect
 * what an application needs take what is installed.
 * @param {string} name
 */
function packaged(name) {
  try {
    switch (name) {
      case "linux-x64-gnu":
        return require.resolve("@ferrio/linux-x64-gnu");
      case "linux-arm64-gnu":
        return require.resolve("@ferrio/linux-arm64-gnu");
      case "linux-x64-musl":
        return require.resolve("@ferrio/linux-x64-musl");
      case "linux-arm64-musl":
        return require.resolve("@ferrio/linux-arm64-musl");
      case "darwin-x64":
        return require.resolve("@ferrio/darwin-x64");
      case "darwin-arm64":
        return require.resolve("@ferrio/darwin-arm64");
      case "win32-x64-msvc":
        return require.resolve("@ferrio/win32-x64-msvc");
      case "win32-arm64-msvc":
        return require.resolve("@ferrio/win32-arm64-msvc");
    }
  } catch {
    // None was installed.
  }
  return undefined;
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
    ? `Install again without --omit=optional (or --no-optional), or ${source}. Where a tool has copied what an ` +
        `application needs, have it take the package @ferrio/${name} along.`
    : `There is no prebuilt binary for this platform; ${source}.`;
}

module.exports = { advice, locate };
