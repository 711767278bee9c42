"use strict";

// The packed tarballs, installed as a user would and used by real clients.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { assertServes, freshApp, npmInstall, packed, run, withoutRust } = require("./fresh-app");
const { triple } = require("../../lib/triple");

const node = process.execPath;
const root = path.join(__dirname, "..", "..");

test("a fresh Express app installs the tarballs and serves real clients", async (t) => {
  const { main, platform } = packed();
  const folder = freshApp(t, "express");
  npmInstall(folder, main, platform, "express@5");
  await assertServes(t, folder, node, ["server.js"]);
  assert.match(run(folder, "npx", ["--no", "ferrio", "doctor"]), /All is well/);
});

test("a fresh TypeScript app with ES modules compiles strictly and serves", async (t) => {
  const { main, platform } = packed();
  const folder = freshApp(t, "typescript", { type: "module" });
  const types = ["typescript@5", "@types/node@20", "@types/express@5"];
  npmInstall(folder, main, platform, "express@5", ...types);
  run(folder, node, ["node_modules/typescript/bin/tsc", "-p", "."]);
  await assertServes(t, folder, node, ["built/server.js"]);
});

test("installed under the name socket.io, without install scripts, it serves", async (t) => {
  const { main, platform } = packed();
  const folder = freshApp(t, "express");
  const alias = `socket.io@file:${main}`;
  npmInstall(folder, "--ignore-scripts", alias, platform, "express@5");
  const required =
    "console.log(require('socket.io/package.json').name, require('socket.io').length)";
  assert.match(run(folder, node, ["-e", required]), /^ferrio 2/);
  await assertServes(t, folder, node, ["server.js"], { PACKAGE: "socket.io" });
});

test("an override puts it in place of an exact socket.io that another package asks for", async (t) => {
  const { main, platform } = packed();
  const dependent = freshApp(t, undefined, {
    name: "dependent",
    dependencies: { "socket.io": "4.8.3" },
  });
  const folder = freshApp(t, "express", { overrides: { "socket.io": `file:${main}` } });
  npmInstall(folder, "--install-links", dependent, platform, "express@5");
  const found =
    "require.resolve('socket.io/package.json', { paths: [require.resolve('dependent/package.json')] })";
  const name = run(folder, node, ["-p", `require(${found}).name`]);
  assert.equal(name.trim(), "ferrio");
});

test("without a prebuilt binary and without Rust, the installation says what is missing", (t) => {
  const { main } = packed();
  const folder = freshApp(t);
  npmInstall(folder, "--ignore-scripts", "--omit=optional", main);
  const installed = path.join(folder, "node_modules", "ferrio");
  const said = run(installed, node, ["scripts/install.js"], { status: 1 });
  assert.match(said, /no prebuilt binary for \S+; looked for .*\.node and the package @ferrio\//);
  assert.match(said, /no Rust to build one with.*install Rust/i);
  const loading = run(folder, node, ["-e", "require('ferrio')"], { status: 1 });
  assert.match(loading, /ferrio has no native binary for \S+\. Looked for/);
  assert.match(loading, /ERR_FERRIO_NO_BINARY/);
  assert.match(run(folder, "npx", ["--no", "ferrio", "doctor"], { status: 1 }), /binary +none/);
});

test("without a prebuilt binary but with Rust, the installation builds one", async (t) => {
  const { main } = packed();
  const folder = freshApp(t, "express");
  npmInstall(folder, "--ignore-scripts", "--omit=optional", main, "express@5");
  const installed = path.join(folder, "node_modules", "ferrio");
  // The target folder of the checkout has the dependencies compiled already.
  const target = process.env.CARGO_TARGET_DIR || path.join(root, "target");
  const env = { ...process.env, CARGO_TARGET_DIR: target };
  const said = run(installed, node, ["scripts/install.js"], { env });
  assert.match(said, /no prebuilt binary[^]*built ferrio\.\S+\.node/);
  await assertServes(t, folder, node, ["server.js"]);
});

test("when Node may not load addons, the error says so", (t) => {
  const { main, platform } = packed();
  const folder = freshApp(t);
  npmInstall(folder, main, platform);
  const said = run(folder, node, ["--no-addons", "-e", "require('ferrio')"], { status: 1 });
  assert.match(said, /ERR_FERRIO_LOAD_FAILED/);
  assert.match(said, /leave out --no-addons/);
});

test("the strict layout of pnpm serves, under both names", async (t) => {
  const { main, platform } = packed();
  const tool = freshApp(t);
  npmInstall(tool, "pnpm@10");
  const pnpm = path.join(tool, "node_modules", "pnpm", "bin", "pnpm.cjs");
  const folder = freshApp(t, "express", {
    dependencies: {
      ferrio: `file:${main}`,
      "socket.io": `file:${main}`,
      [`@ferrio/${triple()}`]: `file:${platform}`,
      express: "5",
    },
    pnpm: { overrides: { [`@ferrio/${triple()}`]: `file:${platform}` } },
  });
  run(folder, node, [pnpm, "install", "--prefer-offline"], { env: withoutRust({ CI: "1" }) });
  await assertServes(t, folder, node, ["server.js"]);
  await assertServes(t, folder, node, ["server.js"], { PACKAGE: "socket.io" });
});

test("bundles of esbuild and webpack serve when the package is external", async (t) => {
  const { main, platform } = packed();
  const folder = freshApp(t, "express");
  const server = path.join(folder, "server.js");
  // Bundlers follow names that are written out.
  const source = fs.readFileSync(server, "utf8");
  fs.writeFileSync(server, source.replace('process.env.PACKAGE || "ferrio"', '"ferrio"'));
  const tools = ["esbuild@0.25", "webpack@5", "webpack-cli@6"];
  npmInstall(folder, main, platform, "express@5", ...tools);
  const bundled = ["server.js", "--bundle", "--platform=node", "--external:ferrio"];
  run(folder, "npx", ["--no", "esbuild", ...bundled, "--outfile=esbuild.cjs"]);
  await assertServes(t, folder, node, ["esbuild.cjs"]);
  fs.writeFileSync(
    path.join(folder, "webpack.config.js"),
    `module.exports = {
      entry: "./server.js", mode: "production", target: "node",
      externals: { ferrio: "commonjs ferrio" },
      output: { path: __dirname, filename: "webpack.cjs" },
    };`,
  );
  run(folder, "npx", ["--no", "webpack"]);
  await assertServes(t, folder, node, ["webpack.cjs"]);
});
