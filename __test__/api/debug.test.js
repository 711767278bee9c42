"use strict";

// What DEBUG prints, and that nothing is printed or formatted without it.

const assert = require("node:assert/strict");
const path = require("node:path");
const { spawn } = require("node:child_process");
const { name } = require("../support/target");
const { test } = require("../support/scenario");
const { serve } = require("../support/app");
const { settle } = require("../support/events");
const { atEnd } = require("../support/cleanup");

const FIXTURE = path.join(__dirname, "..", "support", "fixtures", "one-conversation.js");

/** Runs the conversation. Resolves with what it reported and what DEBUG printed. */
function run(t, namespaces) {
  const env = { ...process.env, DEBUG_HIDE_DATE: "1", FERRIO_TEST_TARGET: name };
  delete env.DEBUG;
  if (namespaces !== undefined) {
    env.DEBUG = namespaces;
  }
  const child = spawn(process.execPath, [FIXTURE], { env });
  atEnd(t, () => child.kill("SIGKILL"));
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"]) {
    child[stream].setEncoding("utf8").on("data", (chunk) => (output[stream] += chunk));
  }
  return new Promise((resolve) => {
    child.on("close", () => {
      resolve({ ...JSON.parse(output.stdout), text: output.stderr });
    });
  });
}

const linesOf = (text, namespace) =>
  text.split("\n").filter((line) => line.trim().startsWith(`${namespace} `));

test("DEBUG prints what happens under the names of the reference", async (t) => {
  const { sids, refused, text } = await run(t, "engine,engine:*,socket.io:*,socket.io-parser");
  assert.equal(refused, 400);
  const known = sids.map((sid) => new RegExp(sid));
  const expected = {
    engine: [/handling "?GET"?/, /handshaking client/, /unknown transport "x"/, ...known],
    "engine:socket": [/readyState .*open/, /readyState .*closed/, /upgrade/, /an-event/],
    "engine:transport": [/readyState .*closed/],
    "engine:polling": [/./],
    "engine:ws": [/./],
    "socket.io:server": [/initializing namespace \//, /engine.* with opts \{/, ...known],
    "socket.io:client": [/connecting to namespace \//, /transport close/],
    "socket.io:parent-namespace": [/creating child namespace \/child-1/],
    "socket.io:broadcast-operator": [/servers: 1 \/ 1 ; clients: 1 \/ 1/],
    // Only the server decodes questions of this kind: with an id, in the main namespace.
    "socket.io-parser": [/encoding packet/, /decoded .*"nsp":"\/".*question/],
    "socket.io:namespace": [/adding socket to nsp \//],
    "socket.io:socket": [/a-room/, /question/, /an answer/, /client namespace disconnect/],
  };
  for (const [namespace, patterns] of Object.entries(expected)) {
    const lines = linesOf(text, namespace);
    for (const pattern of patterns) {
      const found = lines.some((line) => pattern.test(line));
      assert.ok(found, `${namespace}: ${pattern}\n${lines.join("\n")}`);
    }
  }
});

test("one namespace alone can be chosen", async (t) => {
  const { text } = await run(t, "socket.io:client");
  const lines = text.split("\n").filter((line) => line !== "");
  assert.ok(lines.length > 0);
  assert.deepEqual(linesOf(text, "socket.io:client").length, lines.length);
});

test("nothing is printed without DEBUG", async (t) => {
  const { sids, text } = await run(t);
  assert.equal(sids.length, 3);
  assert.equal(text, "");
});

/** What is logged from now on, instead of on the console. */
function capture(t) {
  const debug = require("debug");
  const { log } = debug;
  const lines = [];
  debug.log = (line) => lines.push(line);
  atEnd(t, () => {
    debug.disable();
    debug.log = log;
  });
  return { debug, lines };
}

test("namespaces can be switched on and off while the server runs", async (t) => {
  const { debug, lines } = capture(t);
  let formatted = 0;
  debug.formatters.j = (value) => {
    formatted++;
    return JSON.stringify(value);
  };
  atEnd(t, () => delete debug.formatters.j);
  const app = await serve(t);
  const { client, socket } = await app.connect();
  await settle(client, socket);
  assert.deepEqual([lines, formatted], [[], 0]);
  debug.enable("socket.io:socket");
  await settle(client, socket);
  assert.ok(lines.some((line) => line.includes("test:settle")));
  assert.ok(formatted > 0);
  debug.disable();
  const count = lines.length;
  await settle(client, socket);
  assert.equal(lines.length, count);
});

test("lines come between those of the application, in the order of what happens", async (t) => {
  const { debug, lines } = capture(t);
  const app = await serve(t);
  const { client, socket } = await app.connect();
  socket.on("question", (answer) => {
    lines.push("application");
    answer();
  });
  debug.enable("socket.io:*");
  await client.emitWithAck("question");
  debug.disable();
  const at = (pattern) => lines.findIndex((line) => pattern.test(line));
  const order = [at(/dispatching/), at(/^application$/), at(/sending ack/)];
  assert.ok(!order.includes(-1), lines.join("\n"));
  assert.ok(order[0] < order[1] && order[1] < order[2], lines.join("\n"));
});
