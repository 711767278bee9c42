"use strict";

// A headless Chromium for the tests of one file, and pages in it. A page may ask this machine
// only: a test whose page looks elsewhere fails.

const assert = require("node:assert/strict");
const { before, after } = require("node:test");
const { chromium } = require("playwright-core");
const { findChromium } = require("../../scripts/ensure-chromium");

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const DEADLINE = 15_000;

/** Starts the browser before the file's tests and ends it after; returns how to open pages. */
function useBrowser() {
  let browser;
  before(async () => {
    const executablePath = findChromium();
    assert.ok(executablePath, "Chromium was not found: run node scripts/ensure-chromium.js");
    // Each launch gets a user data directory of its own, which is removed at the end.
    browser = await chromium.launch({ executablePath, args: FLAGS });
  });
  after(() => browser?.close());

  /**
   * Opens a page in a context of its own: nothing is shared with other pages.
   *
   * @param {TestContext} t
   * @param {string} url
   * @param {object} [setup]
   * @param {object} [setup.client] options that io() gets in addition
   * @param {string} [setup.server] the server that io() connects to
   * @param {object} [setup.context] options of the browser's context, such as the viewport
   */
  return async function openPage(t, url, { client = {}, server, context: options } = {}) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(DEADLINE);
    const page = await context.newPage();
    const faults = watch(page);
    t.after(async () => {
      await context.close();
      assert.deepEqual(faults, [], "errors and requests to other machines");
    });
    await page.addInitScript(interceptClient, { client, server });
    await page.goto(url);
    return page;
  };
}

/** Resolves when an element that matches is shown, with this text in it if one is given. */
async function shown(page, selector, text) {
  await page.locator(selector, { hasText: text }).first().waitFor({ state: "visible" });
}

/** Resolves when the transport of the page's first client is as named. */
async function transportIs(page, name) {
  await page.waitForFunction((wanted) => {
    return window.testClients[0]?.io.engine.transport.name === wanted;
  }, name);
}

module.exports = { useBrowser, shown, transportIs };

/** Runs in the page before its scripts: keeps its clients at hand and sets their options. */
function interceptClient({ client: additional, server }) {
  window.testClients = [];
  let intercepted;
  Object.defineProperty(window, "io", {
    get: () => intercepted,
    set(original) {
      intercepted = Object.assign((...args) => {
        const [url, options] = typeof args[0] === "object" ? [undefined, args[0]] : args;
        const created = original(url ?? server, { ...options, ...additional });
        window.testClients.push(created);
        return created;
      }, original);
    },
  });
}

function watch(page) {
  const faults = [];
  page.on("pageerror", (error) => faults.push(error.stack));
  page.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (hostname !== "127.0.0.1" && !["data:", "blob:"].includes(protocol)) {
      faults.push(request.url());
    }
  });
  return faults;
}
