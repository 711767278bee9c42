"use strict";

// The page of the express-server example and the browser's client bundle, in a real browser.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { serveExample } = require("../examples/example");
const { shown, transportIs, useBrowser } = require("./browser");

const openPage = useBrowser();

eachTransport("the page shows what the server answers", async (t, { client, final }) => {
  const example = await serveExample(t, "express-server");
  const page = await openPage(t, `${example.url}/client.html`, { client });
  await transportIs(page, final);
  await page.fill("#messageInput", "hello & <b>welcome</b>");
  await page.click("#sendButton");
  await shown(page, "#response", "Server says: Message received: hello & <b>welcome</b>");
  await example.printed("Message received: hello & <b>welcome</b>");
  await page.fill("#messageInput", "again");
  await page.click("#sendButton");
  await shown(page, "#response", "Server says: Message received: again");
  await transportIs(page, final);
  const id = await page.evaluate(() => window.testClients[0].id);
  await page.close();
  await example.printed(`A user disconnected: ${id}`);
});

eachTransport("a page of another origin is served, too", async (t, { client, final }) => {
  const example = await serveExample(t, "express-server");
  const elsewhere = await serveExample(t, "express-server");
  const setup = { client, server: example.url };
  const page = await openPage(t, `${elsewhere.url}/client.html`, setup);
  await transportIs(page, final);
  await page.fill("#messageInput", "from elsewhere");
  await page.click("#sendButton");
  await shown(page, "#response", "Server says: Message received: from elsewhere");
  await example.printed("Message received: from elsewhere");
});

eachTransport("the bundle sends and receives binary data", async (t, { client, final }) => {
  const example = await serveExample(t, "custom-events");
  // Any address of the server will do; this is one that it answers.
  const page = await openPage(t, `${example.url}/socket.io/socket.io.js`, { client });
  await page.addScriptTag({ url: "/socket.io/socket.io.js" });
  await page.evaluate(() => {
    window.io();
  });
  await transportIs(page, final);
  const answers = await page.evaluate(async () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
    const contents = [bytes, bytes.buffer, new Blob([bytes]), bytes.subarray(2, 7)];
    const results = [];
    for (const content of contents) {
      const upload = { name: "a.bin", content };
      const { start, ...rest } = await window.testClients[0].emitWithAck("file:upload", upload);
      results.push({ ...rest, type: start.constructor.name, start: [...new Uint8Array(start)] });
    }
    return results;
  });
  const whole = { name: "a.bin", bytes: 70_000, type: "ArrayBuffer", start: [0, 1, 2, 3] };
  const part = { ...whole, bytes: 5, start: [2, 3, 4, 5] };
  assert.deepEqual(answers, [whole, whole, whole, part]);
});

test("the page finds its server again after a restart of the connection", async (t) => {
  const example = await serveExample(t, "express-server");
  const page = await openPage(t, `${example.url}/client.html`);
  await transportIs(page, "websocket");
  const first = await page.evaluate(() => window.testClients[0].id);
  await page.evaluate(() => window.testClients[0].io.engine.close());
  await page.waitForFunction((old) => {
    const [{ id, connected }] = window.testClients;
    return connected && id !== old;
  }, first);
  await page.fill("#messageInput", "back");
  await page.click("#sendButton");
  await shown(page, "#response", "Server says: Message received: back");
});
