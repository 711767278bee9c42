"use strict";

// Clients that are elsewhere. On the loopback interface the kernel receives in the time of whoever sends,
// so a server pays for its clients' end of every packet: two fifths of a broadcast. Here the server
// that is measured has the first core, and everything else the second, which also receives for all.
// That is set for a network namespace of its own, which ends with the program: nothing of the
// machine changes. It takes Linux, root, two cores, `unshare`, `ip` and `taskset`.

const { spawnSync } = require("child_process");

const IS_APART = process.env.FERRIO_BENCH_APART === "1";

const SETTING = [
  "ip link set lo up",
  "mount -t sysfs sysfs /sys",
  "echo 2 > /sys/class/net/lo/queues/rx-0/rps_cpus",
  'exec taskset -c 1 "$0" "$@"',
].join(" && ");

/**
 * Runs this program anew where clients are elsewhere, if its command line has `--apart`. Returns what is
 * left of the command line, or ends the process when it has been run.
 *
 * @param {string[]} args
 * @param {() => void} prepare what needs the network of the machine: installing
 */
function standApart(args, prepare) {
  const rest = args.filter((arg) => arg !== "--apart");
  if (rest.length === args.length || IS_APART) {
    return rest;
  }
  prepare();
  const command = [process.execPath, ...process.argv.slice(1)];
  const { status, error } = spawnSync("unshare", ["-nm", "sh", "-c", SETTING, ...command], {
    stdio: "inherit",
    env: { ...process.env, FERRIO_BENCH_APART: "1" },
  });
  if (error) {
    throw new Error(`--apart needs unshare: ${error.message}`);
  }
  return process.exit(status ?? 1);
}

/** Options of `fork()` for the server that is measured. */
function forServer() {
  return IS_APART ? { execPath: "taskset", execArgv: ["-c", "0", process.execPath] } : {};
}

module.exports = { forServer, standApart };
