"use strict";

// redis-server for the adapter tests: `node scripts/ensure-redis.js` prints its path, installing
// Debian's package when there is none. REDIS_SERVER_PATH chooses another one.

const { ensureProgram, findProgram, printProgram } = require("./ensure-program");

const REDIS = {
  title: "Redis",
  debianPackage: "redis-server",
  variable: "REDIS_SERVER_PATH",
  names: ["redis-server"],
  places: ["/usr/bin/redis-server", "/opt/homebrew/bin/redis-server"],
};

/** @returns {string | undefined} the path of a redis-server that is there already */
function findRedis() {
  return findProgram(REDIS);
}

/** @returns {string} the path of a redis-server, installed if need be */
function ensureRedis() {
  return ensureProgram(REDIS);
}

module.exports = { ensureRedis, findRedis };

if (require.main === module) {
  printProgram(ensureRedis);
}
