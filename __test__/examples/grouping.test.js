"use strict";

// The examples about who gets what: namespaces, rooms, broadcasts.

const assert = require("node:assert/strict");
const { test } = require("../support/scenario");
const { next } = require("../support/events");
const { connected } = require("../support/app");
const { record, serveExample, startExample } = require("./example");

test("namespaces keeps /chat and /notifications apart", async (t) => {
  const example = await serveExample(t, "namespaces");
  const chat = await example.connect("/chat");
  const other = await example.connect("/chat");
  const notifications = await example.connect("/notifications");
  const stray = record(notifications, "message");

  const received = [next(chat, "message"), next(other, "message")];
  chat.emit("message", "hi");
  assert.deepEqual(await Promise.all(received), [["hi"], ["hi"]]);

  const notified = next(notifications, "notification");
  notifications.emit("notify", "one");
  assert.deepEqual(await notified, [{ text: "one" }]);
  assert.deepEqual(stray, []);
  await example.printed("User connected to /chat namespace");
  await example.printed("User connected to /notifications namespace");
});

test("namespaces makes tenants on demand and refuses unknown namespaces", async (t) => {
  const example = await serveExample(t, "namespaces");
  assert.deepEqual(await next(example.open("/tenant-7"), "welcome"), ["/tenant-7"]);
  const [error] = await next(example.open("/unknown"), "connect_error");
  assert.equal(error.message, "Invalid namespace");
});

test("namespaces-client talks to both namespaces and ends", async (t) => {
  const server = await serveExample(t, "namespaces");
  const client = startExample(t, "namespaces-client", { SERVER_URL: server.url });
  assert.deepEqual(await client.exited(), { code: 0, signal: null });
  assert.equal(client.output, "chat: Hello, chat!\nnotification: Somebody said hello\n");
});

test("rooms delivers to those who are in the room", async (t) => {
  const example = await serveExample(t, "rooms");
  const [ada, grace, skyy] = await connectThree(example);
  assert.deepEqual(await ada.emitWithAck("join", "room1"), ["room1"]);
  assert.deepEqual(await grace.emitWithAck("join", "room1"), ["room1"]);
  assert.deepEqual(await ada.emitWithAck("join", "room2"), ["room1", "room2"]);
  assert.deepEqual(new Set(await skyy.emitWithAck("who", "room1")), new Set([ada.id, grace.id]));

  const logs = [ada, grace, skyy].map((client) => record(client, "message"));
  const last = next(skyy, "message");
  const graces = next(grace, "message");
  ada.emit("greet", "room1");
  assert.deepEqual(await graces, ["Hello to room1"]);
  ada.emit("whisper", "room1", "psst");
  ada.emit("greet all but", "room1");
  assert.deepEqual(await last, ["Hello to all outside of room1"]);
  // An answer comes after whatever was sent to the same client before.
  await Promise.all([ada, grace].map((client) => client.emitWithAck("who", "room1")));
  assert.deepEqual(logs, [
    ["Hello to room1"],
    ["Hello to room1", "psst"],
    ["Hello to all outside of room1"],
  ]);
});

test("rooms forgets who left and who disconnected", async (t) => {
  const example = await serveExample(t, "rooms");
  const [ada, grace, skyy] = await connectThree(example);
  for (const client of [ada, grace, skyy]) {
    await client.emitWithAck("join", "room1");
  }
  assert.deepEqual(await ada.emitWithAck("leave", "room1"), []);
  assert.deepEqual(await ada.emitWithAck("who", "room1"), [grace.id, skyy.id]);
  skyy.disconnect();
  let members;
  do {
    members = await ada.emitWithAck("who", "room1");
  } while (members.length > 1);
  assert.deepEqual(members, [grace.id]);
});

test("broadcasting announces a newcomer to the others only", async (t) => {
  const example = await serveExample(t, "broadcasting");
  const logs = [];
  const clients = [];
  for (const index of [0, 1, 2]) {
    const client = example.open();
    const others = clients.map((other) => next(other, "online"));
    logs.push(record(client, "announcement"));
    clients.push(client);
    const online = next(client, "online");
    await connected(client);
    assert.deepEqual(await online, [index + 1]);
    assert.deepEqual(
      await Promise.all(others),
      others.map(() => [index + 1]),
    );
  }
  const text = "A new user has joined!";
  assert.deepEqual(logs, [[text, text], [text], []]);
});

test("broadcasting sends a private message to one socket", async (t) => {
  const example = await serveExample(t, "broadcasting");
  const [ada, grace, skyy] = await connectThree(example);
  const stray = record(skyy, "private message");
  const message = next(grace, "private message");
  ada.emit("private message", grace.id, "only you");
  assert.deepEqual(await message, [{ from: ada.id, text: "only you" }]);
  const own = next(skyy, "private message");
  ada.emit("private message", skyy.id, "and you");
  await own;
  assert.deepEqual(stray, [{ from: ada.id, text: "and you" }]);
});

async function connectThree(example) {
  return [await example.connect(), await example.connect(), await example.connect()];
}
