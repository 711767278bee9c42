"use strict";

// Builds the native addon for this machine and puts it where lib/binding.js looks:
// `npm run build`. Says plainly what is missing when Rust is.

const fs = require("fs");
const path = require("path");
const { spawnSync } = require("child_process");

const root = path.join(__dirname, "..");

/** File names of the library that cargo builds, by the operating system in a triple. */
const LIBRARY = { darwin: "libferrio.dylib", win32: "ferrio.dll", linux: "libferrio.so" };

/** @returns {boolean} whether Rust's build tool can be run */
function hasCargo() {
  return !spawnSync("cargo", ["--version"]).error;
}

/**
 * Builds the addon; ends the process if that fails.
 * @param {object} [options]
 * @param {string} [options.triple] the platform, for another than this one
 * @param {string} [options.target] its name in Rust
 * @param {string} [options.zig] links with zig, against the glibc of that version (".2.17"), or "-"
 */
function build({ triple = require("../lib/triple").triple(), target, zig } = {}) {
  if (!hasCargo()) {
    console.error(
      "ferrio is built with Rust, and `cargo` was not found. " +
        "Install Rust 1.88 or newer (https://rustup.rs), then try again.",
    );
    process.exit(1);
  }
  console.log("building the native addon (the first time takes a few minutes) ...");
  const { status } = spawnSync("cargo", cargoArguments(target, zig), {
    cwd: root,
    stdio: "inherit",
    env: cargoEnvironment(triple),
  });
  if (status !== 0) {
    process.exit(status ?? 1);
  }
  const folder = process.env.CARGO_TARGET_DIR || path.join(root, "target");
  const library = LIBRARY[triple.split("-")[0]] ?? LIBRARY.linux;
  const built = path.join(folder, target ?? "", "release", library);
  const addon = path.join(root, `ferrio.${triple}.node`);
  // Replaced, not overwritten: a process may have the old file mapped.
  fs.rmSync(addon, { force: true });
  fs.copyFileSync(built, addon);
  console.log(
    `built ${path.relative(root, addon)} (${Math.round(fs.statSync(addon).size / 1024)} KiB)`,
  );
}

module.exports = { build, hasCargo };

function cargoArguments(target, zig) {
  const command = zig ? "zigbuild" : "build";
  const version = zig && zig !== "-" ? zig : "";
  const chosen = target ? ["--target", target + version] : [];
  return [command, "--release", "--locked", ...chosen];
}

function cargoEnvironment(triple) {
  // An addon is a shared library, which Rust builds for musl only when libc is not linked in.
  const flags = triple.endsWith("-musl") ? { RUSTFLAGS: "-C target-feature=-crt-static" } : {};
  return { ...process.env, ...flags };
}

/** `--name value` pairs; an empty value counts as absent. */
function optionsFrom(args) {
  const options = {};
  for (let i = 0; i + 1 < args.length; i += 2) {
    options[args[i].replace(/^--/, "")] = args[i + 1] || undefined;
  }
  return options;
}

if (require.main === module) {
  build(optionsFrom(process.argv.slice(2)));
}
