"use strict";

// `npx ferrio doctor`: does this machine run ferrio, and if not, why?

const fs = require("fs");
const http = require("http");
const path = require("path");
const { createRequire } = require("module");
const { version } = require("../../package.json");
const { advice, locate } = require("../locate");

/** How long a connection to ourselves may take, in ms. */
const PATIENCE = 10_000;

/**
 * Prints what it finds, one line a fact.
 * @returns {Promise<number>} the exit code: 0 if a server runs here
 */
async function doctor() {
  const { triple, file, lookedFor } = locate();
  fact("ferrio", version);
  fact("node", `${process.version} (N-API ${process.versions.napi})`);
  fact("platform", triple);
  fact("socket.io here", installedSocketIo());
  if (file === undefined) {
    fact("binary", "none");
    return fail(`Looked for ${lookedFor.join(" and ")}. ${advice(triple)}`);
  }
  fact("binary", `${file} (${Math.ceil(fs.statSync(file).size / 1024)} KiB)`);
  try {
    require("../binding");
  } catch (err) {
    fact("loads", "no");
    return fail(err.message);
  }
  fact("loads", "yes");
  for (const transport of ["websocket", "polling"]) {
    try {
      fact(transport, `an event and its acknowledgement in ${await roundTrip(transport)} ms`);
    } catch (err) {
      fact(transport, "no");
      return fail(`A client on 127.0.0.1 could not talk to a server here: ${causeOf(err)}`);
    }
  }
  console.log("\nAll is well.");
  return 0;
}

/** What an error says, and the one behind it. */
function causeOf(err) {
  const cause = err.description?.error?.message ?? err.description?.message;
  return cause ? `${err.message} (${cause})` : err.message;
}

/** What `require("socket.io")` would find in the folder that the command was started in. */
function installedSocketIo() {
  try {
    const from = createRequire(path.join(process.cwd(), "package.json"));
    const manifest = from("socket.io/package.json");
    return `${manifest.name} ${manifest.version}`;
  } catch {
    return "not installed under that name";
  }
}

/** Connects a client to a server of its own; ms from connecting to the answer of an event. */
async function roundTrip(transport) {
  const { Server } = require("../..");
  const { io: connect } = require("socket.io-client");
  const server = http.createServer();
  const io = new Server(server, { serveClient: false });
  io.on("connection", (socket) => socket.on("hello", (answer) => answer("hello")));
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(undefined));
  });
  const { port } = /** @type {import("net").AddressInfo} */ (server.address());
  const started = Date.now();
  const client = connect(`http://127.0.0.1:${port}`, {
    transports: [transport],
    reconnection: false,
    timeout: PATIENCE,
  });
  try {
    await new Promise((resolve, reject) => {
      client.once("connect", () => resolve(undefined));
      client.once("connect_error", reject);
    });
    await client.timeout(PATIENCE).emitWithAck("hello");
    return Date.now() - started;
  } finally {
    client.disconnect();
    await io.close();
  }
}

function fact(name, value) {
  console.log(`${name.padEnd(15)} ${value}`);
}

function fail(why) {
  console.log(`\n${why}`);
  return 1;
}

module.exports = { doctor };
