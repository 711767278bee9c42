"use strict";

// Very many clients that vanish in the same moment, and a process without descriptors to spare.

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const nodeTest = require("node:test");
const { io: connectTo } = require("socket.io-client");
const { serve } = require("../support/app");
const { atEnd } = require("../support/cleanup");
const { next, settle } = require("../support/events");
const { startFixture, startPoorFixture } = require("../support/fixture");
const { test, TRANSPORTS } = require("../support/scenario");
const { isReference } = require("../support/target");
const { Wire } = require("../protocol/wire");

/** As many as there may be, up to ten thousand: each needs a descriptor here and one over there. */
const CROWD = Math.min(10_000, descriptorLimit() - 1_000);

function descriptorLimit() {
  const { stdout } = spawnSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" });
  return stdout.trim() === "unlimited" ? Infinity : Number(stdout);
}

nodeTest.test(`${CROWD} clients that vanish at once`, { timeout: 240_000 }, async (t) => {
  const app = await serve(t, { transport: TRANSPORTS.websocket });
  const { client, socket } = await app.connect();
  const reasons = new Map();
  let gone = 0;
  const allGone = new Promise((resolve) => {
    app.io.on("connection", (socket) => {
      socket.join(["crowd", `own ${socket.id}`]);
      socket.on("disconnect", (reason) => {
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        gone++;
        if (gone === CROWD) {
          resolve();
        }
      });
    });
  });
  const crowd = startFixture(t, "crowd", String(app.port), String(CROWD));
  while ((await crowd.report()) < CROWD);
  assert.equal(app.io.engine.clientsCount, CROWD + 1);
  crowd.child.stdin.end();
  await crowd.exited();
  await allGone;
  await settle(client, socket);
  assert.equal(gone, CROWD, "each is told once");
  assert.deepEqual([...reasons.keys()], ["transport close"]);
  assert.equal(app.io.engine.clientsCount, 1);
  assert.equal(app.io.of("/").sockets.size, 1);
  assert.deepEqual([...app.io.of("/").adapter.rooms.keys()], [socket.id]);
  await app.connect();
});

const ACCEPTORS = isReference ? ["node"] : ["node", "native"];

for (const acceptor of ACCEPTORS) {
  test(`a server without descriptors serves those it has, acceptor ${acceptor}`, async (t) => {
    const fixture = startPoorFixture(t, 64, "serving", JSON.stringify({ acceptor }));
    const { port } = await fixture.report();
    const open = (options) => {
      const client = connectTo(`http://127.0.0.1:${port}`, {
        forceNew: true,
        transports: ["websocket"],
        ...options,
      });
      atEnd(t, () => client.disconnect());
      return client;
    };
    const client = open({ reconnection: false });
    await next(client, "connect");
    const wires = [];
    for (let i = 0; i < 100; i++) {
      const wire = await Wire.open(port);
      atEnd(t, () => wire.destroy());
      wires.push(wire);
      wire.write("GET / HTTP/1.1\r\nHost: localhost\r\n");
    }
    for (let i = 0; i < 3; i++) {
      assert.equal(await client.timeout(10_000).emitWithAck("echo", i), i);
    }
    for (const wire of wires) {
      wire.destroy();
    }
    // Whether at the first attempt or later: there is room again.
    const late = open({ reconnectionDelay: 50, reconnectionDelayMax: 200 });
    await next(late, "connect");
    assert.equal(await late.timeout(10_000).emitWithAck("echo", "late"), "late");
    assert.ok(client.connected);
  });
}
