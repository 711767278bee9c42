"use strict";

// `npm run test:matrix [-- version...]`: the packed package in other versions of Node, and
// in Bun. The runtimes come from npm (`node-<platform>-<arch>`, `bun`). For each: the
// Express app installed from the tarballs with real clients, then the tests of api/ and protocol/.

const fs = require("node:fs");
const path = require("node:path");
const { spawnSync } = require("node:child_process");
const { assertServes, freshApp, npmInstall, packed } = require("./fresh-app");

const VERSIONS = ["18", "20", "22", "24", "26", "bun"];
const wanted = process.argv.slice(2);
const platform = process.platform === "win32" ? "win" : process.platform;

main().catch((err) => {
  console.error(err);
  process.exitCode = 1;
});

async function main() {
  let failed = 0;
  for (const version of wanted.length > 0 ? wanted : VERSIONS) {
    failed += await tryVersion(version);
  }
  process.exitCode = failed > 0 ? 1 : 0;
}

/** Prints how a runtime did. Returns 1 if something failed. */
async function tryVersion(version) {
  const ends = [];
  const t = { after: (end) => ends.push(end) };
  try {
    const runtime = install(t, version);
    const said = spawnSync(runtime, ["--version"], { encoding: "utf8" }).stdout.trim();
    const folder = freshApp(t, "express");
    const { main, platform: addon } = packed();
    npmInstall(folder, main, addon, "express@5");
    const served = await attempt(() => assertServes(t, folder, runtime, ["server.js"]));
    const tests = version === "bun" ? "" : `; ${runTests(runtime)}`;
    console.log(`${version === "bun" ? "Bun" : "Node"} ${said}: app ${served}${tests}`);
    return served === "serves" && !/[1-9]\d* fail/.test(tests) ? 0 : 1;
  } finally {
    for (const end of ends.reverse()) {
      end();
    }
  }
}

/** Installs a runtime and returns the path of its program. */
function install(t, version) {
  const folder = freshApp(t);
  if (version === "bun") {
    const name = `@oven/bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : "x64"}`;
    npmInstall(folder, name);
    return path.join(folder, "node_modules", ...name.split("/"), "bin", "bun");
  }
  const name = `node-${platform}-${process.arch}`;
  npmInstall(folder, `${name}@${version}`);
  const program = path.join(folder, "node_modules", name, "bin", "node");
  return fs.existsSync(program) ? program : `${program}.exe`;
}

async function attempt(work) {
  try {
    await work();
    return "serves";
  } catch (err) {
    return `fails (${err.message.split("\n").slice(0, 8).join(" | ")})`;
  }
}

function runTests(runtime) {
  const runner = path.join(__dirname, "..", "run.js");
  const { stdout, status } = spawnSync(runtime, [runner, "api", "protocol"], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const count = (what) => new RegExp(`^(?:#|ℹ) ${what} (\\d+)`, "m").exec(stdout)?.[1] ?? "?";
  const names = [...stdout.matchAll(/^(?:not ok \d+ -|✖) (.*)$/gm)].map((found) => found[1]);
  for (const name of new Set(names)) {
    console.log(`  not ok: ${name}`);
  }
  return `tests ${count("pass")} pass, ${count("fail")} fail (exit ${status})`;
}
