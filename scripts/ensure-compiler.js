"use strict";

// A C++ compiler for libFuzzer: `node scripts/ensure-compiler.js` prints its path, installing
// Debian's package when there is none. CXX chooses another one.

const { ensureProgram, printProgram } = require("./ensure-program");

const COMPILER = {
  title: "a C++ compiler",
  debianPackage: "g++",
  variable: "CXX",
  names: ["c++", "g++", "clang++"],
};

printProgram(() => ensureProgram(COMPILER));
