"use strict";

// Loads the native addon for this machine. No logic besides finding it and saying
// clearly what is wrong when it cannot be found or loaded.

const fs = require("fs");
const path = require("path");
const { triple } = require("./triple");

function load() {
  const name = triple();
  const local = path.join(__dirname, "..", `ferrio.${name}.node`);
  const packaged = `@ferrio/${name}`;
  if (fs.existsSync(local)) {
    return require(local);
  }
  try {
    return require(packaged);
  } catch (cause) {
    throw new Error(
      `ferrio has no native binary for ${name}: neither ${local} nor the package ${packaged} ` +
        "could be loaded. Reinstall without omitting optional dependencies, or build it with " +
        "`npm run build` (needs Rust).",
      { cause },
    );
  }
}

module.exports = load();
