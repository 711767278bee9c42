// Compiles the type tests, once against ferrio and once against stock socket.io, under the module
// settings that applications use; then compares the two sets of declarations with each other.
// Prints a line for each program and exits with 1 if one of them does not compile.
//
//   node __test__/types/run.js [--typescript=folder of another version] [part of a line's name]

"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { inInstalledCopy } = require("./installed");
const { undocumented } = require("./documented");
const { compareSurfaces } = require("./surface");

const args = process.argv.slice(2);
const version = args.find((arg) => arg.startsWith("--typescript="))?.split("=")[1];
const ts = require(version ? path.resolve(version) : "typescript");
const nameFilter = args.find((arg) => !arg.startsWith("--"));

const { ModuleKind, ModuleResolutionKind: Resolution } = ts;

/** TypeScript 6 asks for consent to the settings that 7 drops; 5 does not know the option. */
const DEPRECATIONS = Number.parseInt(ts.version) >= 6 ? { ignoreDeprecations: "6.0" } : {};

/** Files that compile under any setting. */
const EVERYWHERE = ["modules/named.ts", "modules/esm.mts"];
const COMMONJS = [...EVERYWHERE, "modules/require.cts", "modules/javascript.cjs"];

/** The programs that are compiled with both packages. */
const PROGRAMS = [
  { name: "api", files: () => filesIn("api") },
  { name: "augmentation by the root", files: () => ["augmentation/root.ts"] },
  { name: "augmentation by the file", files: () => ["augmentation/deep.ts"] },
  {
    name: "node10, interop",
    files: () => [...COMMONJS, "modules/default.ts"],
  },
  {
    name: "node10, no interop",
    files: () => [...COMMONJS, "modules/no-interop.ts"],
    options: { esModuleInterop: false, allowSyntheticDefaultImports: false },
  },
  {
    name: "node16, interop",
    files: () => [...COMMONJS, "modules/default.ts", ...filesIn("api")],
    options: { module: ModuleKind.Node16, moduleResolution: Resolution.Node16 },
  },
  {
    name: "node16, no interop",
    files: () => [...COMMONJS, "modules/no-interop.ts"],
    options: {
      module: ModuleKind.Node16,
      moduleResolution: Resolution.Node16,
      esModuleInterop: false,
      allowSyntheticDefaultImports: false,
    },
  },
  {
    name: "bundler",
    files: () => [...EVERYWHERE, "modules/default.ts", ...filesIn("api")],
    options: { module: ModuleKind.ESNext, moduleResolution: Resolution.Bundler },
  },
  {
    name: "not strict",
    files: () => COMMONJS,
    options: { strict: false },
  },
  {
    name: "stricter than strict",
    files: () => [...COMMONJS, ...filesIn("api")],
    options: {
      exactOptionalPropertyTypes: true,
      noPropertyAccessFromIndexSignature: true,
      noUncheckedIndexedAccess: true,
    },
  },
];

main();

function main() {
  const failures = [];
  let count = 0;
  const check = (name, run) => {
    if (nameFilter && !name.includes(nameFilter)) return;
    count += 1;
    const startedAt = Date.now();
    const problems = run();
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
    console.log(`${problems.length === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
    for (const problem of problems) console.log(problem.replace(/^/gm, "     "));
    if (problems.length > 0) failures.push(name);
  };

  for (const target of ["ferrio", "reference"]) {
    for (const { name, files, options } of PROGRAMS) {
      check(`${target}: ${name}`, () => compile(`tsconfig.${target}.json`, files(), options));
    }
  }
  check("both: same helper types, same assignability", () =>
    compile("tsconfig.both.json", filesIn("both")),
  );
  check("both: same members", () => compareSurfaces(ts, __dirname));
  check("ferrio: every public member has a comment", () => undocumented());
  for (const withEngine of [true, false]) {
    for (const [name, options] of [
      ["node10", {}],
      ["node16", { module: ModuleKind.Node16, moduleResolution: Resolution.Node16 }],
      ["bundler", { module: ModuleKind.ESNext, moduleResolution: Resolution.Bundler }],
    ]) {
      check(`installed, ${withEngine ? "with" : "without"} engine.io: ${name}`, () =>
        inInstalledCopy({ withEngine }, (files) => compile("tsconfig.base.json", files, options)),
      );
    }
  }

  if (count === 0) failures.push("no test of that name");
  console.log(failures.length === 0 ? `all ${count} passed` : `failed: ${failures.join("; ")}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

/** Compiles files with the options of a configuration file, and returns what is wrong with them. */
function compile(configFile, files, overrides = {}) {
  const config = ts.readConfigFile(path.join(__dirname, configFile), ts.sys.readFile).config;
  const parsed = ts.parseJsonConfigFileContent(
    { ...config, include: undefined, files },
    ts.sys,
    __dirname,
    { ...overrides, ...DEPRECATIONS },
    path.join(__dirname, configFile),
  );
  const program = ts.createProgram(parsed.fileNames, parsed.options);
  return ts
    .sortAndDeduplicateDiagnostics([...parsed.errors, ...ts.getPreEmitDiagnostics(program)])
    .filter((diagnostic) => !version || !isForeign(diagnostic))
    .map((diagnostic) => ts.formatDiagnostic(diagnostic, formatHost()).trim());
}

function formatHost() {
  return {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => __dirname,
    getNewLine: () => "\n",
  };
}

/** Other versions of TypeScript may dislike the declarations of other packages. */
function isForeign({ file }) {
  return file !== undefined && /\/node_modules\/(?!socket\.io\/)/.test(file.fileName);
}

function filesIn(folder) {
  const names = fs.readdirSync(path.join(__dirname, folder)).sort();
  if (names.length === 0) throw new Error(`no type tests in ${folder}`);
  return names.map((name) => `${folder}/${name}`);
}
