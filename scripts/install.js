"use strict";

// npm runs this when the package is installed. Where a prebuilt binary fits there is
// nothing to do. Elsewhere it builds one from the sources in the package, or says
// clearly what is missing.

const fs = require("fs");
const path = require("path");
const { advice, locate } = require("../lib/locate");
const { build, hasCargo } = require("./build");

function install() {
  if (fs.existsSync(path.join(__dirname, "..", "__test__"))) {
    // A checkout: `npm run build` is a step of its own there.
    return;
  }
  const { triple, file, lookedFor } = locate();
  if (file !== undefined) {
    return;
  }
  console.log(`ferrio: no prebuilt binary for ${triple}; looked for ${lookedFor.join(" and ")}.`);
  if (!hasCargo()) {
    console.error(`ferrio: and no Rust to build one with. ${advice(triple)}`);
    process.exit(1);
  }
  build();
  // What building leaves behind is a hundred times the size of the addon.
  fs.rmSync(path.join(__dirname, "..", "target"), { recursive: true, force: true });
}

install();
