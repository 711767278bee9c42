// A throw-away application in which the declarations of this package are installed under the name
// `socket.io`, as an npm alias does, next to its dependencies and to nothing else.

"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const ROOT = path.resolve(__dirname, "../..");

/**
 * Makes the application, calls back with the test files in it, and removes it.
 *
 * @template T
 * @param {{ withEngine: boolean }} options - whether engine.io is installed too
 * @param {(files: string[]) => T} use
 * @returns {T}
 */
function inInstalledCopy({ withEngine }, use) {
  const app = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "ferrio-types-")));
  const copy = (from, to) => fs.cpSync(from, path.join(app, to), { recursive: true });
  try {
    for (const name of ["package.json", "index.d.ts", "dist", "types"]) {
      copy(path.join(ROOT, name), `node_modules/socket.io/${name}`);
    }
    for (const name of packages(withEngine)) {
      copy(path.join(ROOT, "node_modules", name), `node_modules/${name}`);
    }
    fs.writeFileSync(path.join(app, "package.json"), '{ "name": "app" }\n');
    const files = [
      `installed/${withEngine ? "with" : "without"}-engine.ts`,
      "modules/named.ts",
      "modules/default.ts",
      "modules/esm.mts",
      "augmentation/root.ts",
    ];
    for (const name of ["expect.ts", ...files]) copy(path.join(__dirname, name), name);
    return use(files.map((name) => path.join(app, name)));
  } finally {
    fs.rmSync(app, { recursive: true, force: true });
  }
}

module.exports = { inInstalledCopy };

/** What an application has once it installed this package: found by walking the dependencies. */
function packages(withEngine) {
  const found = new Set();
  const visit = (name) => {
    const folder = path.join(ROOT, "node_modules", name);
    if (found.has(name) || !fs.existsSync(folder)) return;
    // The types must hold as well where a package manager has left it out.
    if (name === "engine.io" && !withEngine) return;
    found.add(name);
    const manifest = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
    for (const dependency of Object.keys(manifest.dependencies ?? {})) visit(dependency);
  };
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8"));
  for (const name of [...Object.keys(dependencies), "@types/node"]) visit(name);
  return found;
}
