"use strict";

// What applications do across two servers that an adapter joins: everything here has to come out
// the same whatever the servers and the adapter are.

const assert = require("node:assert/strict");
const { next, settle, until } = require("../support/events");

/** Long enough for an answer from the other server to be there before. */
const ACK_TIMEOUT = 1_000;
const LONG = 3_000;

/** Asks all from the first server; the second has the sockets that are far; others have none. */
async function behavesAsOne([one, two, ...others]) {
  const near = await one.connect();
  const far = await two.connect();
  const other = await two.connect();
  near.socket.join("red");
  far.socket.join(["red", "vip"]);
  other.socket.join("red");
  far.socket.data.name = "far";
  await arrives(one, far.client);
  await broadcasts(one, [near, far, other]);
  await acknowledgements(one, [near, far, other]);
  await sockets(one, [near, far, other]);
  await serverSideEvents(one, [two, ...others]);

  const gone = [near, far].map(({ client }) => next(client, "disconnect"));
  one.io.except(other.client.id).disconnectSockets(true);
  await Promise.all(gone);
  await settle(other.client, other.socket);
  const last = next(other.client, "disconnect");
  one.io.in(other.client.id).disconnectSockets();
  assert.deepEqual((await last)[0], "io server disconnect");
}

async function broadcasts({ io }, [near, far, other]) {
  const bytes = Buffer.from([1, 2, 3]);
  const got = await gathered(io, [near, far, other], () => {
    io.emit("all", 1, null, "é");
    io.to("red").emit("red", bytes, { n: 1 });
    io.to("red").except("vip").emit("no vip", new Date(0));
    io.to(["red", "vip"]).emit("once", [undefined]);
    io.to("nobody").emit("never");
    io.except("red").emit("never");
    io.local.emit("local");
    io.to("red").local.emit("local red", { deep: [bytes] });
    near.socket.broadcast.emit("others");
    near.socket.to("vip").emit("other vip", bytes);
    io.to(far.client.id).emit("far", "by id");
    io.compress(false).emit("plain");
  });
  const all = [["all", 1, null, "é"], ["once", [null]], ["plain"], ["red", bytes, { n: 1 }]];
  const notVip = ["no vip", "1970-01-01T00:00:00.000Z"];
  assert.deepEqual(got[0], sorted([...all, notVip, ["local"], ["local red", { deep: [bytes] }]]));
  assert.deepEqual(got[1], sorted([...all, ["others"], ["other vip", bytes], ["far", "by id"]]));
  assert.deepEqual(got[2], sorted([...all, notVip, ["others"]]));

  // Volatile packets may be lost, but not all of them.
  await arrives({ io: io.volatile }, far.client);
  await arrives({ io: io.volatile }, near.client);
}

async function acknowledgements({ io }, [near, far, other]) {
  near.client.on("vote", (answer) => answer("near"));
  far.client.on("vote", (answer) => answer(Buffer.from("far")));
  other.client.on("vote", (answer) => answer("other"));
  const votes = await io.timeout(LONG).emitWithAck("vote");
  assert.deepEqual(votes.map(String).sort(), ["far", "near", "other"]);
  const some = await io.to("vip").timeout(LONG).emitWithAck("vote");
  assert.deepEqual(some.map(String), ["far"]);
  assert.deepEqual(await io.to("nobody").timeout(LONG).emitWithAck("vote"), []);

  near.client.off("vote");
  near.client.on("local vote", (answer) => answer("near"));
  const [late, local] = await Promise.all([
    timedOut(io, "vote"),
    // As with the reference: it waits for servers that were not asked.
    timedOut(io.local, "local vote"),
  ]);
  assert.deepEqual(late.map(String).sort(), ["far", "other"]);
  assert.deepEqual(local, ["near"]);
}

/** What has been answered when it is too late. */
function timedOut(io, event) {
  return new Promise((resolve, reject) => {
    io.timeout(ACK_TIMEOUT).emit(event, (error, responses) => {
      error?.message === "operation has timed out" ? resolve(responses) : reject(error);
    });
  });
}

async function sockets({ io }, [near, far, other]) {
  const ids = (list) => list.map(({ id }) => id).sort();
  const found = await io.fetchSockets();
  assert.deepEqual(ids(found), [near, far, other].map(({ client }) => client.id).sort());
  const remote = found.find(({ id }) => id === far.client.id);
  assert.deepEqual(remote.data, { name: "far" });
  assert.deepEqual([...remote.rooms].sort(), [far.client.id, "red", "vip"].sort());
  assert.equal(remote.handshake.address, far.socket.handshake.address);
  assert.deepEqual(ids(await io.in("vip").fetchSockets()), [far.client.id]);
  assert.deepEqual(ids(await io.except("vip").local.fetchSockets()), [near.client.id]);

  const heard = next(far.client, "you");
  remote.emit("you", 1);
  assert.deepEqual(withoutOffset(await heard), [1]);
  remote.join("green");
  await until(() => far.socket.rooms.has("green"));
  io.in("vip").socketsJoin(["blue", "gold"]);
  await until(() => far.socket.rooms.has("gold"));
  assert.ok(far.socket.rooms.has("blue") && !other.socket.rooms.has("blue"));
  io.in("blue").socketsLeave("gold");
  await until(() => !far.socket.rooms.has("gold"));
  io.in("red").except("vip").socketsLeave("red");
  await until(() => !other.socket.rooms.has("red") && !near.socket.rooms.has("red"));
  assert.ok(far.socket.rooms.has("red"));
}

async function serverSideEvents({ io }, others) {
  const heard = others.map(({ io: other }) => next(other, "hello"));
  io.serverSideEmit("hello", { n: 1 }, "two");
  for (const args of await Promise.all(heard)) {
    assert.deepEqual(args, [{ n: 1 }, "two"]);
  }
  const pong = (text, answer) => answer(`pong ${text}`);
  others.forEach(({ io: other }) => other.on("ping", pong));
  const pongs = await io.serverSideEmitWithAck("ping", "?");
  assert.deepEqual(
    pongs,
    others.map(() => "pong ?"),
  );
  others.forEach(({ io: other }) => other.off("ping", pong));
}

/**
 * A client loses its connection to one server and comes back to another, with a packet missed.
 * Both need `connectionStateRecovery` and an adapter that keeps it.
 */
async function recovers(one, two) {
  const { client, socket } = await one.connect();
  socket.join("red");
  socket.data.name = "Ada";
  const first = next(client, "news");
  one.io.to("red").emit("news", 1);
  await first;
  const gone = next(socket, "disconnect");
  client.io.engine.close();
  await gone;
  const missed = [];
  client.on("news", (...args) => missed.push(withoutOffset(args)));
  const witness = await two.connect();
  witness.socket.join("red");
  const last = next(witness.client, "last");
  const second = next(witness.client, "news");
  one.io.to("red").emit("news", 2);
  await second;
  two.io.to("blue").emit("news", 0);
  two.io.except("red").emit("news", 0);
  two.io.to("red").emit("news", 3, Buffer.from([3]));
  two.io.emit("last");
  await last;

  const end = next(client, "last");
  client.io.uri = two.url;
  client.connect();
  // Its offset comes along.
  await end;
  assert.equal(client.recovered, true);
  assert.deepEqual(missed, [[2], [3, Buffer.from([3])]]);
  const [restored] = await two.io.in(client.id).local.fetchSockets();
  assert.ok(restored.rooms.has("red"));
  assert.deepEqual(restored.data, { name: "Ada" });

  client.disconnect();
  witness.client.disconnect();
  await until(() => two.io.of("/").sockets.size === 0);
}

/** Resolves when a broadcast gets through: a subscription to a room takes a moment. */
async function arrives({ io }, client) {
  let heard = false;
  const hear = () => (heard = true);
  client.once("heard", hear);
  await until(() => {
    io.to("red").emit("heard");
    return heard;
  });
}

/**
 * What each end hears of what `emit` sends, sorted: local parts may come first, and what carries bytes last,
 * which the Postgres adapter stores before it tells of it.
 */
async function gathered(io, ends, emit) {
  const got = ends.map(() => []);
  ends.forEach(({ client }, i) => client.onAny((...args) => got[i].push(withoutOffset(args))));
  const done = ends.flatMap(({ client }) => [next(client, "end"), next(client, "end of bytes")]);
  emit();
  io.emit("end");
  io.emit("end of bytes", Buffer.from([0]));
  await Promise.all(done);
  ends.forEach(({ client }) => client.offAny());
  const ours = new Set(["end", "end of bytes", "heard"]);
  return got.map((list) => sorted(list.filter(([name]) => !ours.has(name))));
}

/** Servers that recover connections number what they send. */
function withoutOffset(args) {
  return /^\d+-\d+$/.test(args.at(-1)) ? args.slice(0, -1) : args;
}

function sorted(list) {
  return list.sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

module.exports = { behavesAsOne, recovers };
