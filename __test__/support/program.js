"use strict";

// A server program such as Redis for one test: on a free port, with a folder of its own, gone at
// the end.

const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { once } = require("node:events");
const { spawn } = require("node:child_process");
const { withDeadline } = require("./events");

const TRIES = 5;

/**
 * Starts a program and resolves when it serves.
 *
 * @param {TestContext} t
 * @param {object} about
 * @param {string} about.title what messages call it
 * @param {string} about.program its path
 * @param {(port: number, folder: string) => (string | number)[]} about.argumentsFor
 * @param {RegExp} about.ready what its output says when it serves
 * @param {(folder: string) => object} [about.prepare] makes the folder ready once, and gives options of `spawn()`
 * @param {NodeJS.Signals} [about.signal] how it is told to end, SIGKILL by default
 * @returns {Promise<Program>}
 */
async function startProgram(t, { title, program, argumentsFor, ready, prepare, signal }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "program-"));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const options = prepare?.(folder);
  // Somebody else may take the port between our look and the program's bind: then try another one.
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const args = argumentsFor(port, folder).map(String);
    const started = new Program({ title, program, port, args, ready, options, signal });
    t.after(() => started.stop());
    if (await started.ready()) {
      return started;
    }
    if (attempt === TRIES) {
      throw new Error(`${title} does not start: ${started.output}`);
    }
  }
}

/** A running program: `stop()` ends it, `restart()` starts it on its port again. */
class Program {
  constructor(about) {
    this._about = about;
    this.port = about.port;
    this._start();
  }

  _start() {
    const { program, args, ready, options } = this._about;
    this.output = "";
    this.child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    this._exit = new Promise((resolve) => this.child.on("close", resolve));
    this._ready = new Promise((resolve) => {
      for (const stream of [this.child.stdout, this.child.stderr]) {
        stream.setEncoding("utf8");
        stream.on("data", (chunk) => {
          this.output += chunk;
          if (ready.test(this.output)) {
            resolve(true);
          }
        });
      }
    });
  }

  /** Resolves with true when it serves, with false when it has ended instead. */
  ready() {
    const ended = this._exit.then(() => false);
    const describe = () => `${this._about.title} is not ready: ${this.output}`;
    return withDeadline(Promise.race([this._ready, ended]), describe);
  }

  async restart() {
    this._start();
    if (!(await this.ready())) {
      throw new Error(`${this._about.title} does not start again: ${this.output}`);
    }
  }

  async stop() {
    this.child.kill(this._about.signal ?? "SIGKILL");
    await withDeadline(this._exit, () => `${this._about.title} does not end`);
  }
}

/** A port of the loopback interface that nobody listens on now. */
async function freePort() {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

module.exports = { freePort, startProgram };
