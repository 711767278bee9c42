"use strict";

// Tools for developers that bring a Socket.IO server along, with real pages of Chromium: karma and
// browser-sync. And moleculer-io, a gateway to microservices.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { io: connectTo } = require("socket.io-client");
const { eachTransport, test } = require("../support/scenario");
const { atEnd } = require("../support/cleanup");
const { connected } = require("../support/app");
const { deferred, next } = require("../support/events");
const { freePort } = require("../support/program");
const { useBrowser } = require("../browser/browser");
const { load } = require("./installed");

const openPage = useBrowser();

/** What karma has run in the browser: a framework whose only test succeeds. */
const FRAMEWORK = `window.__karma__.start = (config) => {
  window.__karma__.info({ total: 1 });
  const log = ["ran with " + config.args];
  window.__karma__.result({ id: "1", description: "works", suite: [], success: true, log, time: 1 });
  window.__karma__.complete({});
};`;

test("karma runs its tests in a browser, again when asked to, and stops", async (t) => {
  const folder = folderWith(t, "framework.js", FRAMEWORK);
  const karma = load("karma");
  const config = await karma.config.parseConfig(null, {
    ...{ basePath: folder, files: ["framework.js"], port: await freePort() },
    ...{ hostname: "127.0.0.1", listenAddress: "127.0.0.1", browserNoActivityTimeout: 20_000 },
    ...{ reporters: [], logLevel: "OFF", autoWatch: false },
  });
  const exited = deferred();
  const server = new karma.Server(config, exited.resolve);
  const results = [];
  server.on("spec_complete", (browser, { success, log }) => results.push([success, log]));
  const registered = next(server, "browser_register");
  await server.start();
  const page = await openPage(t, `http://127.0.0.1:${config.port}/`);
  const [{ name }] = await registered;
  assert.match(name, /Chrome/);
  for (const clientArgs of [["first"], ["second"]]) {
    const completed = next(server, "run_complete");
    const code = deferred();
    karma.runner.run(Object.assign(config, { clientArgs }), code.resolve);
    const [, { success, exitCode }] = await completed;
    assert.deepEqual([success, exitCode, await code.promise], [1, 0, 0]);
  }
  assert.deepEqual(results, [
    [true, ["ran with first"]],
    [true, ["ran with second"]],
  ]);

  const left = page.waitForFunction(() => document.querySelector("#banner.offline"));
  await server.stop();
  assert.equal(await exited.promise, 0);
  await left;
});

test("browser-sync reloads pages, and clicks in one are clicks in all", async (t) => {
  const page = `<!doctype html><title>page</title><body>
    <button id="more" onclick="this.textContent = Number(this.textContent) + 1">0</button></body>`;
  const folder = folderWith(t, "index.html", page);
  const sync = load("browser-sync").create();
  const port = await freePort();
  const ready = deferred();
  sync.init(
    {
      ...{ server: folder, port, host: "127.0.0.1", listen: "127.0.0.1" },
      ...{ open: false, ui: false, notify: false, online: false, logLevel: "silent" },
    },
    (error) => ready.resolve(error),
  );
  atEnd(t, () => sync.exit());
  assert.equal(await ready.promise, null);
  const url = `http://127.0.0.1:${port}/`;
  const [one, two] = [await openPage(t, url), await openPage(t, url)];
  const countIs = (shown, count) =>
    shown.waitForFunction((n) => document.querySelector("#more").textContent === n, `${count}`);
  // A page tells of clicks once it is connected.
  await Promise.all([one, two].map(isConnected));
  await one.click("#more");
  await countIs(two, 1);
  const loads = [one, two].map((shown) => shown.waitForEvent("load"));
  sync.reload();
  await Promise.all(loads);
  await Promise.all([countIs(one, 0), countIs(two, 0)]);
});

eachTransport("moleculer-io calls actions for clients and sends to rooms", async (t, transport) => {
  const { ServiceBroker } = load("moleculer");
  const broker = new ServiceBroker({ logger: false });
  broker.createService({
    name: "math",
    actions: {
      add: ({ params, meta }) => ({ sum: params.a + params.b, by: meta.user?.name }),
      secret: () => assert.fail("it is not on the list"),
    },
  });
  const port = await freePort();
  broker.createService({
    name: "io",
    mixins: [load("moleculer-io")],
    settings: {
      port,
      io: {
        namespaces: {
          "/": {
            authorization: true,
            events: {
              call: { whitelist: ["math.add", "rooms.*"] },
            },
          },
        },
      },
    },
    methods: {
      socketAuthorize: async ({ handshake }) => ({ name: handshake.auth.name }),
    },
  });
  broker.createService({
    name: "rooms",
    actions: { join: ({ params, meta }) => void (meta.$join = params.room) },
  });
  await broker.start();
  atEnd(t, () => broker.stop());
  const [ada, grace] = ["Ada", "Grace"].map((name) => {
    const options = { forceNew: true, auth: { name }, ...transport.client };
    const client = connectTo(`http://127.0.0.1:${port}`, options);
    atEnd(t, () => client.disconnect());
    return client;
  });
  await Promise.all([ada, grace].map(connected));
  const call = (client, ...args) =>
    new Promise((resolve) => client.emit("call", ...args, (...answer) => resolve(answer)));
  const [, result] = await call(ada, "math.add", { a: 2, b: 3 });
  assert.deepEqual(result, { sum: 5, by: "Ada" });
  const [refusal] = await call(ada, "math.secret", {});
  assert.equal(refusal.name, "ServiceNotFoundError");
  await call(grace, "rooms.join", { room: "red" });
  const heard = next(grace, "news");
  ada.on("news", () => assert.fail("not in the room"));
  await broker.call("io.broadcast", { event: "news", args: [{ n: 1 }], rooms: ["red"] });
  assert.deepEqual(await heard, [{ n: 1 }]);
  assert.deepEqual(await broker.call("io.getClients", { room: "red" }), [grace.id]);
});

function folderWith(t, name, text) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tool-"));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  fs.writeFileSync(path.join(folder, name), text);
  return folder;
}

/** Resolves when browser-sync's client in a page is connected. */
function isConnected(page) {
  return page.waitForFunction(() => window.___browserSync___?.socket?.connected);
}
