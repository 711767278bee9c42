"use strict";

// nginx and HAProxy for the tests of servers behind them: `node scripts/ensure-proxies.js` prints
// their paths, installing Debian's packages when they are not there. NGINX_PATH and HAPROXY_PATH
// choose others.

const { ensureProgram, findProgram, printProgram } = require("./ensure-program");

const NGINX = {
  title: "nginx",
  debianPackage: "nginx",
  variable: "NGINX_PATH",
  names: ["nginx"],
  places: ["/usr/sbin/nginx", "/opt/homebrew/bin/nginx"],
};

const HAPROXY = {
  title: "HAProxy",
  debianPackage: "haproxy",
  variable: "HAPROXY_PATH",
  names: ["haproxy"],
  places: ["/usr/sbin/haproxy", "/opt/homebrew/sbin/haproxy"],
};

/** @returns {string | undefined} the path of an nginx that is there already */
function findNginx() {
  return findProgram(NGINX);
}

/** @returns {string | undefined} the path of an HAProxy that is there already */
function findHaproxy() {
  return findProgram(HAPROXY);
}

/** @returns {string[]} the paths of both, installed if need be */
function ensureProxies() {
  return [NGINX, HAPROXY].map(ensureProgram);
}

module.exports = { ensureProxies, findHaproxy, findNginx };

if (require.main === module) {
  printProgram(() => ensureProxies().join("\n"));
}
