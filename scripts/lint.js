"use strict";

// `npm run lint`: layout and likely mistakes, in JavaScript and Rust.

const { step } = require("./run-step");

step("Layout of JavaScript and types", "npx", ["prettier", "--check", "--log-level", "warn", "."]);
step("JavaScript lints", "npx", ["eslint", "."]);
step("Types of the wrapper", "npx", ["tsc", "-p", "."]);
step("Rust format", "cargo", ["fmt", "--check"]);
step("Rust format, fuzz targets", "cargo", [
  "fmt",
  "--check",
  "--manifest-path",
  "fuzz/Cargo.toml",
]);
step("Rust format, benches", "cargo", ["fmt", "--check", "--manifest-path", "benches/Cargo.toml"]);
step("Rust lints, core", "cargo", [
  "clippy",
  "--locked",
  "--no-default-features",
  "--all-targets",
  "--",
  "-D",
  "warnings",
]);
step("Rust lints, addon", "cargo", ["clippy", "--locked", "--", "-D", "warnings"]);
if (process.platform !== "win32") {
  // With all targets: that is what keeps the benches compiling.
  step("Rust lints, benches", "cargo", [
    "clippy",
    "--locked",
    "--manifest-path",
    "benches/Cargo.toml",
    "--target-dir",
    "target",
    "--all-targets",
    "--",
    "-D",
    "warnings",
  ]);
}
