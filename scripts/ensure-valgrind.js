"use strict";

// valgrind for counting instructions: `node scripts/ensure-valgrind.js` prints its path, installing
// Debian's package when there is none. VALGRIND_PATH chooses another one.

const { ensureProgram, printProgram } = require("./ensure-program");

const VALGRIND = {
  title: "valgrind",
  debianPackage: "valgrind",
  variable: "VALGRIND_PATH",
  names: ["valgrind"],
  places: ["/usr/bin/valgrind"],
};

/** @returns {string} the path of a valgrind, installed if need be */
function ensureValgrind() {
  return ensureProgram(VALGRIND);
}

module.exports = { ensureValgrind };

if (require.main === module) {
  printProgram(ensureValgrind);
}
