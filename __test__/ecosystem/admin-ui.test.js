"use strict";

// @socket.io/admin-ui: what its namespace reports and does, in both of its modes, and its page in
// a real browser.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test, eachTransport } = require("../support/scenario");
const { next, until } = require("../support/events");
const { shown, useBrowser } = require("../browser/browser");
const { load, serve } = require("./installed");

const { instrument } = load("@socket.io/admin-ui");
const PAGES = path.join(path.dirname(load.resolve("@socket.io/admin-ui")), "..", "ui", "dist");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

const openPage = useBrowser();

for (const mode of ["development", "production"]) {
  test(`statistics count connections, packets and bytes in ${mode} mode`, async (t) => {
    const app = await serve(t, { prepare: (io) => instrument(io, { auth: false, mode }) });
    const admin = app.open("/admin", { transports: ["websocket"] });
    const [config] = await next(admin, "config");
    assert.equal(config.supportedFeatures.includes("ALL_EVENTS"), mode === "development");
    assert.ok(config.supportedFeatures.includes("MDISCONNECT"));

    const { client, socket } = await app.connect("/", { transports: ["polling"] });
    socket.on("echo", (text, ack) => ack(text));
    assert.equal(await client.emitWithAck("echo", "é"), "é");

    const seen = new Map();
    const count = ({ type, count: more }) => seen.set(type, (seen.get(type) ?? 0) + more);
    let stats;
    do {
      [stats] = await next(admin, "server_stats");
      stats.aggregatedEvents.forEach(count);
    } while (!(seen.get("packetsIn") >= 3 && seen.get("packetsOut") >= 3));
    assert.equal(stats.clientsCount, 2);
    assert.equal(stats.pollingClientsCount, 1);
    assert.equal(seen.get("rawConnection"), 2);
    // `40` and `42["echo","é"]` with an id, each without the digit of the Engine.IO packet.
    assert.ok(seen.get("bytesIn") >= Buffer.byteLength('00["echo","é"]'));
    assert.ok(seen.get("bytesOut") >= Buffer.byteLength('00["é"]'));
    const counts = Object.fromEntries(stats.namespaces.map((one) => [one.name, one.socketsCount]));
    assert.deepEqual(counts, { "/": 1, "/admin": 1 });
  });

  test(`joins, leaves, emits and disconnects as told in ${mode} mode`, async (t) => {
    const app = await serve(t, { prepare: (io) => instrument(io, { auth: false, mode }) });
    const { client: admin } = await app.connect("/admin", { transports: ["websocket"] });
    const { client, socket } = await app.connect();
    const { client: other } = await app.connect();

    admin.emit("join", "/", "red", client.id);
    await until(() => socket.rooms.has("red"));
    other.on("news", () => assert.fail("it is not in the room"));
    admin.emit("emit", "/", "red", "news", 1, { two: [3] });
    assert.deepEqual(await next(client, "news"), [1, { two: [3] }]);
    admin.emit("leave", "/", "red", "red");
    await until(() => !socket.rooms.has("red"));

    const gone = next(client, "disconnect");
    admin.emit("_disconnect", "/", false, client.id);
    assert.equal((await gone)[0], "io server disconnect");
    assert.equal(other.connected, true);
    const closed = next(other, "disconnect");
    admin.emit("_disconnect", "/", true);
    await closed;
  });
}

eachTransport("development mode reports what sockets do", async (t, transport) => {
  const setUp = (io) => instrument(io, { auth: false, mode: "development" });
  const app = await serve(t, { transport, prepare: setUp });
  const admin = app.open("/admin", { transports: ["websocket"] });
  await next(admin, "all_sockets");

  const connected = next(admin, "socket_connected");
  const { client, socket } = await app.connect();
  const [serialized] = await connected;
  assert.equal(serialized.id, client.id);
  assert.deepEqual(serialized.rooms, [client.id]);
  assert.ok(socket.client.id.startsWith(serialized.clientId));

  const joined = next(admin, "room_joined");
  socket.join("blue");
  assert.deepEqual((await joined).slice(0, 3), ["/", "blue", client.id]);
  const left = next(admin, "room_left");
  socket.leave("blue");
  assert.deepEqual((await left).slice(0, 3), ["/", "blue", client.id]);

  const received = next(admin, "event_received");
  client.emit("question", 1);
  assert.deepEqual((await received).slice(0, 3), ["/", client.id, ["question", 1]]);
  const sent = next(admin, "event_sent");
  app.io.emit("everybody", { n: 2 });
  assert.deepEqual((await sent)[2], ["everybody", { n: 2 }]);

  const updated = next(admin, "socket_updated");
  socket.data.name = "Ada";
  assert.deepEqual((await updated)[0].data, { name: "Ada" });
  assert.equal(socket.data._admin.transport, transport.final);

  const gone = next(admin, "socket_disconnected");
  client.disconnect();
  const [nsp, id, reason] = await gone;
  assert.deepEqual([nsp, id, reason], ["/", serialized.id, "client namespace disconnect"]);
});

test("the password is asked for, and a session spares asking again", async (t) => {
  const password = load("bcryptjs").hashSync("secret", 4);
  const auth = { type: "basic", username: "me", password };
  const app = await serve(t, { prepare: (io) => instrument(io, { auth }) });
  const stranger = app.open("/admin", { auth: { username: "me", password: "guess" } });
  assert.equal((await next(stranger, "connect_error"))[0].message, "invalid credentials");
  const admin = app.open("/admin", { auth: { username: "me", password: "secret" } });
  const [sessionId] = await next(admin, "session");
  await app.connect("/admin", { auth: { sessionId } });
});

test("the page shows the server and its sockets, and disconnects one", async (t) => {
  const app = await serve(t, {
    handler: servePage,
    prepare: (io) => instrument(io, { auth: false, mode: "development" }),
  });
  const { client } = await app.connect();
  const page = await openPage(t, `${app.url}/index.html`, {
    context: { viewport: { width: 1600, height: 900 } },
  });
  await page.locator("input[required]").fill(app.url);
  await page.locator("button[type=submit]").click();
  await shown(page, "body", /\bCONNECTED/i);
  await page.goto(`${app.url}/index.html#/sockets/`);
  await shown(page, "td", client.id);

  const gone = next(client, "disconnect");
  const row = page.locator("tr", { hasText: client.id }).first();
  await row.locator("button").last().click();
  assert.equal((await gone)[0], "io server disconnect");
});

/** The page's files, without the style sheets that it wants from other machines. */
function servePage(req, res) {
  const name = new URL(req.url, "http://localhost").pathname;
  const file = path.join(PAGES, name);
  if (!fs.existsSync(file)) {
    res.writeHead(404);
    return res.end();
  }
  res.setHeader("content-type", TYPES[path.extname(file)] ?? "application/octet-stream");
  if (path.extname(file) !== ".html") {
    return res.end(fs.readFileSync(file));
  }
  res.end(fs.readFileSync(file, "utf8").replace(/<link rel="stylesheet" href="https:[^>]*>/g, ""));
}
