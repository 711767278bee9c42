"use strict";

// What is in the tarballs, and that the manifests of the platforms agree with the code.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { execFileSync } = require("node:child_process");
const { test } = require("node:test");
const { packed } = require("./fresh-app");
const { PUBLISHED } = require("../../lib/triple");
const manifest = require("../../package.json");

const root = path.join(__dirname, "..", "..");
const FOLDERS = ["bin", "dist", "lib", "scripts", "src", "types"];
const FILES = [
  "CHANGELOG.md",
  "Cargo.lock",
  "Cargo.toml",
  "LICENSE",
  "README.md",
  "build.rs",
  "index.d.ts",
  "index.js",
  "index.mjs",
  "metrics.d.ts",
  "metrics.js",
  "package.json",
  "redis-adapter.d.ts",
  "redis-adapter.js",
];

test("the main package holds the wrapper, the types and the sources, and no more", () => {
  const names = list(packed().main);
  const outside = names.filter((name) => name.includes("/") && !FOLDERS.includes(top(name)));
  assert.deepEqual(outside, []);
  assert.deepEqual(names.filter((name) => !name.includes("/")).sort(), FILES);
  assert.deepEqual(names.filter((name) => name.startsWith("scripts/")).sort(), [
    "scripts/build.js",
    "scripts/install.js",
  ]);
  assert.deepEqual(
    names.filter((name) => name.endsWith(".node") || name.includes("test.js")),
    [],
  );
  const size = fs.statSync(packed().main).size;
  assert.ok(size < 400 * 1024, `${size} bytes are more than a small package should have`);
});

test("every module that the wrapper requires is in the package", () => {
  const names = new Set(list(packed().main));
  for (const name of names) {
    if (!/^(index|bin|lib|dist|scripts).*\.m?js$/.test(name)) {
      continue;
    }
    const source = fs.readFileSync(path.join(root, name), "utf8");
    for (const [, request] of source.matchAll(/(?:require\(|from )"(\.[^"]*)"/g)) {
      const file = path.posix.join(path.posix.dirname(name), request);
      const found = [file, `${file}.js`, `${file}.json`, `${file}/index.js`, `${file}index.js`];
      assert.ok(
        found.some((candidate) => names.has(candidate.replace(/^\.\//, ""))) || file === ".",
        `${name} requires ${request}, which is not packed`,
      );
    }
  }
});

test("the published manifest names all platforms at its own version, and nothing of a checkout", () => {
  const published = read(packed().main, "package.json");
  const expected = PUBLISHED.map((triple) => [`@ferrio/${triple}`, manifest.version]);
  assert.deepEqual(published.optionalDependencies, Object.fromEntries(expected));
  assert.equal(published.devDependencies, undefined);
  assert.deepEqual(published.scripts, { install: "node scripts/install.js" });
  assert.deepEqual(published.dependencies, manifest.dependencies);
});

test("the platform package holds the addon and names the machines it is for", () => {
  const { platform } = packed();
  const { main, os, cpu } = read(platform, "package.json");
  assert.deepEqual(list(platform).sort(), ["LICENSE", "README.md", main, "package.json"].sort());
  assert.deepEqual([os, cpu], [[process.platform], [process.arch]]);
});

test("there is a manifest for each published platform", () => {
  const folders = fs.readdirSync(path.join(root, "npm"), { withFileTypes: true });
  const names = folders.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  assert.deepEqual(names.sort(), [...PUBLISHED].sort());
  for (const triple of names) {
    const platform = require(`../../npm/${triple}/package.json`);
    const [os, cpu, abi] = triple.split("-");
    assert.equal(platform.name, `@ferrio/${triple}`);
    assert.equal(platform.version, manifest.version);
    assert.equal(platform.main, `ferrio.${triple}.node`);
    assert.deepEqual([platform.os, platform.cpu], [[os], [cpu]]);
    const libc = { gnu: ["glibc"], musl: ["musl"] }[abi];
    assert.deepEqual(platform.libc, libc);
  }
});

test("the crate has the version of the package", () => {
  const crate = fs.readFileSync(path.join(root, "Cargo.toml"), "utf8");
  assert.equal(/^version = "(.*)"$/m.exec(crate)[1], manifest.version);
});

function list(tarball) {
  const names = execFileSync("tar", ["tzf", tarball], { encoding: "utf8" }).trim().split("\n");
  return names.map((name) => name.replace(/^package\//, ""));
}

function read(tarball, name) {
  const text = execFileSync("tar", ["xzOf", tarball, `package/${name}`], { encoding: "utf8" });
  return JSON.parse(text);
}

function top(name) {
  return name.slice(0, name.indexOf("/"));
}
