"use strict";

// pm2 itself, in the variety of the Socket.IO team: two workers behind its sticky balancer.

const assert = require("node:assert/strict");
const path = require("node:path");
const { execFile } = require("node:child_process");
const { promisify } = require("node:util");
const { eachTransport } = require("../support/scenario");
const { startProgram } = require("../support/program");
const { load } = require("./installed");
const { connectAll, hearEachOther } = require("./workers");

const run = promisify(execFile);

const PM2 = path.join(path.dirname(load.resolve("@socket.io/pm2")), "bin", "pm2");
const WORKERS = 2;

eachTransport("workers of pm2 serve their clients as one server", async (t, transport) => {
  const pm2 = await startPm2(t);
  const clients = await connectAll(t, pm2.port, transport);
  const workers = await Promise.all(clients.map((client) => client.emitWithAck("worker")));
  assert.equal(new Set(workers).size, WORKERS, "the clients are spread");
  await hearEachOther(clients);
});

eachTransport("clients stay with an application that pm2 reloads", async (t, transport) => {
  const pm2 = await startPm2(t);
  const clients = await connectAll(t, pm2.port, transport);
  const before = await Promise.all(clients.map((client) => client.emitWithAck("worker")));
  await pm2.command("reload", "all");
  for (const client of clients) {
    let worker;
    do {
      // None while it is on its way from a worker that is gone.
      worker = await client
        .timeout(1_000)
        .emitWithAck("worker")
        .catch(() => before[0]);
    } while (before.includes(worker));
  }
  await hearEachOther(clients);
});

/** Starts pm2 with its workers; `command(...)` runs another one that talks to it. */
async function startPm2(t) {
  const env = { ...process.env };
  const pm2 = await startProgram(t, {
    title: "pm2",
    program: process.execPath,
    argumentsFor: (port) => {
      env.PM2_PORT = String(port);
      const fixture = path.join(__dirname, "pm2-fixture.js");
      const how = ["--instances", WORKERS, "--wait-ready", "--no-daemon"];
      return [PM2, "start", fixture, ...how];
    },
    ready: /Continue to stream logs/,
    prepare: (folder) => {
      env.PM2_HOME = folder;
      return { env };
    },
    signal: "SIGTERM",
  });
  pm2.command = (...args) => run(process.execPath, [PM2, ...args], { env });
  return pm2;
}
