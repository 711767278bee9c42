"use strict";

// Where Redis is, in the ways that people write it.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { createClient } = require("redis");
const { readOptions } = require("../../lib/adapter/redis/options");

const urlOf = (options) => readOptions(options).place.url;

test("a URL leaves to the options beside it what it does not say", () => {
  assert.equal(urlOf({ url: "redis://host:1", password: "p@ss" }), "redis://:p%40ss@host:1");
  const named = { url: "redis://host:1", username: "me", password: "100%", database: 3 };
  assert.equal(urlOf(named), "redis://me:100%25@host:1/3");
  assert.equal(urlOf({ url: "redis://me@host", password: "p" }), "redis://me:p@host");
  assert.equal(
    urlOf({ url: "redis://you@host", username: "me", password: "p" }),
    "redis://you@host",
  );
  const complete = { url: "redis://you:secret@host:1/2", username: "me", database: 3 };
  assert.equal(urlOf(complete), "redis://you:secret@host:1/2");
  assert.equal(
    urlOf({ url: "unix:///a.sock", password: "p", db: 1 }),
    "unix:///a.sock?pass=p&db=1",
  );
  assert.equal(urlOf(new URL("redis://host:1/2")), "redis://host:1/2");
  const client = { options: { url: "redis://host:1", password: "p", socket: {} }, publish() {} };
  assert.equal(urlOf({ pubClient: client }), "redis://:p@host:1");
});

test("clients of the package redis are read with their credentials", () => {
  for (const options of [
    { url: "redis://host:1", password: "p" },
    { url: "redis://:p@host:1" },
    { socket: { host: "host", port: 1 }, password: "p" },
  ]) {
    assert.match(urlOf({ pubClient: createClient(options) }), /^redis:\/\/:p@host:1(\/0)?$/);
  }
});

test("the path of a unix socket may be any", () => {
  assert.equal(urlOf({ path: "/tmp/50% #1?.sock" }), "unix:///tmp/50%25%20%231%3F.sock?db=0");
});

test("what names no server is refused", () => {
  for (const options of [null, 6379, true]) {
    assert.throws(() => readOptions(options), /takes a URL, an object of options, or a client/);
  }
  const credentialsProvider = { type: "async-credentials-provider", credentials: async () => ({}) };
  const pubClient = { options: { socket: {}, credentialsProvider } };
  assert.throws(() => readOptions({ pubClient }), /"credentialsProvider"/);
});
