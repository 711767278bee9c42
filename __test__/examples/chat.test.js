"use strict";

// The server of the chat example: what it grants, announces and refuses. The page is tested in
// a browser, in ../browser/chat.test.js.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { collect, next } = require("../support/events");
const { connected } = require("../support/app");
const { request } = require("../support/request");
const { record, serveExample } = require("./example");

test("the chat serves its page and lets it load nothing from elsewhere", async (t) => {
  const { url } = await serveChat(t);
  const page = await request(`${url}/`);
  assert.equal(page.status, 200);
  assert.match(page.headers["content-security-policy"], /default-src 'self'/);
  const urls = [...page.text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, found]) => found);
  assert.ok(urls.length >= 6);
  for (const found of urls) {
    const { origin, href } = new URL(found, url);
    assert.equal(origin, url);
    assert.equal((await request(href)).status, 200, href);
  }
});

eachTransport("the chat carries a message to the room", async (t, { client: options }) => {
  const chat = await serveChat(t);
  const ada = await join(chat, "Ada", "lobby", options);
  const grace = await join(chat, "Grace", "lobby", options);
  const message = next(grace, "message");
  const answer = await ada.emitWithAck("message", { room: "lobby", text: " hello ", nonce: "1" });
  assert.equal(answer.ok, true);
  assert.deepEqual(await message, [answer.message]);
  const { id, time, user, ...rest } = answer.message;
  assert.deepEqual(rest, { room: "lobby", text: "hello", nonce: "1" });
  assert.equal(user.name, "Ada");
  assert.match(id, /^[\da-f-]{36}$/);
  assert.ok(Number.isInteger(time));
});

test("the chat greets with the person and the rooms", async (t) => {
  const chat = await serveChat(t);
  const client = open(chat, "Ada");
  const [{ user, rooms }] = await next(client, "welcome");
  assert.equal(user.name, "Ada");
  assert.deepEqual(
    rooms.map(({ name }) => name),
    ["lobby", "music", "coffee-break"],
  );
  assert.ok(rooms.every(({ size }) => size === 0));
});

test("the chat announces who comes and who goes", async (t) => {
  const chat = await serveChat(t);
  const ada = await join(chat, "Ada", "lobby");
  const entered = next(ada, "room:entered");
  const sizes = next(ada, "rooms");
  const grace = await join(chat, "Grace", "lobby");
  const [{ room, user }] = await entered;
  assert.deepEqual([room, user.name], ["lobby", "Grace"]);
  assert.equal((await sizes)[0].find(({ name }) => name === "lobby").size, 2);

  const left = next(ada, "room:left");
  assert.deepEqual(await grace.emitWithAck("room:leave", { room: "lobby" }), { ok: true });
  assert.deepEqual(await left, [{ room: "lobby", user }]);

  await grace.emitWithAck("room:enter", { room: "lobby" });
  const gone = next(ada, "room:left");
  grace.disconnect();
  assert.deepEqual(await gone, [{ room: "lobby", user }]);
});

test("the chat counts a person with two windows once", async (t) => {
  const chat = await serveChat(t);
  const ada = await join(chat, "Ada", "lobby");
  const first = await join(chat, "Grace", "lobby");
  // Ada has heard of the first window when this is answered.
  await ada.emitWithAck("typing", { room: "lobby" });
  const notices = ["room:entered", "room:left"].map((event) => record(ada, event));
  const second = await join(chat, "Grace", "lobby");
  await second.emitWithAck("room:leave", { room: "lobby" });
  // The answer comes after whatever was announced before.
  await ada.emitWithAck("typing", { room: "lobby" });
  assert.deepEqual(notices, [[], []]);
  const left = next(ada, "room:left");
  await first.emitWithAck("room:leave", { room: "lobby" });
  assert.equal((await left)[0].user.name, "Grace");
});

test("the chat tells a newcomer who is there and what was said", async (t) => {
  const chat = await serveChat(t);
  const ada = await join(chat, "Ada", "lobby");
  await ada.emitWithAck("message", { room: "lobby", text: "one", nonce: "1" });
  await ada.emitWithAck("message", { room: "lobby", text: "two", nonce: "2" });
  const grace = open(chat, "Grace");
  await connected(grace);
  const { room } = await grace.emitWithAck("room:enter", { room: "lobby" });
  assert.equal(room.topic, "Say hello, everybody starts here");
  assert.deepEqual(
    room.members.map(({ name }) => name),
    ["Ada", "Grace"],
  );
  assert.deepEqual(
    room.history.map(({ text }) => text),
    ["one", "two"],
  );
});

test("the chat takes a message that is sent again only once", async (t) => {
  const chat = await serveChat(t);
  const ada = await join(chat, "Ada", "lobby");
  const grace = await join(chat, "Grace", "lobby");
  const received = record(grace, "message");
  const message = { room: "lobby", text: "hello", nonce: "same" };
  const first = await ada.emitWithAck("message", message);
  assert.deepEqual(await ada.emitWithAck("message", message), first);
  const last = next(grace, "message");
  await ada.emitWithAck("message", { ...message, nonce: "other" });
  await last;
  assert.deepEqual(
    received.map(({ nonce }) => nonce),
    ["same", "other"],
  );
});

test("the chat passes typing notices on to the others in the room", async (t) => {
  const chat = await serveChat(t);
  const ada = await join(chat, "Ada", "lobby");
  const grace = await join(chat, "Grace", "lobby");
  const [notices, own] = [record(grace, "typing"), record(ada, "typing")];
  assert.deepEqual(await ada.emitWithAck("typing", { room: "lobby", typing: true }), { ok: true });
  // A notice may be dropped: that is what volatile means. So go on until one arrives.
  while (notices.length === 0) {
    await ada.emitWithAck("typing", { room: "lobby", typing: true });
  }
  const [{ room, user, typing }] = notices;
  assert.deepEqual([room, user.name, typing], ["lobby", "Ada", true]);
  assert.deepEqual(own, []);
});

test("the chat keeps rooms apart, and makes and forgets new ones", async (t) => {
  const chat = await serveChat(t);
  const ada = await join(chat, "Ada", "My new_room");
  const grace = await join(chat, "Grace", "lobby");
  const stray = record(grace, "message");
  const message = { room: "my-new-room", text: "alone", nonce: "1" };
  assert.equal((await ada.emitWithAck("message", message)).ok, true);
  const refused = await grace.emitWithAck("message", message);
  assert.deepEqual(refused, { ok: false, error: "You are not in #my-new-room" });

  const listed = next(grace, "rooms");
  await ada.emitWithAck("room:leave", { room: "my-new-room" });
  const names = (await listed)[0].map(({ name }) => name);
  assert.deepEqual(names, ["lobby", "music", "coffee-break"]);
  const { room } = await ada.emitWithAck("room:enter", { room: "my-new-room" });
  assert.deepEqual(room.history, []);
  assert.deepEqual(stray, []);
});

test("the chat refuses bad names, bad sessions and a name that is taken", async (t) => {
  const chat = await serveChat(t);
  await join(chat, "Ada", "lobby");
  const session = "0123456789abcdef";
  const refusals = [
    [undefined, "A name has 1 to 24 characters"],
    [{ name: "  ", session }, "A name has 1 to 24 characters"],
    [{ name: "x".repeat(25), session }, "A name has 1 to 24 characters"],
    [{ name: { length: 3 }, session }, "A name has 1 to 24 characters"],
    [{ name: "Grace" }, "The session is not valid: reload the page"],
    [{ name: "Grace", session: "short" }, "The session is not valid: reload the page"],
    [{ name: "ADA", session }, "Somebody called ADA is here already"],
  ];
  for (const [auth, reason] of refusals) {
    const client = chat.open("/", { auth });
    const [error] = await next(client, "connect_error");
    assert.deepEqual([error.message, error.data], [reason, { refused: true }]);
  }
});

test("the chat refuses bad requests and goes on", async (t) => {
  const chat = await serveChat(t);
  const ada = await join(chat, "Ada", "lobby");
  const badRooms = [undefined, null, 7, {}, { room: 7 }, { room: "" }, { room: "a/b" }];
  for (const bad of [...badRooms, { room: "x".repeat(25) }]) {
    assert.equal((await ada.emitWithAck("room:enter", bad)).ok, false);
  }
  const good = { room: "lobby", text: "hello", nonce: "1" };
  const badMessages = [
    [{ ...good, text: " " }, "There is nothing to send"],
    [{ ...good, text: ["hello"] }, "There is nothing to send"],
    [{ ...good, text: "x".repeat(2001) }, "A message has at most 2000 characters"],
    [{ ...good, nonce: "" }, "The message has no valid number"],
    [{ ...good, room: "music" }, "You are not in #music"],
  ];
  for (const [bad, error] of badMessages) {
    assert.deepEqual(await ada.emitWithAck("message", bad), { ok: false, error });
  }
  ada.emit("message", good, "not a function");
  ada.emit("message");
  assert.equal((await ada.emitWithAck("message", good)).ok, true);
});

test("the chat slows down who sends too fast, and nobody else", async (t) => {
  const chat = await serveChat(t);
  const ada = await join(chat, "Ada", "lobby");
  const grace = await join(chat, "Grace", "lobby");
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) => {
      return ada.emitWithAck("message", { room: "lobby", text: "spam", nonce: `${index}` });
    }),
  );
  assert.ok(answers.slice(0, 8).every(({ ok }) => ok));
  const refused = answers.filter(({ ok }) => !ok);
  assert.ok(refused.length > 50);
  assert.equal(refused[0].error, "That was a bit fast: wait a moment");
  const other = await grace.emitWithAck("message", { room: "lobby", text: "hi", nonce: "1" });
  assert.equal(other.ok, true);
});

test("the chat keeps the last hundred messages of a room", async () => {
  const { Rooms } = require("../../examples/chat/rooms");
  const rooms = new Rooms([]);
  const room = rooms.open("long");
  for (let index = 0; index < 150; index++) {
    room.add({ user: { id: "a", name: "Ada" }, text: `${index}`, nonce: `${index}` });
  }
  const texts = room.describe().history.map(({ text }) => text);
  assert.equal(texts.length, 100);
  assert.deepEqual([texts[0], texts[99]], ["50", "149"]);
});

test("the chat ends on SIGTERM, with clients connected", async (t) => {
  const chat = await serveChat(t);
  const ada = await join(chat, "Ada", "lobby");
  const grace = await join(chat, "Grace", "lobby");
  const left = record(ada, "room:left");
  const gone = [collect(ada, "disconnect", 1), collect(grace, "disconnect", 1)];
  chat.child.kill("SIGTERM");
  for (const [[reason]] of await Promise.all(gone)) {
    assert.equal(reason, "transport close");
  }
  assert.deepEqual(await chat.exited(), { code: 0, signal: null });
  assert.deepEqual(left, []);
});

function serveChat(t) {
  return serveExample(t, "chat/server");
}

/** A client of the chat, on its way; the session follows from the name. */
function open(chat, name, options) {
  const session = `session-of-${name}`.padEnd(16, "-");
  return chat.open("/", { ...options, auth: { name, session } });
}

/** A client of the chat that is in a room. */
async function join(chat, name, room, options) {
  const client = open(chat, name, options);
  await connected(client);
  const answer = await client.emitWithAck("room:enter", { room });
  assert.equal(answer.ok, true, answer.error);
  return client;
}
