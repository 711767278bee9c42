"use strict";

// A PostgreSQL server for the adapter tests: `node scripts/ensure-postgres.js` prints the path of its
// `postgres`, installing Debian's package when there is none. POSTGRES_PATH chooses another one,
// which has `initdb` beside it.

const fs = require("node:fs");
const path = require("node:path");
const { ensureProgram, findProgram, printProgram } = require("./ensure-program");

/** Debian gives each version's programs a folder of their own, off PATH. */
const DEBIAN = "/usr/lib/postgresql";

const POSTGRES = {
  title: "PostgreSQL",
  debianPackage: "postgresql",
  variable: "POSTGRES_PATH",
  names: ["postgres"],
  // The folders are there only once the package is.
  get places() {
    const versions = fs.existsSync(DEBIAN) ? fs.readdirSync(DEBIAN) : [];
    const programs = versions.map((version) => path.join(DEBIAN, version, "bin", "postgres"));
    return [...programs, "/opt/homebrew/bin/postgres"];
  },
};

/** @returns {string | undefined} the path of a `postgres` that is there already */
function findPostgres() {
  return findProgram(POSTGRES);
}

/** @returns {string} the path of a `postgres`, installed if need be */
function ensurePostgres() {
  return ensureProgram(POSTGRES);
}

module.exports = { ensurePostgres, findPostgres };

if (require.main === module) {
  printProgram(ensurePostgres);
}
