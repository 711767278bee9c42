"use strict";

// Compiles eiows from its npm package, with its own optimisation flags, against the headers
// installed with Node. Its install script is not run: it fetches Node's source for TLS.

const { spawnSync } = require("child_process");
const fs = require("fs");
const path = require("path");

const SOURCES = ["Extensions", "Group", "Networking", "Hub", "Node", "WebSocket", "Socket"];

/** Builds the addon once for this version of Node; throws if that cannot be done. */
function buildEiows() {
  const root = path.dirname(require.resolve("eiows/package.json"));
  const target = path.join(root, "dist", `eiows_${process.version}.node`);
  if (fs.existsSync(target)) {
    return;
  }
  const args = ["-O3", "-std=c++20", "-fPIC", "-shared", "-s", "-w"];
  args.push("-DNODE_GYP_MODULE_NAME=eiows", "-DBUILDING_NODE_EXTENSION", "-DHAVE_OPENSSL=1");
  args.push(`-I${nodeHeaders()}`, `-I${__dirname}`);
  args.push(path.join(root, "nodejs", "src", "addon.cpp"));
  args.push(...SOURCES.map((name) => path.join(root, "uWebSockets", "src", `${name}.cpp`)));
  args.push("-o", target);
  const { status, error, stderr } = spawnSync("c++", args, { encoding: "utf8" });
  if (error || status !== 0) {
    throw new Error(error ? error.message : stderr.split("\n").slice(0, 8).join("\n"));
  }
}

module.exports = { buildEiows };

function nodeHeaders() {
  return path.join(path.dirname(process.execPath), "..", "include", "node");
}
