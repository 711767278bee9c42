"use strict";

// What clients that stop reading cost: a thousand of them beside a hundred that read, while much
// is broadcast to all. Memory of the server, what the healthy ones notice, what becomes of the others.
//
//   npm run bench:stuck -- [--stuck 1000] [--healthy 100] [--messages 10000] [--bytes 1024]
//                          [--rate 500] [--server socket.io,ferrio,bounded] [--json file]
//
// --rate is how many are broadcast in a second. A server that takes more than --memory MiB is ended.

const { spawn } = require("child_process");
const fs = require("fs");
const path = require("path");
const { parseArgs } = require("util");
const { descriptorLimit, machine } = require("./machine");

const { values } = parseArgs({
  options: {
    stuck: { type: "string", default: "1000" },
    healthy: { type: "string", default: "100" },
    messages: { type: "string", default: "10000" },
    bytes: { type: "string", default: "1024" },
    rate: { type: "string", default: "500" },
    server: { type: "string", default: "socket.io,ferrio,bounded" },
    memory: { type: "string", default: "12000" },
    json: { type: "string" },
  },
});

const SERVERS = {
  "socket.io": { title: "socket.io", library: "socket.io", options: {} },
  ferrio: { title: "ferrio", library: "ferrio", options: {} },
  bounded: {
    title: "ferrio, maxBackpressure 1 MiB",
    library: "ferrio",
    options: { maxBackpressure: 1 << 20 },
  },
};

const LIMIT_MS = 300_000;
const MIB = 2 ** 20;

main().catch((error) => {
  console.error(`stuck: ${error.message}`);
  process.exit(1);
});

async function main() {
  const rows = [];
  for (const name of values.server.split(",")) {
    if (!SERVERS[name]) {
      throw new Error(`--server takes ${Object.keys(SERVERS).join()}, not ${name}`);
    }
    const row = { server: SERVERS[name].title, ...(await measure(SERVERS[name])) };
    console.log(JSON.stringify(row));
    rows.push(row);
  }
  print(rows);
  if (values.json) {
    const about = { started: new Date().toISOString(), machine: machine(), options: values };
    const text = JSON.stringify({ ...about, node: process.versions.node, rows }, null, 2);
    fs.writeFileSync(values.json, `${text}\n`);
  }
}

async function measure({ library, options }) {
  const processes = [];
  const begin = (file, order) => {
    const child = start(file, order);
    processes.push(child);
    return child;
  };
  const [stuckCount, count, messages] = [values.stuck, values.healthy, values.messages].map(Number);
  const order = { messages, bytes: Number(values.bytes), rate: Number(values.rate) };
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(reject, LIMIT_MS, new Error("it has not ended in time"));
  });
  // Whoever ends the race first is heard; the other has nobody to tell.
  limit.catch(() => {});
  const server = begin("server.js", { ...order, library, options });
  const watch = setInterval(() => {
    if (resident(server.pid) > Number(values.memory) * MIB) {
      server.fail(new Error(`ended at ${values.memory} MiB`));
    }
  }, 200);
  try {
    const run = async () => {
      const { port } = await server.next("ready");
      const stuck = begin("clients.js", { port, count: stuckCount, isStuck: true, messages });
      await stuck.next("connected");
      const healthy = begin("clients.js", { port, count, messages });
      await healthy.next("connected");
      const before = await server.ask("report");
      const all = healthy.next("done");
      const sent = server.ask("go");
      const heard = await all;
      await sent;
      const after = await server.ask("report");
      return { ...heard, before: before.rss / MIB, ...after };
    };
    const { before, peak, kernel, left, connected, ...heard } = await Promise.race([
      run(),
      server.failed,
      limit,
    ]);
    return {
      beforeMiB: before,
      peakMiB: peak / MIB,
      kernelMiB: kernel / MIB,
      healthy: `${heard.complete} of ${count}`,
      seconds: heard.seconds,
      p50Ms: heard.p50,
      p99Ms: heard.p99,
      wrong: heard.wrong,
      stuckConnected: connected,
      stuckLeft: left,
    };
  } catch (error) {
    return { failure: error.message };
  } finally {
    clearTimeout(timer);
    clearInterval(watch);
    for (const child of processes) {
      child.end();
    }
  }
}

function start(file, order) {
  const script = path.join(__dirname, "stuck", file);
  const command = [process.execPath, script, JSON.stringify(order)];
  const child = spawn("sh", ["-c", 'ulimit -n "$0"; exec "$@"', descriptorLimit(), ...command], {
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const waiting = new Map();
  const talker = {
    pid: child.pid,
    next: (answer) => new Promise((resolve) => waiting.set(answer, resolve)),
    ask(ask) {
      child.send({ ask });
      return talker.next(ask);
    },
    end() {
      process.removeListener("exit", talker.end);
      child.removeAllListeners("exit");
      child.kill("SIGKILL");
    },
  };
  talker.failed = new Promise((_, reject) => {
    talker.fail = reject;
    child.on("exit", (code, signal) => reject(new Error(`${file} ended: ${code ?? signal}`)));
  });
  talker.failed.catch(() => {});
  process.on("exit", talker.end);
  child.on("message", (message) => {
    waiting.get(message.answer)?.(message);
    waiting.delete(message.answer);
  });
  return talker;
}

/** Memory that a process has now, 0 once it is gone. */
function resident(pid) {
  try {
    return 1_024 * Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
  } catch {
    return 0;
  }
}

function print(rows) {
  console.log(
    "\n| server | memory before, peak | healthy ones that got all | last | p50, p99 | the others |",
  );
  console.log("|---|---|---|---|---|---|");
  for (const row of rows) {
    if (row.failure) {
      console.log(`| ${row.server} | ${row.failure} | | | | |`);
      continue;
    }
    const left = Object.entries(row.stuckLeft).map(([reason, times]) => `${times} ${reason}`);
    console.log(
      `| ${row.server} | ${row.beforeMiB.toFixed(0)}, ${row.peakMiB.toFixed(0)} MiB ` +
        `| ${row.healthy}${row.wrong ? `, ${row.wrong} out of order` : ""} ` +
        `| ${row.seconds.toFixed(1)} s | ${row.p50Ms.toFixed(1)}, ${row.p99Ms.toFixed(1)} ms ` +
        `| ${[`${row.stuckConnected} connected`, ...left].join("; ")} |`,
    );
  }
}
