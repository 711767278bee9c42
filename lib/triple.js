"use strict";

// Names this machine as the platform packages do, and lists those that are published.

const fs = require("fs");

/** The platforms that have a package of their own, `@ferrio/<triple>`. */
const PUBLISHED = [
  "linux-x64-gnu",
  "linux-arm64-gnu",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "win32-x64-msvc",
  "win32-arm64-msvc",
];

/**
 * For example `linux-x64-gnu`.
 * @returns {string}
 */
function triple() {
  const { platform, arch } = process;
  if (platform === "linux") {
    return `linux-${arch}-${isMusl() ? "musl" : "gnu"}`;
  }
  return platform === "win32" ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

function isMusl() {
  // Elsewhere the loader tells at once. The report, which is always right, takes a while to write.
  const isAlpine = fs.existsSync("/etc/alpine-release");
  const { arch } = process;
  const loader = { x64: "/lib64/ld-linux-x86-64.so.2", arm64: "/lib/ld-linux-aarch64.so.1" }[arch];
  if (!isAlpine && loader !== undefined && fs.existsSync(loader)) {
    return false;
  }
  const header = /** @type {any} */ (process.report?.getReport?.())?.header;
  return header === undefined ? isAlpine : !header.glibcVersionRuntime;
}

module.exports = { PUBLISHED, triple };
