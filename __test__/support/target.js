"use strict";

// Which server package the tests drive. The same files run against stock
// socket.io with FERRIO_TEST_TARGET=socket.io, which proves the tests themselves.

const name = process.env.FERRIO_TEST_TARGET || "ferrio";
if (name !== "ferrio" && name !== "socket.io") {
  throw new Error(`FERRIO_TEST_TARGET must be "ferrio" or "socket.io", not "${name}"`);
}

/** True when the tests run against the reference package. */
const isReference = name === "socket.io";

/** The package under test, as an application would require it. */
const target = isReference ? require("socket.io") : require("../..");

/** The engine below it, with the exports of the engine.io package. */
const engine = isReference ? require("engine.io") : require("../../lib/engine");

/** Who accepts the connections of the servers under test, unless a test asks for something else. */
const acceptor = isReference ? "node" : process.env.FERRIO_ACCEPTOR || "auto";

module.exports = { acceptor, engine, target, isReference, name };
