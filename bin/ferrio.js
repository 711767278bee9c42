#!/usr/bin/env node
"use strict";

// `npx ferrio doctor`, `npx ferrio bench` and `npx ferrio build`.

const COMMANDS = {
  doctor: () => require("../lib/cli/doctor").doctor(),
  bench: (args) => require("../lib/cli/bench").bench(args),
  build: () => require("../scripts/build").build(),
};

const HELP = `ferrio ${require("../package.json").version}, the Socket.IO server with a Rust engine

  npx ferrio doctor             check this machine: platform, binary, a connection to itself
  npx ferrio bench [seconds]    compare with the socket.io installed here (3 seconds a measurement)
  npx ferrio build              build the native addon from the sources in this package (needs Rust)
`;

const HELPS = ["help", "--help", "-h"];

/** @param {string[]} argv */
async function main([name, ...args]) {
  const asksForHelp = args.some((arg) => HELPS.includes(arg));
  if (name === undefined || HELPS.includes(name) || asksForHelp) {
    process.stdout.write(HELP);
    return 0;
  }
  if (name === "--version" || name === "-v") {
    console.log(require("../package.json").version);
    return 0;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    process.stderr.write(`ferrio: there is no command "${name}".\n\n${HELP}`);
    return 2;
  }
  return (await COMMANDS[name](args)) ?? 0;
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (err) => {
    console.error(`ferrio: ${err.message}`);
    process.exitCode = 1;
  },
);
