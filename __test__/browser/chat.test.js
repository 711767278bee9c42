"use strict";

// The chat example as people use it, each of them in a browser page of their own.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { portToKeep, serveExample } = require("../examples/example");
const { shown, transportIs, useBrowser } = require("./browser");

const openPage = useBrowser();
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

eachTransport("two people meet, type and talk", async (t, { client, final }) => {
  const chat = await serveExample(t, "chat/server");
  const ada = await enter(t, chat, "Ada", { client });
  await transportIs(ada, final);
  assert.equal(await ada.locator("#members .member").count(), 1);

  const grace = await enter(t, chat, "Grace", { client });
  await transportIs(grace, final);
  await shown(ada, ".notice", "Grace joined");
  await shown(ada, "#members .member", "Grace");
  await shown(grace, "#members .member", "Ada");

  // A typing notice may be dropped (it is volatile), so go on until one arrives.
  const notice = grace.locator("#typing", { hasText: "Ada is typing" });
  do {
    await ada.locator("#text").pressSequentially("Hello ");
  } while (!(await notice.isVisible()));
  await ada.press("#text", "Enter");
  await shown(grace, ".message:not(.own) .bubble", "Hello");
  await shown(ada, ".message.own .bubble", "Hello");
  await ada.locator('[data-state="sending"]').waitFor({ state: "detached" });
  await grace.waitForFunction(() => document.querySelector("#typing").textContent === "");

  await say(grace, "Hello yourself");
  await shown(ada, ".message:not(.own) .bubble", "Hello yourself");
  await grace.close();
  await shown(ada, ".notice", "Grace left");
  assert.equal(await ada.locator("#members .member").count(), 1);
});

test("the chat says that the server is gone, waits, and catches up", async (t) => {
  const PORT = String(await portToKeep());
  const chat = await serveExample(t, "chat/server", { PORT });
  const ada = await enter(t, chat, "Ada");
  const grace = await enter(t, chat, "Grace");
  await say(ada, "before");
  await shown(grace, ".bubble", "before");

  await chat.stop();
  await shown(ada, "#banner", "Connection lost");
  await shown(ada, "#status", "Reconnecting");
  await shown(grace, "#banner", "Connection lost");
  await say(ada, "meanwhile");
  await shown(ada, '[data-state="waiting"]', "Waiting for the connection");

  await serveExample(t, "chat/server", { PORT });
  await shown(ada, "#status", "Online");
  await shown(grace, "#status", "Online");
  await shown(grace, ".bubble", "meanwhile");
  await ada.locator("[data-state=waiting]").waitFor({ state: "detached" });
  for (const page of [ada, grace]) {
    await page.waitForFunction(() => document.querySelector("#banner").dataset.state === "back");
    assert.deepEqual(await page.locator(".bubble").allTextContents(), ["before", "meanwhile"]);
  }
});

test("the chat counts what is unread in other rooms", async (t) => {
  const chat = await serveExample(t, "chat/server");
  const ada = await enter(t, chat, "Ada");
  const grace = await enter(t, chat, "Grace");
  await openRoom(grace, "music");
  await openRoom(ada, "music");
  await openRoom(ada, "lobby");
  await say(grace, "one");
  await say(grace, "two");
  await shown(ada, '[data-room="music"] .badge', "2");
  await ada.waitForFunction(() => document.title === "(2) #lobby · Chat");
  await openRoom(ada, "music");
  await shown(ada, ".divider.unread", "New");
  assert.deepEqual(await ada.locator(".bubble").allTextContents(), ["one", "two"]);
  await ada.locator('[data-room="music"] .badge').waitFor({ state: "detached" });
  await ada.waitForFunction(() => document.title === "#music · Chat");
});

test("the chat opens new rooms, by name and by address, and leaves them", async (t) => {
  const chat = await serveExample(t, "chat/server");
  const ada = await enter(t, chat, "Ada");
  await ada.fill("#new-room-name", "Book club");
  await ada.press("#new-room-name", "Enter");
  await shown(ada, "#room-title", "#book-club");
  assert.equal(new URL(ada.url()).hash, "#book-club");
  await say(ada, "Who reads?");

  const grace = await enter(t, chat, "Grace", { hash: "#book-club" });
  await shown(grace, "#room-title", "#book-club");
  await shown(grace, ".bubble", "Who reads?");
  await grace.click("#leave-room");
  await shown(grace, "#room-title", "#lobby");
  await shown(ada, ".notice", "Grace left");
  await shown(grace, '#other-rooms [data-room="book-club"]');
  await ada.click("#leave-room");
  await grace.locator('[data-room="book-club"]').waitFor({ state: "detached" });
});

test("the chat knows a person again after a reload", async (t) => {
  const chat = await serveExample(t, "chat/server");
  const ada = await enter(t, chat, "Ada");
  const grace = await enter(t, chat, "Grace");
  await say(ada, "first");
  await openRoom(ada, "coffee-break");
  await ada.reload();
  await shown(ada, "#status", "Online");
  await shown(ada, "#room-title", "#coffee-break");
  await openRoom(ada, "lobby");
  await shown(ada, ".message.own .bubble", "first");
  await shown(grace, ".notice", "Ada is back");
});

test("the chat asks for another name when one is taken", async (t) => {
  const chat = await serveExample(t, "chat/server");
  await enter(t, chat, "Ada");
  const other = await openPage(t, chat.url);
  await other.click("#sign-in-button");
  await shown(other, "#sign-in-error", "Please choose a nickname first");
  await other.fill("#name", "ada");
  await other.click("#sign-in-button");
  await shown(other, "#sign-in-error", "Somebody called ada is here already");
  await other.click("#surprise");
  await other.click("#sign-in-button");
  await shown(other, "#status", "Online");
});

test("the chat shows markup as text and addresses as links", async (t) => {
  const chat = await serveExample(t, "chat/server");
  const ada = await enter(t, chat, "<b>Ada</b>");
  const grace = await enter(t, chat, "Grace");
  const text = "<img src=x onerror=alert(1)> see http://127.0.0.1/page, (http://127.0.0.1/b)";
  await say(ada, text);
  await shown(grace, ".bubble", text);
  await shown(grace, ".name", "<b>Ada</b>");
  assert.equal(await grace.locator(".bubble img, .name b").count(), 0);
  const links = await grace.locator(".bubble a").evaluateAll((all) => all.map(({ href }) => href));
  assert.deepEqual(links, ["http://127.0.0.1/page", "http://127.0.0.1/b"]);
});

test("the chat offers to try again what the server refused", async (t) => {
  const chat = await serveExample(t, "chat/server");
  const ada = await enter(t, chat, "Ada");
  // All in one moment, so that the limit is reached however slow the machine is.
  await ada.evaluate(() => {
    for (let index = 0; index < 20; index++) {
      document.querySelector("#text").value = `message ${index}`;
      document.querySelector("#composer").requestSubmit();
    }
  });
  const failed = ada.locator('[data-state="failed"]');
  await shown(ada, '[data-state="failed"]', "That was a bit fast");
  const text = await failed.first().locator(".bubble").textContent();
  const entry = ada.locator(".entry", { has: ada.getByText(text, { exact: true }) });
  // The limit lets one more message through every second.
  do {
    await entry.getByRole("button", { name: "Try again" }).click();
    await ada.locator('[data-state="sending"]').first().waitFor({ state: "detached" });
  } while ((await entry.getAttribute("data-state")) === "failed");
});

test("the chat fits a phone: panels slide in and give the focus back", async (t) => {
  const chat = await serveExample(t, "chat/server");
  const ada = await enter(t, chat, "Ada", { context: PHONE });
  await say(ada, `a long word: ${"x".repeat(300)}`);
  await shown(ada, ".bubble", "a long word");
  const overflow = await ada.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
  assert.equal(overflow, 0);

  assert.equal(await ada.locator("#sidebar").isVisible(), false);
  await ada.click("#open-sidebar");
  await openRoom(ada, "music");
  await ada.locator("#sidebar").waitFor({ state: "hidden" });

  await ada.click("#open-people");
  await shown(ada, "#people .member", "Ada");
  await ada.keyboard.press("Escape");
  await ada.locator("#people").waitFor({ state: "hidden" });
  const focused = await ada.evaluate(() => document.activeElement.id);
  assert.equal(focused, "open-people");
});

test("the chat follows the system's light or dark, until one is chosen", async (t) => {
  const chat = await serveExample(t, "chat/server");
  const ada = await enter(t, chat, "Ada", { context: { colorScheme: "dark" } });
  await ada.locator(":root[data-theme=dark]").waitFor();
  await ada.emulateMedia({ colorScheme: "light" });
  await ada.locator(":root[data-theme=light]").waitFor();
  await ada.click("#theme");
  await ada.locator(":root[data-theme=dark]").waitFor();
  await ada.reload();
  await shown(ada, "#status", "Online");
  assert.equal(await ada.locator(":root").getAttribute("data-theme"), "dark");
});

/** Opens the chat and signs in. */
async function enter(t, chat, name, { hash = "", ...setup } = {}) {
  const page = await openPage(t, `${chat.url}/${hash}`, setup);
  await page.fill("#name", name);
  await page.click("#sign-in-button");
  await page.locator("#app").waitFor({ state: "visible" });
  await page.waitForFunction(() => document.querySelector("#status").dataset.status === "online");
  return page;
}

async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
  await shown(page, ".message.own .bubble", text);
}

async function openRoom(page, name) {
  await page.click(`[data-room="${name}"]`);
  await shown(page, "#room-title", `#${name}`);
}
