"use strict";

// What the figures were measured on: read from the system, no names or paths in it.

const { spawnSync } = require("child_process");
const os = require("os");

/** Processor, cores, memory, kernel, and how many descriptors a process may open. */
function machine() {
  const [cpu] = os.cpus();
  return {
    cpu: cpu ? cpu.model.trim() : "unknown",
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    descriptors: descriptorLimit(),
    loadAverageBefore: os.loadavg(),
  };
}

/** How many descriptors the largest scenario would like every process to have. */
const WANTED = 120_000;
let limit;

/** How many descriptors a process may have here: what is wanted, or what is allowed. */
function descriptorLimit() {
  if (limit === undefined) {
    const raised = spawnSync("sh", ["-c", `ulimit -n ${WANTED}`]).status === 0;
    limit = raised ? WANTED : Number(spawnSync("sh", ["-c", "ulimit -Hn"]).stdout);
  }
  return limit;
}

module.exports = { descriptorLimit, machine };
