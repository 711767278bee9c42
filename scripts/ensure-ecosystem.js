"use strict";

// The packages that the tests of __test__/ecosystem put beside the server, in a folder of their
// own: `node scripts/ensure-ecosystem.js` installs them. The server is there under the name
// `socket.io`, as real files, just as `npm install socket.io@npm:ferrio` lays it out; a second
// folder holds the same packages with stock socket.io (FERRIO_TEST_TARGET=socket.io).

const fs = require("node:fs");
const path = require("node:path");
const { spawnSync } = require("node:child_process");
const { locate } = require("../lib/locate");

const root = path.join(__dirname, "..");
const home = path.join(root, "__test__", "ecosystem");

/** A copy of the package-lock.json that was installed. */
const MARK = path.join("node_modules", ".installed-lock.json");

/**
 * The folder whose node_modules the tests load packages from.
 * @param {boolean} isReference
 * @returns {string}
 */
function treeOf(isReference) {
  return isReference ? path.join(home, "stock") : home;
}

/**
 * Installs the packages that package-lock.json names, unless they are there.
 * @param {boolean} [isReference] with stock socket.io instead of this package
 */
function ensureEcosystem(isReference = false) {
  const tree = treeOf(isReference);
  if (isReference) {
    fs.mkdirSync(tree, { recursive: true });
    for (const file of ["package.json", "package-lock.json"]) {
      refresh(path.join(home, file), path.join(tree, file));
    }
  }
  if (!isInstalled(tree)) {
    const { status, error } = spawnSync(
      "npm",
      ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
      { cwd: tree, stdio: "inherit", shell: process.platform === "win32" },
    );
    if (status !== 0) {
      throw error ?? new Error(`npm ci failed in ${tree}`);
    }
    fs.copyFileSync(path.join(tree, "package-lock.json"), path.join(tree, MARK));
  }
  if (!isReference) {
    placePackage();
  }
}

/**
 * Whether the packages are there, and are those of package-lock.json.
 * @param {string} tree
 * @returns {boolean}
 */
function isInstalled(tree) {
  const installed = path.join(tree, MARK);
  const lock = path.join(tree, "package-lock.json");
  return fs.existsSync(installed) && fs.readFileSync(installed).equals(fs.readFileSync(lock));
}

/**
 * Puts this package in the place of socket.io, whose dependencies stay; only files that changed
 * are written.
 */
function placePackage() {
  const place = path.join(home, "node_modules", "socket.io");
  const { files } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
  const addon = locate().file;
  if (addon === undefined) {
    throw new Error("the addon is not built: run node scripts/build.js");
  }
  const wanted = new Set(["package.json", ...files.flatMap((file) => filesIn(root, file))]);
  for (const file of wanted) {
    refresh(path.join(root, file), path.join(place, file));
  }
  wanted.add(path.basename(addon));
  refresh(addon, path.join(place, path.basename(addon)));
  for (const file of filesIn(place, ".")) {
    if (!wanted.has(file) && !file.endsWith(TEMPORARY)) {
      fs.rmSync(path.join(place, file), { force: true });
    }
  }
}

module.exports = { ensureEcosystem, isInstalled, placePackage, treeOf };

/** Ends the name of a file that is being written. */
const TEMPORARY = ".part";

/** Paths of all files at or below `name`, seen from `base`. */
function filesIn(base, name) {
  const full = path.join(base, name);
  if (!fs.existsSync(full)) {
    return [];
  }
  if (!fs.statSync(full).isDirectory()) {
    return [path.normalize(name)];
  }
  const entries = fs.readdirSync(full).filter((entry) => entry !== "node_modules");
  return entries.flatMap((entry) => filesIn(base, path.join(name, entry)));
}

/** Copies a file that differs. It takes its place at once: another run may have it open. */
function refresh(from, to) {
  const { mtimeMs, mtime, size } = fs.statSync(from);
  const present = fs.statSync(to, { throwIfNoEntry: false });
  if (present && present.size === size && Math.abs(present.mtimeMs - mtimeMs) < 1) {
    return;
  }
  fs.mkdirSync(path.dirname(to), { recursive: true });
  const part = `${to}.${process.pid}${TEMPORARY}`;
  fs.copyFileSync(from, part);
  fs.utimesSync(part, mtime, mtime);
  fs.renameSync(part, to);
}

if (require.main === module) {
  try {
    ensureEcosystem(process.env.FERRIO_TEST_TARGET === "socket.io");
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
