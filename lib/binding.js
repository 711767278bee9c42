"use strict";

// Loads the native addon for this machine, or says clearly why it cannot. There is no
// fallback in JavaScript: a server that is silently slower would be worse than an error.

const { advice, locate } = require("./locate");

/** @returns {any} the addon: its classes are described in src/binding */
function load() {
  const { triple, file, lookedFor } = locate();
  if (file === undefined) {
    throw failure(
      "ERR_FERRIO_NO_BINARY",
      `ferrio has no native binary for ${triple}. Looked for ${lookedFor.join(" and ")}. ` +
        advice(triple),
    );
  }
  try {
    return require(file);
  } catch (cause) {
    throw failure(
      "ERR_FERRIO_LOAD_FAILED",
      `ferrio found ${file} but could not load it: ${cause.message}. ${remedy(cause, triple)}`,
      cause,
    );
  }
}

function failure(code, message, cause) {
  return Object.assign(new Error(message, { cause }), { code });
}

function remedy(cause, triple) {
  if (cause.code === "ERR_DLOPEN_DISABLED") {
    return "Node was told not to load addons: leave out --no-addons, or give --allow-addons.";
  }
  if (/GLIBC_|version `/.test(cause.message)) {
    return `The C library of this system is older than the binary needs. ${advice("")}`;
  }
  return `Was node_modules copied from another machine? ${advice(triple)}`;
}

const { Core, acceptKey } = load();

module.exports = { Core, acceptKey };
