"use strict";

// Builds the native addon for this machine and puts it where lib/binding.js looks:
// `npm run build`. Says plainly what is missing when Rust is.

const fs = require("fs");
const path = require("path");
const { spawnSync } = require("child_process");

const root = path.join(__dirname, "..");

/** File names of the library that cargo builds, by platform. */
const LIBRARY = { darwin: "libferrio.dylib", win32: "ferrio.dll" };

/** @returns {boolean} whether Rust's build tool can be run */
function hasCargo() {
  return !spawnSync("cargo", ["--version"]).error;
}

function build() {
  if (!hasCargo()) {
    console.error(
      "ferrio is built with Rust, and `cargo` was not found. " +
        "Install Rust 1.88 or newer (https://rustup.rs), then try again.",
    );
    process.exit(1);
  }
  console.log("building the native addon (the first time takes a few minutes) ...");
  const { status } = spawnSync("cargo", ["build", "--release", "--locked"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) {
    process.exit(status ?? 1);
  }
  const target = process.env.CARGO_TARGET_DIR || path.join(root, "target");
  const library = path.join(target, "release", LIBRARY[process.platform] || "libferrio.so");
  const addon = path.join(root, `ferrio.${require("../lib/triple").triple()}.node`);
  // Replaced, not overwritten: a process may have the old file mapped.
  fs.rmSync(addon, { force: true });
  fs.copyFileSync(library, addon);
  console.log(
    `built ${path.relative(root, addon)} (${Math.round(fs.statSync(addon).size / 1024)} KiB)`,
  );
}

module.exports = { build, hasCargo };

if (require.main === module) {
  build();
}
