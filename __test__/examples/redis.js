"use strict";

// A real Redis server for one test: on a free port, keeping nothing, gone at the end.

const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { once } = require("node:events");
const { spawn } = require("node:child_process");
const { findRedis } = require("../../scripts/ensure-redis");
const { withDeadline } = require("../support/events");

const TRIES = 5;

/** Starts a Redis server and resolves with its URL. */
async function startRedis(t, settings) {
  return (await startRedisProcess(t, settings)).url;
}

/**
 * The same, with the process itself: `stop()` kills it, `restart()` starts it on its port again.
 * @param {TestContext} t
 * @param {string[]|((port: number) => string[])} [settings] more arguments of redis-server
 */
function startRedisProcess(t, settings = []) {
  return start(t, (port, folder) => [
    ...["--port", port, "--bind", "127.0.0.1", "--dir", folder],
    ...["--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", ""],
    ...(typeof settings === "function" ? settings(port) : settings),
  ]);
}

/** A Sentinel with lines of configuration, as the process that `startRedisProcess()` resolves with. */
function startSentinel(t, lines) {
  return start(t, (port, folder) => {
    // It keeps in there what it learns.
    const file = path.join(folder, "sentinel.conf");
    fs.writeFileSync(file, [`port ${port}`, `dir ${folder}`, ...lines, ""].join("\n"));
    return [file, "--sentinel", "--bind", "127.0.0.1"];
  });
}

async function start(t, argumentsFor) {
  const program = findRedis();
  if (!program) {
    throw new Error("redis-server was not found: run node scripts/ensure-redis.js");
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "redis-"));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  // Somebody else may take the port between our look and Redis's bind: then try another one.
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const redis = new RedisProcess(program, port, argumentsFor(port, folder));
    t.after(() => redis.stop());
    if (await redis.ready()) {
      return redis;
    }
    if (attempt === TRIES) {
      throw new Error(`redis-server does not start: ${redis.output}`);
    }
  }
}

class RedisProcess {
  constructor(program, port, args) {
    this.program = program;
    this.port = port;
    this.args = args.map(String);
    this._start();
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  _start() {
    this.output = "";
    this.child = spawn(this.program, this.args, { stdio: ["ignore", "pipe", "pipe"] });
    this._exit = new Promise((resolve) => this.child.on("close", resolve));
    this._ready = new Promise((resolve) => {
      for (const stream of [this.child.stdout, this.child.stderr]) {
        stream.setEncoding("utf8");
        stream.on("data", (chunk) => {
          this.output += chunk;
          if (/Ready to accept connections|Sentinel ID is/.test(this.output)) {
            resolve(true);
          }
        });
      }
    });
  }

  /** Resolves with true when it accepts connections, with false when it has ended instead. */
  ready() {
    const ended = this._exit.then(() => false);
    const describe = () => `redis-server is not ready: ${this.output}`;
    return withDeadline(Promise.race([this._ready, ended]), describe);
  }

  async restart() {
    this._start();
    if (!(await this.ready())) {
      throw new Error(`redis-server does not start again: ${this.output}`);
    }
  }

  async stop() {
    this.child.kill("SIGKILL");
    await this._exit;
  }
}

module.exports = { startRedis, startRedisProcess, startSentinel };

async function freePort() {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
