"use strict";

// The examples about connecting, sending and answering.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { collect, next } = require("../support/events");
const { request } = require("../support/request");
const { record, serveExample } = require("./example");

eachTransport("express-server answers a message", async (t, { client: options }) => {
  const example = await serveExample(t, "express-server");
  const client = await example.connect("/", options);
  const response = next(client, "response");
  client.emit("message", "hello");
  assert.deepEqual(await response, ["Message received: hello"]);
  await example.printed(`A user connected: ${client.id}\nMessage received: hello\n`);
  const { id } = client;
  client.disconnect();
  await example.printed(`A user disconnected: ${id}`);
});

test("express-server serves its home page, the client page and the client", async (t) => {
  const { url } = await serveExample(t, "express-server");
  const home = await request(`${url}/`);
  assert.equal(home.status, 200);
  assert.match(home.text, /The server is running!/);
  const page = await request(`${url}/client.html`);
  assert.equal(page.status, 200);
  assert.match(page.headers["content-type"], /text\/html/);
  const [, script] = page.text.match(/<script src="([^"]+)">/);
  const bundle = await request(url + script);
  assert.equal(bundle.status, 200);
  assert.match(bundle.headers["content-type"], /javascript/);
  assert.equal((await request(`${url}/nothing-here`)).status, 404);
});

test("express-server lets a page of any origin connect", async (t) => {
  const { url } = await serveExample(t, "express-server");
  const headers = { origin: "http://elsewhere.example" };
  const open = await request(`${url}/socket.io/?EIO=4&transport=polling`, { headers });
  assert.equal(open.status, 200);
  assert.equal(open.headers["access-control-allow-origin"], "*");
  const preflight = await request(`${url}/socket.io/?EIO=4&transport=polling`, {
    method: "OPTIONS",
    headers: { ...headers, "access-control-request-method": "POST" },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers["access-control-allow-methods"], "GET,POST");
});

eachTransport("chat-broadcast sends a message to everybody", async (t, { client: options }) => {
  const example = await serveExample(t, "chat-broadcast");
  const ada = await example.connect("/", options);
  const grace = await example.connect("/", options);
  const received = [next(ada, "chat message"), next(grace, "chat message")];
  ada.emit("chat message", "good morning");
  assert.deepEqual(await Promise.all(received), [["good morning"], ["good morning"]]);
  await example.printed("Message received: good morning");
  ada.disconnect();
  await example.printed("User disconnected");
});

test("chat-broadcast explains itself with DEBUG=socket.io*", async (t) => {
  const example = await serveExample(t, "chat-broadcast", { DEBUG: "socket.io*" });
  const client = await example.connect();
  const message = next(client, "chat message");
  client.emit("chat message", "hello");
  assert.deepEqual(await message, ["hello"]);
  await example.printed(/socket\.io:client /);
  await example.printed(/socket\.io:namespace /);
  await example.printed(/socket\.io:socket /);
});

test("custom-events answers an event with an event and a join with an ack", async (t) => {
  const example = await serveExample(t, "custom-events");
  const [ada, grace] = [await example.connect(), await example.connect()];
  const answer = next(ada, "myCustomEvent");
  ada.emit("myCustomEvent", { message: "Hello" });
  assert.deepEqual(await answer, [{ message: "Hello, you said: Hello" }]);
  await example.printed("{ message: 'Hello' }");

  const own = record(ada, "user:joined");
  const joined = next(grace, "user:joined");
  const result = await ada.emitWithAck("user:join", { username: "Skyy" });
  assert.deepEqual(result, { ok: true, online: 2 });
  assert.deepEqual(await joined, [{ username: "Skyy" }]);
  assert.deepEqual(own, []);
});

eachTransport("custom-events takes a binary upload", async (t, { client: options }) => {
  const example = await serveExample(t, "custom-events");
  const client = await example.connect("/", options);
  const file = { name: "a.bin", content: Buffer.alloc(70_000, "start") };
  const answer = await client.emitWithAck("file:upload", file);
  assert.deepEqual(answer, { name: "a.bin", bytes: 70_000, start: Buffer.from("star") });
});

test("custom-events asks the client and tells the result", async (t) => {
  const example = await serveExample(t, "custom-events");
  const client = await example.connect();
  const results = collect(client, "quiz:result", 2);
  client.once("quiz:question", (question, answer) => {
    assert.equal(question, "What is 6 x 7?");
    answer(42);
    client.once("quiz:question", (again, wrong) => wrong(41));
    client.emit("quiz:start");
  });
  client.emit("quiz:start");
  assert.deepEqual(await results, [["right"], ["wrong"]]);
});

test("volatile keeps sending positions, and passes cursors and scores on", async (t) => {
  const example = await serveExample(t, "volatile");
  const [ada, grace] = [await example.connect(), await example.connect()];
  const [[first], [second]] = await collect(ada, "position", 2);
  assert.ok(second.tick > first.tick);
  assert.ok(Math.abs(first.x ** 2 + first.y ** 2 - 1) < 1e-9);

  const scores = [next(ada, "score"), next(grace, "score")];
  ada.emit("score", 3);
  const score = { id: ada.id, points: 3 };
  assert.deepEqual(await Promise.all(scores), [[score], [score]]);

  // A cursor may be dropped: that is what volatile means. So move until one arrives.
  const cursor = next(grace, "cursor");
  ada.on("position", () => ada.emit("cursor", { x: 1, y: 2 }));
  assert.deepEqual(await cursor, [{ id: ada.id, x: 1, y: 2 }]);
});

test("heartbeat sees its clients alive and gone", async (t) => {
  const example = await serveExample(t, "heartbeat", { PING_INTERVAL: "50" });
  const client = await example.connect();
  const { id } = client;
  assert.deepEqual(await next(client, "alive"), [{ transport: "websocket" }]);
  await example.printed(`${id} is alive`);
  client.io.engine.close();
  await example.printed(`${id} is gone: transport close`);
});
