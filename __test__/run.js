"use strict";

// Runs the Node tests: `node __test__/run.js [folder...]`, all folders with tests by default.
// Environment variables are passed on; the exit code is that of the test runner.

const fs = require("node:fs");
const path = require("node:path");
const { execFileSync, spawn } = require("node:child_process");
const { isInstalled, placePackage, treeOf } = require("../scripts/ensure-ecosystem");

const FOLDERS = [
  "api",
  "protocol",
  "unit",
  "faults",
  "ecosystem",
  "docs",
  "examples",
  "browser",
  "package",
];
const CONCURRENCY = 2;
/** A file takes seconds, a minute or two where it compiles; one that hangs is ended after this long. */
const FILE_LIMIT = 12 * 60_000;
/** For versions of Node that have no --test-timeout, and if the runner itself hangs. */
const RUN_LIMIT = 40 * 60_000;

const present = FOLDERS.filter((folder) => fs.existsSync(path.join(__dirname, folder)));
const files = process.argv.slice(2).length > 0 ? process.argv.slice(2) : present;
const tests = files.flatMap(testFiles);
if (tests.some((file) => path.basename(path.dirname(file)) === "ecosystem")) {
  setUpEcosystem(process.env.FERRIO_TEST_TARGET === "socket.io");
}
run(tests);

function run(tests) {
  if (tests.length === 0) {
    console.error("run.js: no test files found");
    process.exit(1);
  }
  // Of the reporters this one names what failed at the end, below thousands that passed.
  const args = ["--test", "--test-reporter=spec", ...supported("--test-concurrency", CONCURRENCY)];
  args.push(...supported("--test-timeout", FILE_LIMIT), ...tests);
  const runner = spawn(process.execPath, args, { stdio: "inherit" });
  const limit = setTimeout(() => {
    console.error(`run.js: the tests have not ended after ${RUN_LIMIT / 60_000} minutes`);
    runner.kill();
    process.exitCode = 1;
  }, RUN_LIMIT);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => runner.kill(signal));
  }
  runner.on("error", (error) => {
    console.error(`run.js: ${error.message}`);
    process.exit(1);
  });
  runner.on("exit", (code) => {
    clearTimeout(limit);
    process.exitCode = code || process.exitCode || (code === null ? 1 : 0);
  });
}

/** The test files of a folder below __test__, or the one file that is named. */
function testFiles(name) {
  const inside = path.join(__dirname, name);
  const found = fs.existsSync(inside) ? inside : path.resolve(name);
  if (!fs.existsSync(found)) {
    console.error(`run.js: there is no ${name}`);
    process.exit(1);
  }
  if (fs.statSync(found).isFile()) {
    return [found];
  }
  return fs
    .readdirSync(found)
    .filter((file) => file.endsWith(".test.js"))
    .sort()
    .map((file) => path.join(found, file));
}

/** The packages of the ecosystem tests must be there; the server among them is today's. */
function setUpEcosystem(isReference) {
  if (!isInstalled(treeOf(isReference))) {
    const variable = isReference ? "FERRIO_TEST_TARGET=socket.io " : "";
    console.error(
      "run.js: the packages of the ecosystem tests are not installed: run " +
        `${variable}node scripts/ensure-ecosystem.js`,
    );
    process.exit(1);
  }
  if (!isReference) {
    placePackage();
  }
}

/** The option if this version of Node knows it. */
function supported(option, value) {
  return nodeHelp().includes(`${option}=`) ? [`${option}=${value}`] : [];
}

function nodeHelp() {
  return execFileSync(process.execPath, ["--help"], { encoding: "utf8" });
}
