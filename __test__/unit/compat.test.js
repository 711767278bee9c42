"use strict";

// docs/compat.md says something about every point of the surface, once, and counts right. What it
// claims is shown by tests: evidence/ names them for each point, one file for each prefix of ids.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("../support/scenario");
const ids = require("./compat-ids.json");

const LINE =
  /^- \*\*([A-Z]+-\d+[a-z]?)\*\* (.+?): (same(?:; .+)?|different, because .+|not yet: .+)$/;

const text = fs.readFileSync(path.join(__dirname, "../../docs/compat.md"), "utf8");
const lines = text.split("\n").filter((line) => line.startsWith("- "));
const points = lines.map((line) => {
  const match = LINE.exec(line);
  assert.ok(match, `not of the form "- **ID** topic: verdict": ${line}`);
  const [, id, topic, verdict] = match;
  return { id, topic, verdict: /^(same|different|not yet)/.exec(verdict)[0] };
});

test("every point has one line", () => {
  const seen = points.map(({ id }) => id);
  assert.deepEqual(
    ids.filter((id) => !seen.includes(id)),
    [],
    "points without a line",
  );
  assert.deepEqual(
    seen.filter((id) => !ids.includes(id)),
    [],
    "lines without a point",
  );
  assert.equal(new Set(seen).size, seen.length, "a point has two lines");
});

test("the tally counts the lines", () => {
  const [, ...cells] = /^\| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$/m.exec(text);
  const count = (verdict) => points.filter((point) => point.verdict === verdict).length;
  const counted = [count("same"), count("different"), count("not yet"), points.length];
  assert.deepEqual(cells.map(Number), counted);
});

test("the list of points is sound", () => {
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.length > 400);
});

const EVIDENCE = path.join(__dirname, "evidence");
const proven = new Map();
for (const file of fs.readdirSync(EVIDENCE)) {
  for (const [id, tests] of Object.entries(require(path.join(EVIDENCE, file)))) {
    proven.set(id, { file, tests });
  }
}

test("evidence is about points that exist, in the file of their prefix", () => {
  for (const [id, { file, tests }] of proven) {
    assert.ok(ids.includes(id), `${id} in ${file} is no point`);
    assert.equal(file, `${id.split("-")[0]}.json`, id);
    assert.ok(Array.isArray(tests) && tests.length > 0, `${id} names no test`);
  }
});

test("the tests that evidence names exist", () => {
  for (const [id, { tests }] of proven) {
    for (const [file, title] of tests) {
      const source = path.join(__dirname, "..", file);
      assert.ok(fs.existsSync(source), `${id}: there is no ${file}`);
      const text = fs.readFileSync(source, "utf8");
      // A test has a title. A program of types/ or leak/ is one test, which a line of it stands for.
      const quotes = file.endsWith(".test.js") ? ["'", '"', "`"] : [""];
      const literals = quotes.map((quote) => quote + title + quote);
      assert.ok(
        literals.some((literal) => text.includes(literal)),
        `${id}: no test "${title}" in ${file}`,
      );
    }
  }
});

test("every point that is the same or different has evidence", () => {
  const claimed = points.filter(({ verdict }) => verdict !== "not yet");
  assert.deepEqual(
    claimed.filter(({ id }) => !proven.has(id)).map(({ id }) => id),
    [],
  );
});
