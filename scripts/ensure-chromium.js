"use strict";

// Chromium for the browser tests: `node scripts/ensure-chromium.js` prints its path, installing
// Debian's package when there is none. CHROMIUM_PATH chooses another one.

const { ensureProgram, findProgram, printProgram } = require("./ensure-program");

const CHROMIUM = {
  title: "Chromium",
  debianPackage: "chromium",
  variable: "CHROMIUM_PATH",
  names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  places: ["/usr/bin/chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
};

/** @returns {string | undefined} the path of a Chromium that is there already */
function findChromium() {
  return findProgram(CHROMIUM);
}

/** @returns {string} the path of a Chromium, installed if need be */
function ensureChromium() {
  return ensureProgram(CHROMIUM);
}

module.exports = { ensureChromium, findChromium };

if (require.main === module) {
  printProgram(ensureChromium);
}
