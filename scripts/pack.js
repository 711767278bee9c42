"use strict";

// `npm run pack [-- <folder>]`: the tarballs that are published, in dist-tarballs/ by
// default: the main package, and the platform package of every addon that was built here
// or is in the folder that FERRIO_ARTIFACTS names.

const fs = require("fs");
const path = require("path");
const { execFileSync } = require("child_process");
const { PUBLISHED } = require("../lib/triple");

const root = path.join(__dirname, "..");
const npm = process.platform === "win32" ? "npm.cmd" : "npm";

/**
 * Packs everything there is.
 * @param {string} folder where the tarballs go
 * @returns {{main: string, platforms: Record<string, string>}} the tarballs' paths
 */
function pack(folder) {
  fs.mkdirSync(folder, { recursive: true });
  const staging = fs.mkdtempSync(path.join(folder, ".staging-"));
  try {
    const main = packMain(path.join(staging, "main"), folder);
    const platforms = {};
    for (const triple of PUBLISHED) {
      const addon = addonOf(triple);
      if (addon !== undefined) {
        platforms[triple] = packPlatform(triple, addon, path.join(staging, triple), folder);
      }
    }
    return { main, platforms };
  } finally {
    fs.rmSync(staging, { recursive: true, force: true });
  }
}

function packMain(stage, folder) {
  const manifest = readJson(path.join(root, "package.json"));
  for (const file of packedFiles()) {
    copy(path.join(root, file), path.join(stage, file));
  }
  writeJson(path.join(stage, "package.json"), published(manifest));
  return npmPack(stage, folder);
}

/** The manifest as users get it: with the platform packages, without what only a checkout needs. */
function published(manifest) {
  const { devDependencies, scripts, ...rest } = manifest;
  void devDependencies;
  const { version } = manifest;
  return {
    ...rest,
    scripts: { install: scripts.install },
    optionalDependencies: Object.fromEntries(
      PUBLISHED.map((triple) => [`@ferrio/${triple}`, version]),
    ),
  };
}

function packPlatform(triple, addon, stage, folder) {
  const { version } = readJson(path.join(root, "package.json"));
  const manifest = { ...readJson(path.join(root, "npm", triple, "package.json")), version };
  copy(addon, path.join(stage, manifest.main));
  copy(path.join(root, "LICENSE"), path.join(stage, "LICENSE"));
  writeJson(path.join(stage, "package.json"), manifest);
  const readme = `# ${manifest.name}\n\n${manifest.description}. Installed along with \`ferrio\`.\n`;
  fs.writeFileSync(path.join(stage, "README.md"), readme);
  return npmPack(stage, folder);
}

/** What npm would put into the main package, by its `files`. */
function packedFiles() {
  const [{ files }] = JSON.parse(run(["pack", "--dry-run", "--json", "--ignore-scripts"], root));
  return files.map((file) => file.path).filter((file) => !file.endsWith(".node"));
}

function addonOf(triple) {
  const name = `ferrio.${triple}.node`;
  const folders = [process.env.FERRIO_ARTIFACTS, root].filter(Boolean);
  return folders.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file));
}

function npmPack(stage, folder) {
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", path.resolve(folder)];
  const [{ filename }] = JSON.parse(run(args, stage));
  // Some versions of npm name the file of a scoped package by its scope's path.
  return path.join(path.resolve(folder), filename.replace(/^@/, "").replace(/\//g, "-"));
}

function run(args, cwd) {
  const shell = process.platform === "win32";
  return execFileSync(npm, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", 2], shell });
}

function copy(from, to) {
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.copyFileSync(from, to);
}

function readJson(file) {
  return JSON.parse(fs.readFileSync(file, "utf8"));
}

function writeJson(file, value) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

module.exports = { pack };

if (require.main === module) {
  const { main, platforms } = pack(process.argv[2] ?? path.join(root, "dist-tarballs"));
  for (const file of [main, ...Object.values(platforms)]) {
    console.log(
      `${path.relative(process.cwd(), file)} ${Math.ceil(fs.statSync(file).size / 1024)} KiB`,
    );
  }
}
