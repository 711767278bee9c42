"use strict";

// Two worker threads with a server each, joined over Redis; one is terminated under load.

const assert = require("node:assert/strict");
const path = require("node:path");
const { Worker } = require("node:worker_threads");
const { io: connectTo } = require("socket.io-client");
const { test } = require("../support/scenario");
const { atEnd } = require("../support/cleanup");
const { next } = require("../support/events");
const { isReference } = require("../support/target");
const { startRedis } = require("../examples/redis");

const LOAD = 2_000;

for (const kind of isReference ? ["official"] : ["native", "official"]) {
  test(`a worker thread is terminated under load, others go on: ${kind} adapter`, async (t) => {
    atEnd(t, () => {});
    const url = await startRedis(t);
    const one = await start(t, kind, url);
    const two = await start(t, kind, url);
    for (const { client } of [one, two]) {
      while ((await client.emitWithAck("count")) !== 2);
    }
    const across = next(two.client, "told");
    one.client.emit("tell", { n: 1 });
    assert.deepEqual(await across, [{ n: 1 }]);

    const gone = next(two.client, "disconnect");
    for (let i = 0; i < LOAD; i++) {
      one.client.emit("tell", i);
      two.client.emit("tell", i);
    }
    await next(two.client, "told");
    await two.worker.terminate();
    await gone;
    const heard = new Promise((resolve) => {
      one.client.on("told", (what) => what === "end" && resolve());
    });
    one.client.emit("tell", "end");
    await heard;

    const third = await start(t, kind, url);
    while ((await third.client.emitWithAck("count")) !== 2);
    const again = next(third.client, "told");
    one.client.emit("tell", "again");
    assert.deepEqual(await again, ["again"]);
  });
}

test("the cluster adapter is for processes: a worker thread has no channel to a primary", async (t) => {
  const [error] = await next(startWorker(t, { kind: "cluster" }), "error");
  assert.match(error.message, /process\.send is not a function/);
});

/** A worker with a server and a client of it. */
async function start(t, kind, url) {
  const worker = startWorker(t, { kind, url });
  const [port] = await next(worker, "message");
  const client = connectTo(`http://127.0.0.1:${port}`, {
    forceNew: true,
    reconnection: false,
    transports: ["websocket"],
  });
  atEnd(t, () => client.disconnect());
  await next(client, "connect");
  return { worker, client };
}

function startWorker(t, workerData) {
  const worker = new Worker(path.join(__dirname, "redis-worker.js"), { workerData });
  atEnd(t, () => worker.terminate());
  return worker;
}
