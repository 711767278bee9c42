"use strict";

// The examples about refusing, failing and going away.

const assert = require("node:assert/strict");
const { test, eachTransport } = require("../support/scenario");
const { collect, next } = require("../support/events");
const { request } = require("../support/request");
const { record, serveExample } = require("./example");

eachTransport("authentication lets a valid token in", async (t, { client: options }) => {
  const example = await serveExample(t, "authentication");
  const client = example.open("/", { ...options, auth: { token: "valid_token" } });
  assert.deepEqual(await next(client, "welcome"), ["Welcome, Skyy!"]);
  await example.printed("Skyy is in");
});

eachTransport("authentication refuses all others", async (t, { client: options }) => {
  const example = await serveExample(t, "authentication");
  for (const auth of [undefined, {}, { token: "wrong" }, { token: { toString: null } }]) {
    const client = example.open("/", { ...options, auth });
    const [error] = await next(client, "connect_error");
    assert.equal(error.message, "Authentication failed");
    assert.deepEqual(error.data, { retry: false });
    assert.equal(client.connected, false);
    client.disconnect();
  }
});

test("validation passes good messages on and answers bad ones with an error", async (t) => {
  const example = await serveExample(t, "validation");
  const client = await example.connect();
  const messages = record(client, "new-message");
  const bad = [undefined, null, "text", 7, [], {}, { message: 7 }, { message: "  " }];
  const errors = collect(client, "error", bad.length);
  bad.forEach((data) => client.emit("send-message", data));
  assert.deepEqual(
    await errors,
    bad.map(() => ["Invalid message format"]),
  );
  const message = next(client, "new-message");
  client.emit("send-message", { message: " hello " });
  assert.deepEqual(await message, [{ message: "hello" }]);
  assert.deepEqual(messages, [{ message: "hello" }]);
});

test("validation tells in the ack what is wrong", async (t) => {
  const example = await serveExample(t, "validation");
  const client = await example.connect();
  client.emit("set-age", 30); // no callback: must not harm the server
  const error = "Age must be a whole number from 0 to 150";
  for (const age of [-1, 151, 1.5, "30", null]) {
    assert.deepEqual(await client.emitWithAck("set-age", age), { ok: false, error });
  }
  assert.deepEqual(await client.emitWithAck("set-age", 30), { ok: true, age: 30 });
});

test("validation ends a connection whose message is too large", async (t) => {
  const example = await serveExample(t, "validation");
  const client = await example.connect();
  const gone = next(client, "disconnect");
  client.emit("send-message", { message: "x".repeat(100_001) });
  assert.equal((await gone)[0], "transport close");
  const other = await example.connect();
  assert.deepEqual(await other.emitWithAck("set-age", 1), { ok: true, age: 1 });
});

test("error-handling reports a refused connection", async (t) => {
  const example = await serveExample(t, "error-handling");
  const answer = await request(`${example.url}/socket.io/?EIO=4&transport=pigeon`);
  assert.equal(answer.status, 400);
  assert.deepEqual(JSON.parse(answer.text), { code: 0, message: "Transport unknown" });
  await example.printed("Connection refused: Transport unknown (code 0)");
});

test("error-handling refuses a client in a middleware", async (t) => {
  const example = await serveExample(t, "error-handling");
  const client = example.open("/", { auth: { version: 0 } });
  const [error] = await next(client, "connect_error");
  assert.equal(error.message, "Please update the app");
});

test("error-handling turns a refused event into an error event", async (t) => {
  const example = await serveExample(t, "error-handling");
  const client = await example.connect();
  const error = next(client, "error");
  client.emit("admin:shutdown");
  assert.deepEqual(await error, ['"admin:shutdown" is not allowed']);
  await example.printed('Socket error: "admin:shutdown" is not allowed');
  assert.equal(client.connected, true);
});

test("error-handling answers when a handler fails", async (t) => {
  const example = await serveExample(t, "error-handling");
  const client = await example.connect();
  assert.deepEqual(await client.emitWithAck("divide", 6, 3), { ok: true, result: 2 });
  const failed = { ok: false, error: "Division by zero" };
  assert.deepEqual(await client.emitWithAck("divide", 6, 0), failed);
  assert.deepEqual(await client.emitWithAck("divide", 1, 4), { ok: true, result: 0.25 });
});

const GOODBYES = {
  "client namespace disconnect": (client) => client.disconnect(),
  "server namespace disconnect": (client) => client.emit("log out"),
  "transport close": (client) => client.io.engine.close(),
};

for (const [reason, leave] of Object.entries(GOODBYES)) {
  test(`disconnecting cleans up and names the reason: ${reason}`, async (t) => {
    const example = await serveExample(t, "disconnecting");
    const ada = await example.connect("/", { auth: { name: "Ada" } });
    const grace = await example.connect("/", { auth: { name: "Grace" } });
    const { id } = ada;
    const left = next(grace, "user:left");
    const online = next(grace, "online");
    leave(ada);
    assert.deepEqual(await left, [{ name: "Ada", room: "lobby", reason }]);
    assert.deepEqual(await online, [["Grace"]]);
    await example.printed(`User disconnected: ${id} (${reason})`);
  });
}
