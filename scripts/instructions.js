"use strict";

// `npm run test:instructions [-- --update]`: counts the instructions of the core's hot paths under
// valgrind and fails where one takes 5 % more than benches/instructions.json says. Unlike time,
// the count is the same on a busy machine and on an idle one.
//
// A path runs twice, for n rounds and for 2 n; the difference is what n rounds cost, without what
// comes before and after them. What the count still depends on:
//
// - rustc and the kind of machine: with others than those of the baseline, counts are shown and
//   nothing fails;
// - the processor, where code chooses by it: valgrind presents one that has AVX2 or has not,
//   and nothing newer. Without it, counts are shown and nothing fails;
// - glibc (memcpy, malloc) and valgrind, which glibc is shown a processor by: where either differs,
//   only instructions in the program itself are compared.

const fs = require("fs");
const os = require("os");
const path = require("path");
const { spawnSync } = require("child_process");
const { parseArgs } = require("util");
const { instructionsByObject } = require("./callgrind");
const { ensureValgrind } = require("./ensure-valgrind");
const { root } = require("./run-step");

const BASELINE = path.join(root, "benches", "instructions.json");
const TOLERANCE = 0.05;
/** What the program prints where it finds the processor that all newer machines have. */
const USUAL = "usual";

main();

function main() {
  const { values } = parseArgs({ options: { update: { type: "boolean", default: false } } });
  if (process.platform !== "linux") {
    console.log("instructions are counted on Linux only: nothing was compared");
    return;
  }
  const valgrind = ensured();
  const program = build();
  const paths = JSON.parse(run(program, []));
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "instructions-"));
  const counts = {};
  const processors = new Set();
  try {
    for (const { name, rounds, operations, repeats } of paths) {
      const [shorter, longer] = [rounds, 2 * rounds].map((length) =>
        least(repeats, () =>
          count(valgrind, program, [name, String(length)], path.join(scratch, "out")),
        ),
      );
      processors.add(longer.processor);
      const cost = (which) => (longer[which] - shorter[which]) / (rounds * operations);
      counts[name] = { total: round(cost("total")), own: round(cost("own")) };
    }
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
  const here = { ...environment(valgrind), processor: [...processors].join() };
  const kept = readBaseline();
  report(counts, kept?.counts ?? {}, comparison(here, kept));
  if (values.update) {
    fs.writeFileSync(BASELINE, `${JSON.stringify({ environment: here, counts }, null, 2)}\n`);
    console.log(`\nwritten: ${path.relative(root, BASELINE)}`);
    process.exitCode = 0;
  }
}

function ensured() {
  try {
    return ensureValgrind();
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}

/**
 * Built as the addon is, so that the same code is counted that is shipped; in a folder of its own,
 * because cargo gives the library that comes with it the addon's name.
 */
function build() {
  const target = process.env.CARGO_TARGET_DIR || path.join(root, "target");
  const { status, stdout } = spawnSync(
    "cargo",
    [
      ...["build", "--release", "--locked", "--manifest-path", "benches/Cargo.toml"],
      ...["--bin", "hot-paths", "--message-format", "json-render-diagnostics"],
      ...["--target-dir", path.join(target, "benches")],
    ],
    { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 },
  );
  if (status !== 0) {
    console.error("instructions: the program could not be built");
    process.exit(status || 1);
  }
  const made = stdout.trim().split("\n").map(JSON.parse);
  return made.find((message) => message.executable).executable;
}

/** One run: how many instructions in all, how many in the program itself, and on what processor. */
function count(valgrind, program, args, out) {
  const options = ["--tool=callgrind", "--quiet", `--callgrind-out-file=${out}`];
  const processor = run(valgrind, [...options, program, ...args]).trim();
  const byObject = instructionsByObject(fs.readFileSync(out, "utf8"));
  const total = [...byObject.values()].reduce((sum, instructions) => sum + instructions, 0);
  return { total, own: byObject.get(program) ?? 0, processor };
}

/** Runs more than once what threads do: a wait more or less is left to chance, and only adds. */
function least(times, run) {
  const runs = Array.from({ length: times }, run);
  const of = (which) => Math.min(...runs.map((counted) => counted[which]));
  return { total: of("total"), own: of("own"), processor: runs[0].processor };
}

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) {
    console.error(`${[command, ...args].join(" ")} has failed\n${error?.message ?? stderr}`);
    process.exit(1);
  }
  return stdout;
}

/** What the counts depend on. */
function environment(valgrind) {
  const said = run("rustc", ["-vV"]);
  const field = (name) => new RegExp(`^${name}: (.+)$`, "m").exec(said)?.[1];
  const { glibcVersionRuntime } = process.report.getReport().header;
  return {
    rustc: field("release"),
    target: field("host"),
    glibc: glibcVersionRuntime ?? "none",
    valgrind: run(valgrind, ["--version"]).trim(),
  };
}

function readBaseline() {
  const text = fs.existsSync(BASELINE) ? fs.readFileSync(BASELINE, "utf8") : "null";
  return JSON.parse(text);
}

/** Which of the two counts may be compared, and why not the other. */
function comparison(here, kept) {
  const differing = (names) => names.filter((name) => here[name] !== kept?.environment[name]);
  const explain = (names) =>
    names.map((name) => `${name} is ${here[name]} (${kept?.environment[name]})`).join(", ");
  const strange = differing(["rustc", "target", "processor"]);
  if (strange.length > 0 || here.processor !== USUAL) {
    return { which: "total", fails: false, why: explain(strange) || "the processor is an old one" };
  }
  const libraries = differing(["glibc", "valgrind"]);
  return libraries.length > 0
    ? { which: "own", fails: true, why: explain(libraries) }
    : { which: "total", fails: true, why: "" };
}

function report(counts, kept, { which, fails, why }) {
  if (why) {
    const only = fails ? "only instructions in the program itself are compared" : "nothing fails";
    console.log(`not as for the baseline (in brackets): ${why}; ${only}\n`);
  }
  const failed = [];
  for (const [name, now] of Object.entries(counts)) {
    const before = kept[name]?.[which];
    const change = before === undefined ? undefined : now[which] / before - 1;
    const grown = change === undefined || change > TOLERANCE;
    const shown = change === undefined ? "no baseline" : percent(change);
    console.log(
      `${name.padEnd(34)} ${String(now.total).padStart(9)} ${shown.padStart(12)}` +
        `${fails && grown ? "  <-- too many" : ""}`,
    );
    if (grown) {
      failed.push(name);
    }
  }
  if (fails && failed.length > 0) {
    console.error(
      `\n${failed.length} of the hot paths take more than ${TOLERANCE * 100} % more instructions ` +
        "than benches/instructions.json says. Where that is worth it, or a path is new: " +
        "npm run test:instructions -- --update, and say in the commit what it buys.",
    );
    process.exitCode = 1;
  }
}

function percent(change) {
  return `${change < 0 ? "" : "+"}${(change * 100).toFixed(1)} %`;
}

function round(value) {
  return Number(value.toPrecision(5));
}
