"use strict";

// What every command on a fresh machine needs first: the npm packages and the addon.

const fs = require("fs");
const path = require("path");
const { spawnSync } = require("child_process");
const { root, step } = require("./run-step");

/** Installs what package-lock.json names, unless it is there, and builds the addon. */
function prepare() {
  if (spawnSync("cargo", ["--version"]).error) {
    console.error(
      "ferrio is built with Rust, and `cargo` was not found. " +
        "Install Rust 1.88 or newer (https://rustup.rs), then try again.",
    );
    process.exit(1);
  }
  const installed = path.join(root, "node_modules", ".package-lock.json");
  const lock = path.join(root, "package-lock.json");
  if (!fs.existsSync(installed) || fs.statSync(installed).mtimeMs < fs.statSync(lock).mtimeMs) {
    step("Install npm packages", "npm", ["ci", "--no-audit", "--no-fund"]);
  }
  step("Build the addon", "node", ["scripts/build.js"]);
}

module.exports = { prepare };
