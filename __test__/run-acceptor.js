"use strict";

// Runs the tests of the public API and of the protocol once more, with all connections accepted
// by the native listener: `node __test__/run-native.js [folder...]`.

process.env.FERRIO_ACCEPTOR = "native";
if (process.argv.length === 2) {
  process.argv.push("api", "protocol");
}
require("./run");
