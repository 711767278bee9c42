"use strict";

// A real Redis server for one test, which keeps nothing.

const fs = require("node:fs");
const path = require("node:path");
const { findRedis } = require("../../scripts/ensure-redis");
const { startProgram } = require("../support/program");

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
  const ready = /Ready to accept connections|Sentinel ID is/;
  const redis = await startProgram(t, { title: "redis-server", program, argumentsFor, ready });
  redis.url = `redis://127.0.0.1:${redis.port}`;
  return redis;
}

module.exports = { startRedis, startRedisProcess, startSentinel };
