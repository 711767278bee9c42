"use strict";

// Finds a program on this machine, or installs the Debian package that holds it.
// Which programs the tests need is said in the ensure-*.js files beside this one.

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

/**
 * Looks for a program: the path in an environment variable first, then the names on PATH, then
 * the given places. Throws when the variable names a file that cannot be run, since silently
 * using another program would hide the mistake.
 *
 * @param {{ variable: string, names: string[], places?: string[] }} program
 * @returns {string | undefined} the absolute path
 */
function findProgram({ variable, names, places = [] }) {
  const chosen = process.env[variable];
  if (chosen) {
    if (!isExecutable(chosen)) {
      throw new Error(`${variable} is set to ${chosen}, which cannot be run`);
    }
    return path.resolve(chosen);
  }
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter(Boolean);
  const onPath = names.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return [...onPath, ...places].find(isExecutable);
}

/**
 * Finds the program, or installs it with apt-get where that can work without a question.
 *
 * @param {{ title: string, debianPackage: string, variable: string, names: string[],
 *   places?: string[] }} program
 * @returns {string} the absolute path
 */
function ensureProgram(program) {
  const found = findProgram(program);
  if (found) {
    return found;
  }
  const { title, debianPackage, variable } = program;
  const advice = `install ${title} yourself, or set ${variable} to its path`;
  const prefix = installPrefix();
  if (!prefix) {
    throw new Error(`${title} was not found and cannot be installed from here: ${advice}`);
  }
  progress(`${title} was not found: installing Debian's package "${debianPackage}"`);
  progress("apt-get update");
  // A repository that is out of reach does not matter as long as the package can be had.
  runApt(prefix, ["update"]);
  progress(`apt-get install ${debianPackage} (this can take a few minutes)`);
  const options = ["-o", "DPkg::Lock::Timeout=300", "-y", "--no-install-recommends"];
  const result = runApt(prefix, ["install", ...options, debianPackage]);
  const installed = result.status === 0 ? findProgram(program) : undefined;
  if (!installed) {
    throw new Error(`apt-get could not install "${debianPackage}": ${advice}`);
  }
  progress(`installed ${installed}`);
  return installed;
}

/**
 * The body of an ensure-*.js script that is run by hand: the path on stdout, or one clear line on
 * stderr and exit code 1.
 *
 * @param {() => string} ensure
 */
function printProgram(ensure) {
  try {
    console.log(ensure());
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

module.exports = { ensureProgram, findProgram, printProgram };

/** What to put before apt-get, or undefined where it is missing or would ask for a password. */
function installPrefix() {
  if (!findProgram({ variable: "", names: ["apt-get"], places: ["/usr/bin/apt-get"] })) {
    return undefined;
  }
  if (process.getuid?.() === 0) {
    return [];
  }
  const sudo = spawnSync("sudo", ["-n", "true"], { stdio: "ignore" });
  return sudo.status === 0 ? ["sudo", "-n"] : undefined;
}

function runApt(prefix, args) {
  const noQuestions = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", ...args];
  const [command, ...rest] = [...prefix, ...noQuestions];
  // stdout carries the program's path alone, so apt's own lines go to stderr, as they come.
  return spawnSync(command, rest, { stdio: ["ignore", 2, 2] });
}

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

function progress(line) {
  process.stderr.write(`[setup] ${line}\n`);
}
