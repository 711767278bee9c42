"use strict";

// Names this machine as the platform packages do.

const fs = require("fs");

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
  const { header } = process.report?.getReport?.() ?? {};
  return header ? !header.glibcVersionRuntime : fs.existsSync("/etc/alpine-release");
}

module.exports = { triple };
