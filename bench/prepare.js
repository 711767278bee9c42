"use strict";

// Builds and installs what the chosen servers need, the first time. A peer that cannot be
// had here is left out with a word, since a benchmark of the others is worth having; what
// ferrio itself and the load generator need must be there.

const { spawnSync } = require("child_process");
const fs = require("fs");
const path = require("path");
const { buildEiows } = require("./peers/eiows");
const { servers } = require("./servers");

/**
 * @param {string[]} names the servers that were asked for
 * @returns {Promise<string[]>} those that can run
 */
async function prepare(names) {
  buildCrate("load");
  if (names.some((name) => servers[name].installed)) {
    install();
  }
  const failed = new Map();
  for (const name of names) {
    try {
      check(name);
    } catch (error) {
      failed.set(name, error);
      console.error(`${name} is left out: ${error.message}`);
    }
  }
  const ours = names.find((name) => servers[name].ours && failed.has(name));
  if (ours !== undefined) {
    throw failed.get(ours);
  }
  const ready = names.filter((name) => !failed.has(name));
  if (ready.length === 0) {
    throw new Error("no server is left to measure");
  }
  return ready;
}

module.exports = { prepare };

function check(name) {
  const { crate, ours } = servers[name];
  if (crate) {
    buildCrate(crate);
  }
  if (name === "eiows") {
    buildEiows();
  }
  if (ours) {
    run(process.execPath, ["-e", "require('./index.js')"], path.join(__dirname, ".."));
  }
}

function buildCrate(crate) {
  run("cargo", ["build", "--release", "--locked", "--quiet"], path.join(__dirname, crate));
}

/** Without install scripts: none of the peers needs one that may fetch things. */
function install() {
  const lock = path.join(__dirname, "package-lock.json");
  const installed = path.join(__dirname, "node_modules", ".package-lock.json");
  if (fs.existsSync(installed) && fs.statSync(installed).mtimeMs >= fs.statSync(lock).mtimeMs) {
    return;
  }
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], __dirname);
}

function run(command, args, cwd) {
  const { status, error, stderr } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  if (error || status !== 0) {
    const reason = error ? error.message : stderr.trim().split("\n").slice(-8).join("\n");
    throw new Error(`${command} ${args.join(" ")}: ${reason}`);
  }
}
