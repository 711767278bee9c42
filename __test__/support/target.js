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

/** True when the native listener accepts the connections of all servers under test. */
const isNativelyAccepted = !isReference && process.env.FERRIO_ACCEPTOR === "native";

module.exports = { engine, target, isNativelyAccepted, isReference, name };
