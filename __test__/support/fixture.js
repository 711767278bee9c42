"use strict";

// Runs a server of the fixtures/ folder in a process of its own, for tests about the
// life and death of a process. A fixture reports with one JSON value per line.

const path = require("node:path");
const readline = require("node:readline");
const { spawn } = require("node:child_process");
const { atEnd } = require("./cleanup");
const { withDeadline } = require("./events");

/** Starts `fixtures/<name>.js` with arguments; it is killed when the test ends. */
function startFixture(t, name, ...args) {
  return run(t, process.execPath, ["--expose-gc", fileOf(name), ...args]);
}

/** The same with so many descriptors at most. */
function startPoorFixture(t, descriptors, name, ...args) {
  const limited = `ulimit -n ${descriptors} && exec "$0" "$@"`;
  return run(t, "sh", ["-c", limited, process.execPath, fileOf(name), ...args]);
}

function fileOf(name) {
  return path.join(__dirname, "fixtures", `${name}.js`);
}

function run(t, command, args) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  const fixture = new Fixture(child);
  atEnd(t, () => child.kill("SIGKILL"));
  return fixture;
}

/** A running fixture: its reports, its error output and its exit. */
class Fixture {
  constructor(child) {
    this.child = child;
    this.stderr = "";
    this._reports = [];
    this._wanted = [];
    child.stderr.on("data", (chunk) => {
      this.stderr += chunk;
    });
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
      this._reports.push(JSON.parse(line));
      this._hand();
    });
    const exit = new Promise((resolve) => {
      child.on("close", (code, signal) => resolve({ code, signal }));
    });
    this._exit = exit;
  }

  /** Resolves with the next value that the fixture reported. */
  report() {
    const reported = new Promise((resolve) => this._wanted.push(resolve));
    this._hand();
    const ended = this._exit.then(({ code }) => {
      throw new Error(`the fixture ended with ${code} instead of reporting: ${this.stderr}`);
    });
    return withDeadline(Promise.race([reported, ended]), () => `no report: ${this.stderr}`);
  }

  /** Resolves with `{ code, signal }` when the process has ended by itself. */
  exited() {
    return withDeadline(this._exit, () => `the process does not exit: ${this.stderr}`);
  }

  _hand() {
    while (this._wanted.length > 0 && this._reports.length > 0) {
      this._wanted.shift()(this._reports.shift());
    }
  }
}

module.exports = { startFixture, startPoorFixture };
