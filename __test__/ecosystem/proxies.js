"use strict";

// nginx and HAProxy with the configuration of examples/proxies, for one test.

const fs = require("node:fs");
const path = require("node:path");
const { findHaproxy, findNginx } = require("../../scripts/ensure-proxies");
const { startProgram } = require("../support/program");

const CONFIGURATIONS = path.join(__dirname, "../../examples/proxies");
/** The ports that the files name: the proxy's, and those of the servers. */
const PORTS = [3000, 3001, 3002];
/** Places that need not be there, or be ours, where nginx is installed. */
const NGINX_FOLDERS = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/**
 * Starts nginx in front of two servers and resolves with its process.
 * @param {TestContext} t
 * @param {number[]} ports the ports of the two servers
 */
function startNginx(t, ports) {
  const folders = NGINX_FOLDERS.map((name) => `${name}_temp_path ${name};`).join(" ");
  const globals = ["daemon off", "pid nginx.pid", "error_log stderr notice"];
  if (process.getuid?.() === 0) {
    globals.push("user root");
  }
  return start(t, {
    title: "nginx",
    program: findNginx(),
    configuration: (port) => {
      const text = configurationFor("nginx.conf", [port, ...ports]);
      return text.replace("http {", `http { access_log off; ${folders}`);
    },
    argumentsFor: (file, folder) => ["-p", folder, "-c", file, "-g", `${globals.join("; ")};`],
    ready: /start worker process/,
    signal: "SIGTERM",
  });
}

/**
 * Starts HAProxy in front of two servers and resolves with its process.
 * @param {TestContext} t
 * @param {number[]} ports the ports of the two servers
 * @param {(text: string) => string} [edit] what to change about the configuration
 */
function startHaproxy(t, ports, edit = (text) => text) {
  return start(t, {
    title: "haproxy",
    program: findHaproxy(),
    configuration: (port) => edit(configurationFor("haproxy.cfg", [port, ...ports])),
    argumentsFor: (file) => ["-W", "-f", file],
    ready: /Loading success/,
    signal: "SIGTERM",
  });
}

module.exports = { startHaproxy, startNginx };

function start(t, { configuration, argumentsFor, ...about }) {
  if (!about.program) {
    throw new Error(`${about.title} was not found: run node scripts/ensure-proxies.js`);
  }
  return startProgram(t, {
    ...about,
    argumentsFor: (port, folder) => {
      const file = path.join(folder, "configuration");
      fs.writeFileSync(file, configuration(port));
      return argumentsFor(file, folder);
    },
  });
}

function configurationFor(name, ports) {
  const text = fs.readFileSync(path.join(CONFIGURATIONS, name), "utf8");
  return PORTS.reduce((result, port, i) => result.replaceAll(`${port}`, `${ports[i]}`), text);
}
