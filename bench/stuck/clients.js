"use strict";

// The clients of stuck.js: those that read and check what comes, or those that stop reading once
// they are connected.

const { Raw } = require("../soak/raw");

const order = JSON.parse(process.argv[2]);
const AT_ONCE = 50;

const latencies = new Float64Array(order.isStuck ? 0 : order.count * order.messages);
let received = 0;
let wrong = 0;
let complete = 0;
let began;
let begun = 0;
let connected = 0;

process.on("disconnect", () => process.exit(1));
while (begun < Math.min(AT_ONCE, order.count)) {
  begin();
}

function begin() {
  begun++;
  let next = 0;
  const query = `name=${order.isStuck ? "stuck" : "healthy"}`;
  const target = { port: order.port, protocol: 4, transport: "websocket", query };
  const client = new Raw(target, {
    connected() {
      if (order.isStuck) {
        client.websocket.pause();
      }
      if (++connected === order.count) {
        process.send({ answer: "connected" });
      } else if (begun < order.count) {
        begin();
      }
    },
    event(nsp, [, n, sentAt]) {
      const now = performance.timeOrigin + performance.now();
      began ??= now;
      latencies[received++] = now - sentAt;
      if (n !== next) {
        wrong++;
      }
      next = n + 1;
      if (next === order.messages) {
        complete++;
        finish(now);
      }
    },
    left() {},
    wrong() {},
    closed() {
      if (!order.isStuck && next < order.messages) {
        finish(performance.timeOrigin + performance.now());
      }
    },
  });
}

/** Told by each that has ended, well or not. */
let finished = 0;
function finish(now) {
  if (++finished < order.count) {
    return;
  }
  const sorted = latencies.subarray(0, received).sort();
  const at = (share) => sorted[Math.floor(sorted.length * share)];
  const seconds = (now - began) / 1_000;
  process.send({ answer: "done", complete, wrong, seconds, p50: at(0.5), p99: at(0.99) });
}
