"use strict";

// Applications as a user makes them: a folder of their own outside the repository, the
// packed tarballs installed into it, and no Rust on PATH.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const { spawn, spawnSync } = require("node:child_process");
const { io: connect } = require("socket.io-client");
const { pack } = require("../../scripts/pack");
const { next } = require("../support/events");

const APPS = path.join(__dirname, "apps");
/** Enough for a package manager that has to fetch what is not in its cache. */
const INSTALL_LIMIT = 240_000;
const QUIET = ["--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=5"];

let tarballs;

/** The tarballs of this checkout, packed once for all tests of a file. */
function packed() {
  if (tarballs === undefined) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ferrio-packed-"));
    process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
    tarballs = pack(folder);
  }
  const { main, platforms } = tarballs;
  const [platform] = Object.values(platforms);
  assert.ok(platform, "the addon of this machine has to be built first: npm run build");
  return { main, platform };
}

/**
 * A folder with a package.json and the files of one of apps/; gone when the test ends.
 * @returns {string} its path
 */
function freshApp(t, name, manifest = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ferrio-app-"));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  if (name !== undefined) {
    fs.cpSync(path.join(APPS, name), folder, { recursive: true });
  }
  const whole = { name: "fresh-app", version: "1.0.0", private: true, ...manifest };
  fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify(whole, null, 2));
  return folder;
}

/** The environment of somebody who has Node and nothing else. */
function withoutRust(extra = {}) {
  const env = { ...process.env, ...extra };
  const folders = [path.dirname(process.execPath), "/usr/bin", "/bin"];
  env.PATH = folders.filter((folder) => !hasCargo(folder)).join(path.delimiter);
  for (const name of Object.keys(env)) {
    if (/^(cargo|rust|npm_)/i.test(name)) {
      delete env[name];
    }
  }
  return env;
}

function hasCargo(folder) {
  return fs.existsSync(path.join(folder, "cargo"));
}

/** Runs a program to its end; fails with what it printed unless it exits as expected. */
function run(folder, command, args, { env = withoutRust(), status = 0 } = {}) {
  const result = spawnSync(command, args, {
    cwd: folder,
    env,
    encoding: "utf8",
    timeout: INSTALL_LIMIT,
  });
  const output = `${result.stdout}${result.stderr}`;
  const what = `${command} ${args.join(" ")}: ${result.error?.message ?? ""}\n${output}`;
  assert.equal(result.status, status, what);
  return output;
}

/** Installs packages with npm, without Rust on PATH. */
function npmInstall(folder, ...packages) {
  return run(folder, "npm", ["install", ...QUIET, ...packages]);
}

/** Starts a server that prints its port, connects real clients, and lets them talk. */
async function assertServes(t, folder, command, args, extra) {
  const child = spawn(command, args, {
    cwd: folder,
    env: withoutRust(extra),
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  let complaints = "";
  child.stderr.on("data", (chunk) => (complaints += chunk));
  const lines = readline.createInterface({ input: child.stdout });
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) =>
      reject(new Error(`the server ended with ${code}: ${complaints.slice(-2000)}`)),
    );
  });
  ended.catch(() => {});
  const [port] = await Promise.race([next(lines, "line"), ended]);
  const url = `http://127.0.0.1:${port}`;
  assert.equal(await (await fetch(url)).text(), "hello from express");
  const bundle = await fetch(`${url}/socket.io/socket.io.min.js`);
  assert.equal(bundle.status, 200);
  await bundle.arrayBuffer();
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    const client = connect(url, { transports, reconnection: false, forceNew: true });
    try {
      await Promise.race([next(client, "connect"), ended]);
      assert.equal(await client.timeout(10_000).emitWithAck("echo", "é✓"), "é✓");
      const data = await client.timeout(10_000).emitWithAck("binary", Buffer.from([1, 2, 3]));
      assert.deepEqual([...data], [3, 2, 1]);
    } finally {
      client.disconnect();
    }
  }
}

module.exports = { assertServes, freshApp, npmInstall, packed, run, withoutRust };
