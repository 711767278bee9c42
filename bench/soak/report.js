"use strict";

// From the samples of a soak to its result: totals, how the process did while it was steady,
// and what is wrong, if anything is.

/** The first part of a run, in which caches and pools fill. */
const WARM_UP = 0.2;
/** Of each of this many parts the lowest sample counts: what is left after a collection. */
const PARTS = 30;
/** A run shorter than this says nothing of memory. */
const JUDGED_SECONDS = 180;
/** What the fitted memory may grow over the steady part: this share of its level, and this. */
const GROWTH_SHARE = 0.1;
const GROWTH_BYTES = 16 * 2 ** 20;
/** What may be left on the heap when all have gone: compiled code and the like. */
const LEFT_HEAP_BYTES = 16 * 2 ** 20;

function summarize({ options, started, version, machine, samples, first, last, clients }) {
  const steady = samples.slice(Math.floor(samples.length * WARM_UP));
  const seconds = (samples.at(-1).at - samples[0].at) / 1_000;
  return {
    options,
    started,
    versions: { node: process.versions.node, [options.server]: version },
    machine,
    seconds,
    counts: { clients: clients.counts, server: last.counts },
    faults: { ...clients.faults, ...last.faults },
    memory: {
      rss: trend(steady, "rss"),
      heap: trend(steady, "heap"),
      external: trend(steady, "external"),
    },
    load: {
      sockets: median(steady.map(({ sockets }) => sockets)),
      cpuShare: (samples.at(-1).cpuUs - samples[0].cpuUs) / 1e6 / seconds,
      delayP99Ms: median(steady.map(({ delayP99 }) => delayP99)),
    },
    first: state(first),
    last: state(last),
    metrics: last.metrics,
  };
}

/** What is wrong, a sentence each. */
function verdict({ options, seconds, counts, faults, memory, first, last }) {
  const wrong = Object.entries(faults).map(
    ([kind, { count, first: some }]) => `${kind}: ${count}, as ${some.join("; ")}`,
  );
  const must = (is, sentence) => {
    if (!is) {
      wrong.push(sentence);
    }
  };
  for (const what of ["connections", "sockets", "rooms", "sids", "members", "questions"]) {
    must(last[what] === 0, `${last[what]} ${what} are left`);
  }
  must(last.namespaces === first.namespaces, `${last.namespaces} namespaces are left`);
  must(
    last.descriptors <= first.descriptors,
    `${last.descriptors} descriptors are open, ${first.descriptors} were`,
  );
  const { clients, server } = counts;
  must(server.connections === server.disconnections, "connections and disconnections differ");
  must((clients["lives begun"] ?? 0) > 0, "no client came");
  const accounted = clients["events sent, accounted for"] ?? 0;
  const received = server["events received"] ?? 0;
  must(
    received >= accounted && received <= clients["events sent"],
    `${received} events came of ${clients["events sent"]} sent, ${accounted} of them accounted for`,
  );
  const heap = last.heap - first.heap;
  must(heap <= LEFT_HEAP_BYTES, `${mega(heap)} MiB are left on the heap`);
  if (seconds >= JUDGED_SECONDS) {
    for (const [name, { level, growth }] of Object.entries(memory)) {
      const most = Math.max(GROWTH_BYTES, level * GROWTH_SHARE);
      must(growth <= most, `${name} grew by ${mega(growth)} MiB from ${mega(level)}`);
    }
  }
  const { panic = 0, backpressure = 0 } = last.dropped ?? {};
  must(panic === 0, `${panic} panics were contained`);
  must(backpressure === 0, `${backpressure} clients of ${options.clients} were cut off`);
  return wrong;
}

function print(result) {
  const { options, versions, counts, memory, load, first, last } = result;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  console.log(`\n${named.join(", ")}; ${result.seconds.toFixed(0)} s, seed ${options.seed}`);
  console.log(
    `${load.sockets} sockets, ${(load.cpuShare * 100).toFixed(0)} % of a core, ` +
      `event loop p99 ${load.delayP99Ms.toFixed(1)} ms late`,
  );
  for (const [side, counted] of Object.entries(counts)) {
    console.log(`\n${side}`);
    for (const what of Object.keys(counted).sort()) {
      console.log(`  ${what.padEnd(46)}${counted[what].toLocaleString("en").padStart(14)}`);
    }
  }
  console.log("\nmemory while steady       level     slope    growth");
  for (const [name, { level, perHour, growth }] of Object.entries(memory)) {
    const slope = `${mega(perHour)}/h`;
    console.log(
      `  ${name.padEnd(18)}${mega(level).padStart(7)} MiB${slope.padStart(10)}${mega(growth).padStart(9)}`,
    );
  }
  console.log("\n                     before       after");
  for (const what of Object.keys(last)) {
    if (typeof last[what] === "number") {
      const isBytes = ["rss", "heap", "external"].includes(what);
      const shown = (value) => (isBytes ? `${mega(value)} MiB` : String(value)).padStart(12);
      console.log(`  ${what.padEnd(14)}${shown(first[what])}${shown(last[what])}`);
    }
  }
  console.log(
    result.verdict.length === 0 ? "\npassed" : `\nFAILED\n  ${result.verdict.join("\n  ")}`,
  );
}

module.exports = { print, summarize, verdict };

/** A line through the lowest samples of each part: its level, slope, and growth from end to end. */
function trend(samples, what) {
  const size = Math.max(1, Math.floor(samples.length / PARTS));
  const points = [];
  for (let i = 0; i + size <= samples.length; i += size) {
    const part = samples.slice(i, i + size);
    points.push(part.reduce((low, sample) => (sample[what] < low[what] ? sample : low)));
  }
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(points.map(({ at }) => at));
  const y = mean(points.map((point) => point[what]));
  const spread = points.reduce((sum, { at }) => sum + (at - x) ** 2, 0);
  const slope = points.reduce((sum, point) => sum + (point.at - x) * (point[what] - y), 0);
  const perMs = spread > 0 ? slope / spread : 0;
  const growth = perMs * (samples.at(-1).at - samples[0].at);
  return { level: y, perHour: perMs * 3_600_000, growth };
}

function state(sample) {
  const { rss, heap, external, descriptors, connections, sockets } = sample;
  const { namespaces, rooms, sids, members, questions } = sample;
  const memory = { rss, heap, external, descriptors };
  const held = { connections, sockets, namespaces, rooms, sids, members, questions };
  return { ...memory, ...held, dropped: sample.metrics?.dropped };
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function mega(bytes) {
  return (bytes / 2 ** 20).toFixed(1);
}
