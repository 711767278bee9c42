"use strict";

// Runs the tests of the public API and of the protocol once more, with the connections of all servers
// accepted in another way than usual: `node __test__/run-acceptor.js native|node [folder...]`.

const [acceptor, ...folders] = process.argv.splice(2);
if (acceptor !== "native" && acceptor !== "node") {
  console.error("run-acceptor.js: who accepts, native or node?");
  process.exit(1);
}
process.env.FERRIO_ACCEPTOR = acceptor;
process.argv.push(...(folders.length > 0 ? folders : ["api", "protocol"]));
require("./run");
