"use strict";

// What is written is checked: every code block of the documentation runs, compiles or names
// commands that exist; links lead somewhere; generated pages are fresh.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { spawn } = require("node:child_process");
const { selfSigned } = require("../support/certificate");
const { test } = require("../support/scenario");
const manifest = require("../../package.json");

const root = path.join(__dirname, "..", "..");
const pages = [
  ...markdownIn(root),
  ...markdownIn(path.join(root, "docs")),
  ...markdownIn(path.join(root, "docs", "decisions")),
  ...["bench", "examples", "__test__", "npm"].flatMap((name) => markdownIn(path.join(root, name))),
];
const blocks = pages.flatMap(blocksOf);

for (const { page, line, language, code } of blocks) {
  const title = `${page}:${line}: the ${language || "plain"} block`;
  switch (language) {
    case "js":
      test(`${title} runs`, (t) => runs(t, code));
      break;
    case "json":
      test(`${title} is JSON`, () => void JSON.parse(code));
      break;
    case "sh":
      test(`${title} names commands that exist`, () => code.split("\n").forEach(assertCommand));
      break;
    case "diff":
      test(`${title} changes a line that runs`, (t) => runs(t, added(code)));
      break;
    default:
      test(`${title} is a picture or output`, () => assert.ok(["", "text"].includes(language)));
  }
}

test("there are blocks to check", () => {
  assert.ok(blocks.filter(({ language }) => language === "js").length >= 2);
});

for (const page of pages) {
  test(`the links of ${page} lead somewhere`, () => {
    const text = fs.readFileSync(path.join(root, page), "utf8").replace(/^```.*?^```/gms, "");
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (!/^[a-z]+:|^#/.test(target)) {
        const file = path.join(root, path.dirname(page), target.replace(/#.*/, ""));
        assert.ok(fs.existsSync(file), `${target} does not exist`);
      }
    }
  });
}

test("docs/options.md is what types/options.d.ts says (npm run docs:options)", () => {
  const { PAGE, render } = require("../../scripts/options-page");
  assert.equal(fs.readFileSync(PAGE, "utf8"), render());
});

test("the README's table shows the figures that are kept (node bench/readme.js)", () => {
  const { KEPT, MARKS, README, render } = require("../../bench/readme");
  const [, start, end] = MARKS.exec(fs.readFileSync(README, "utf8"));
  const expected = start + render(JSON.parse(fs.readFileSync(KEPT, "utf8"))) + end;
  assert.equal(MARKS.exec(fs.readFileSync(README, "utf8"))[0], expected);
});

test("every page in docs/ is in its table of contents", () => {
  const contents = fs.readFileSync(path.join(root, "docs", "README.md"), "utf8");
  for (const name of fs.readdirSync(path.join(root, "docs"))) {
    if (name.endsWith(".md") && name !== "README.md") {
      assert.ok(contents.includes(`(${name})`), `${name} is not in docs/README.md`);
    }
  }
});

test("every error code of the wrapper is in docs/errors.md, and no other", () => {
  const page = fs.readFileSync(path.join(root, "docs", "errors.md"), "utf8");
  const documented = page.match(/ERR_FERRIO_\w+/g);
  const files = fs.readdirSync(path.join(root, "lib"), { recursive: true });
  const used = files
    .filter((name) => name.endsWith(".js"))
    .flatMap((name) => fs.readFileSync(path.join(root, "lib", name), "utf8").match(/ERR_FERRIO_\w+/g))
    .filter(Boolean);
  assert.deepEqual([...new Set(documented)].sort(), [...new Set(used)].sort());
});

function markdownIn(folder) {
  const names = fs.readdirSync(folder).filter((name) => name.endsWith(".md"));
  return names.map((name) => path.relative(root, path.join(folder, name)));
}

function blocksOf(page) {
  const text = fs.readFileSync(path.join(root, page), "utf8");
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((found) => ({
    page,
    line: text.slice(0, found.index).split("\n").length,
    language: found[1],
    code: found[2],
  }));
}

/** The lines that a diff adds. */
function added(diff) {
  return diff.replace(/^[^+].*\n/gm, "").replace(/^\+ ?/gm, "");
}

/** Runs a program of the documentation until it listens or ends. */
async function runs(t, code) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ferrio-docs-"));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const modules = path.join(folder, "node_modules");
  fs.mkdirSync(modules);
  for (const name of fs.readdirSync(path.join(root, "node_modules"))) {
    if (!name.startsWith(".") && name !== "socket.io") {
      fs.symlinkSync(path.join(root, "node_modules", name), path.join(modules, name));
    }
  }
  for (const name of ["ferrio", "socket.io"]) {
    fs.symlinkSync(root, path.join(modules, name));
  }
  fs.writeFileSync(path.join(folder, "block.js"), code);
  if (code.includes("key.pem")) {
    const { key, cert } = selfSigned();
    fs.writeFileSync(path.join(folder, "key.pem"), key);
    fs.writeFileSync(path.join(folder, "cert.pem"), cert);
  }
  const hook = path.join(__dirname, "until-listening.js");
  const child = spawn(process.execPath, ["-r", hook, "block.js"], { cwd: folder });
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  child.stderr.on("data", (chunk) => (said += chunk));
  const status = await new Promise((resolve) => child.once("close", resolve));
  assert.equal(status, 0, said);
}

/** Checks the commands of a line as far as this package provides them. */
function assertCommand(line) {
  const [program, command, ...rest] = line.replace(/\s#.*/, "").trim().split(/\s+/);
  if (program === "npm" && command === "run") {
    assert.ok(manifest.scripts[rest[0]], `npm run ${rest[0]}`);
  } else if (program === "npx" && command === "ferrio") {
    assert.match(fs.readFileSync(path.join(root, "bin", "ferrio.js"), "utf8"), new RegExp(`\\b${rest[0]}:`));
  } else if (program === "node" && !command.startsWith("-")) {
    assert.ok(fs.existsSync(path.join(root, command)), command);
  } else {
    assert.match(program, /^(npm|npx|node|cargo|git|docker|[A-Z_]+=\S+|)$/, line);
  }
}
