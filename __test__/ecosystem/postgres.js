"use strict";

// A real PostgreSQL server for one test.

const fs = require("node:fs");
const path = require("node:path");
const { spawnSync } = require("node:child_process");
const { findPostgres } = require("../../scripts/ensure-postgres");
const { atEnd } = require("../support/cleanup");
const { startProgram } = require("../support/program");
const { load } = require("./installed");

/** PostgreSQL refuses to run as root. */
const NOBODY = 65_534;
const USER = "ferrio";
const SETTINGS = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];

/**
 * Starts a server, which outlives the test's servers and pools, and resolves with its process and
 * `pool()`, which makes pools of connections to it.
 */
async function startPostgres(t) {
  const program = findPostgres();
  if (!program) {
    throw new Error("PostgreSQL was not found: run node scripts/ensure-postgres.js");
  }
  const pools = [];
  atEnd(t, () => {});
  t.after(() => Promise.all(pools.map((pool) => pool.end())));
  const postgres = await startProgram(t, {
    title: "postgres",
    program,
    argumentsFor: (port, folder) => [
      ...["-D", path.join(folder, "data"), "-p", port],
      ...SETTINGS.flatMap((setting) => ["-c", setting]),
    ],
    ready: /ready to accept connections/,
    prepare: (folder) => initialize(program, folder),
    // Its immediate shutdown, which takes its own processes with it.
    signal: "SIGQUIT",
  });
  postgres.pool = () => {
    // One connection listens; with a single one for the rest, what is published keeps its order.
    const address = { host: "127.0.0.1", port: postgres.port, user: USER, database: "postgres" };
    const pool = new (load("pg").Pool)({ ...address, max: 2 });
    pool.on("error", () => {});
    pools.push(pool);
    return pool;
  };
  return postgres;
}

module.exports = { startPostgres };

function initialize(postgres, folder) {
  const options = { cwd: folder };
  if (process.getuid?.() === 0) {
    fs.chownSync(folder, NOBODY, NOBODY);
    Object.assign(options, { uid: NOBODY, gid: NOBODY });
  }
  const initdb = path.join(path.dirname(fs.realpathSync(postgres)), "initdb");
  const args = ["-D", path.join(folder, "data"), "-U", USER, "-A", "trust"];
  const fast = ["--no-sync", "--encoding=UTF8", "--locale=C"];
  const done = spawnSync(initdb, [...args, ...fast], { ...options, encoding: "utf8" });
  if (done.status !== 0) {
    throw done.error ?? new Error(`initdb failed: ${done.stderr}`);
  }
  return options;
}
