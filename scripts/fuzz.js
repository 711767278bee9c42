"use strict";

// `npm run fuzz [-- targets…] [-- --seconds n]`: builds the fuzz targets and runs each from its
// corpus. Needs nothing but a stable Rust toolchain and a C++ compiler, which builds libFuzzer.

const { spawnSync } = require("child_process");
const fs = require("fs");
const os = require("os");
const path = require("path");
const { parseArgs } = require("util");
const { root } = require("./run-step");

const TARGETS = [
  "websocket",
  "payload",
  "packet",
  "deflate",
  "request",
  "session",
  "cluster",
  "proxy",
];
/** Names that libFuzzer gives to inputs that show a fault. */
const FAULT = /^(crash|timeout|oom)-/;
/** What tells libFuzzer where an input has led. */
const COVERAGE = [
  "-Cpasses=sancov-module",
  "-Cllvm-args=-sanitizer-coverage-level=4",
  "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
  "-Cllvm-args=-sanitizer-coverage-pc-table",
  "-Cllvm-args=-sanitizer-coverage-trace-compares",
  "-Ccodegen-units=1",
].join(" ");

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    /** Where chance begins; by default elsewhere each time. */
    seed: { type: "string", default: "0" },
    /** Where new inputs are kept; by default they are thrown away. */
    keep: { type: "string" },
  },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
const unknown = positionals.filter((name) => !TARGETS.includes(name));
if (unknown.length > 0 || !(seconds > 0)) {
  console.error(
    `usage: npm run fuzz -- [${TARGETS.join("|")}]… [--seconds n] [--seed n] [--keep folder]`,
  );
  process.exit(2);
}

const triple = hostTriple();
build(triple);
for (const name of positionals.length > 0 ? positionals : TARGETS) {
  run(name);
}

function hostTriple() {
  const { stdout } = spawnSync("rustc", ["-vV"], { encoding: "utf8" });
  const triple = /^host: (.+)$/m.exec(stdout ?? "")?.[1];
  if (triple === undefined) {
    console.error("fuzz: rustc was not found; install Rust from https://rustup.rs");
    process.exit(1);
  }
  return triple;
}

/** The target is named so that build scripts and macros are built without coverage. */
function build(triple) {
  const { status } = spawnSync(
    "cargo",
    ["build", "--release", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--target", triple],
    { cwd: root, stdio: "inherit", env: { ...process.env, RUSTFLAGS: COVERAGE } },
  );
  if (status !== 0) {
    console.error("fuzz: the targets could not be built; libFuzzer needs a C++ compiler (g++)");
    process.exit(status ?? 1);
  }
}

function run(name) {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), `fuzz-${name}-`));
  const found = values.keep === undefined ? scratch : path.join(values.keep, name);
  fs.mkdirSync(found, { recursive: true });
  try {
    const { status, stderr } = spawnSync(
      path.join(root, "fuzz", "target", triple, "release", name),
      [
        ...[found, path.join(root, "fuzz", "corpus", name)],
        ...[
          `-max_total_time=${seconds}`,
          `-seed=${values.seed}`,
          "-max_len=4096",
          "-timeout=10",
          "-rss_limit_mb=1024",
        ],
        ...[`-artifact_prefix=${scratch}${path.sep}`, "-print_final_stats=1"],
      ],
      { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 },
    );
    if (status !== 0) {
      console.error(stderr.split("\n").slice(-60).join("\n"));
      // libFuzzer itself prints short inputs only, and who reads the log of a CI run has no files.
      for (const file of fs.readdirSync(scratch).filter((file) => FAULT.test(file))) {
        console.error(`${file}: ${fs.readFileSync(path.join(scratch, file), "base64")}`);
      }
      console.error(`fuzz: ${name} has failed; the input above, in base64, is its regression test`);
      process.exit(1);
    }
    const runs = /number_of_executed_units:\s*(\d+)/.exec(stderr)?.[1];
    const edges = [...stderr.matchAll(/ cov: (\d+)/g)].at(-1)?.[1];
    console.log(`${name}: ${runs} inputs in ${seconds} s, ${edges} edges, no fault`);
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}
