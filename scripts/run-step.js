"use strict";

// Runs the steps of a longer script one after the other, says what is going on, and
// stops at the first that fails.

const { spawnSync } = require("child_process");
const path = require("path");

const root = path.join(__dirname, "..");

/**
 * Runs a program in the project's root folder; ends this process if it fails.
 * @param {string} title what the step is for
 * @param {string} command
 * @param {string[]} args
 */
function step(title, command, args) {
  console.log(`\n=== ${title}`);
  const started = Date.now();
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error(`\n${title}: failed${error ? ` (${error.message})` : ""}`);
    process.exit(status || 1);
  }
  console.log(`=== ${title}: done in ${Math.round((Date.now() - started) / 1000)} s`);
}

module.exports = { root, step };
