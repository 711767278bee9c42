"use strict";

// Runs an example in a process of its own and connects real clients to it.

const net = require("node:net");
const path = require("node:path");
const { spawn } = require("node:child_process");
const { io: connectTo } = require("socket.io-client");
const { connected } = require("../support/app");
const { withDeadline } = require("../support/events");

const EXAMPLES = path.join(__dirname, "../../examples");
const HOOK = path.join(__dirname, "target-hook.js");

/**
 * Starts `examples/<name>.js`; it and its clients end with the test.
 * Servers are awaited with `listening()`.
 *
 * @param {TestContext} t
 * @param {string} name
 * @param {Record<string, string>} [env] additional environment variables
 */
function startExample(t, name, env = {}) {
  const example = new Example(name, env);
  t.after(() => example.stop());
  return example;
}

/** Starts an example that is a server and resolves when it listens. */
async function serveExample(t, name, env) {
  const example = startExample(t, name, env);
  await example.listening();
  return example;
}

/** A running example: its output, its exit, and clients of its server. */
class Example {
  constructor(name, env) {
    this.output = "";
    this.port = undefined;
    this.clients = [];
    this._looks = new Set();
    this.child = spawn(process.execPath, ["--require", HOOK, path.join(EXAMPLES, `${name}.js`)], {
      env: { ...process.env, PORT: "0", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (chunk) => {
        this.output += chunk;
        this._looks.forEach((look) => look());
      });
    }
    this._exit = new Promise((resolve) => {
      this.child.on("close", (code, signal) => resolve({ code, signal }));
    });
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves when the example has printed the address it listens on. */
  async listening() {
    const [, port] = await this.printed(/http:\/\/localhost:(\d+)/);
    this.port = Number(port);
  }

  /**
   * Resolves with the match once the output, stdout and stderr together, contains it.
   *
   * @param {string | RegExp} wanted
   */
  printed(wanted) {
    const pattern = typeof wanted === "string" ? literal(wanted) : wanted;
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        const match = this.output.match(pattern);
        if (match) {
          resolve(match);
        }
      };
      this._looks.add(look);
      look();
    });
    const ended = this._exit.then(({ code, signal }) => {
      throw new Error(`the example ended (${code ?? signal}) first: ${this.output}`);
    });
    const describe = () => `${pattern} was not printed: ${this.output}`;
    return withDeadline(Promise.race([found, ended]), describe).finally(() => {
      this._looks.delete(look);
    });
  }

  /** Resolves with `{ code, signal }` when the example has ended by itself. */
  exited() {
    return withDeadline(this._exit, () => `the example does not end: ${this.output}`);
  }

  /** Creates a client that is on its way; nothing is awaited. */
  open(namespace = "/", options = {}) {
    const client = connectTo(this.url + namespace, {
      forceNew: true,
      reconnection: false,
      transports: ["websocket"],
      ...options,
    });
    this.clients.push(client);
    return client;
  }

  /** Resolves with a client that is connected. */
  async connect(namespace, options) {
    const client = this.open(namespace, options);
    await connected(client);
    return client;
  }

  /** Ends the clients, then the process. */
  async stop() {
    this.clients.forEach((client) => client.disconnect());
    this.child.kill("SIGTERM");
    const late = setTimeout(() => this.child.kill("SIGKILL"), 5000);
    await this._exit;
    clearTimeout(late);
  }
}

/** Collects the arguments of every occurrence of an event; for events with one argument. */
function record(client, event) {
  const seen = [];
  client.on(event, (value) => seen.push(value));
  return seen;
}

/**
 * A free port for a server that is stopped and started again. It lies below those that systems
 * hand out by themselves, so that nobody gets it in the meantime.
 */
async function portToKeep() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const probe = net.createServer().listen(port);
    const free = await new Promise((resolve) => {
      probe.once("listening", () => resolve(true));
      probe.once("error", () => resolve(false));
    });
    if (free) {
      await new Promise((resolve) => probe.close(resolve));
      return port;
    }
  }
}

module.exports = { startExample, serveExample, record, portToKeep };

function literal(text) {
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
}
