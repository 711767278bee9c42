"use strict";

// Socket.IO v5 packets that are refused: those that do not parse (an "error" event, then a forced
// close) and those that come in the wrong state. Attachments are in packets-binary.test.js.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { RS, startHostile } = require("./support");

/** Packets that do not parse, by the message of the error they cause. */
const UNPARSABLE = {
  "unknown packet type 7": ["7", '7["log"]', "7/admin,"],
  "unknown packet type 8": ["8"],
  "unknown packet type 9": ['9["log"]'],
  "unknown packet type NaN": ["a", "abc", "{}", '["log"]', "-1", "€", "\0", '/admin,["log"]'],
  "invalid payload": [
    // JSON that ends too soon, or does not end
    '2["log"',
    "2[",
    '2["log',
    '2["log"]x',
    '2["log"]]',
    '2["log"],',
    '2["log"] ["log"]',
    '2["log"]\0',
    // texts that are nearly JSON
    '2["log",]',
    "2[,]",
    "2['log']",
    '2["log",NaN]',
    '2["log",undefined]',
    '2["log",Infinity]',
    '2["log",01]',
    '2["log",+1]',
    '2["log",.5]',
    '2["log",1.]',
    '2["log",1e]',
    '2["log",-]',
    '2["log",0x1]',
    '2["log",tru]',
    '2["log",True]',
    '2["log",{a:1}]',
    '2["log",{"a":1,}]',
    '2["log",{"a"}]',
    '2["log",{"a":}]',
    '2["log",{1:2}]',
    '2["log" 1]',
    '2["log",/**/1]',
    String.raw`2["log","\q"]`,
    String.raw`2["log","\u12"]`,
    String.raw`2["log","\u12g4"]`,
    String.raw`2["log","\x41"]`,
    '2["log","a\tb"]',
    '2["log","a\nb"]',
    '2["log","\u0001"]',
    '2["log",\v1]',
    '2["log",\u00a01]',
    '2["log",\ufeff1]',
    // JSON that is no event
    "2{}",
    '2"log"',
    "2null",
    "2true",
    "2[]",
    "2[null]",
    "2[true]",
    "2[{}]",
    '2[["log"]]',
    '2{"0":"log"}',
    "212{}",
    // reserved names
    ...[
      "connect",
      "connect_error",
      "disconnect",
      "disconnecting",
      "newListener",
      "removeListener",
    ].map((name) => `2["${name}"]`),
    String.raw`2["\u0063onnect"]`,
    '2/admin,["connect"]',
    // other types
    "0null",
    "0[]",
    '0"x"',
    "0true",
    "0{",
    '0{"a":1',
    "0/admin,[]",
    "1{}",
    "1[]",
    '1"bye"',
    "1null",
    "1/admin,{}",
    "3{}",
    '3"x"',
    "3null",
    "31{}",
    "31[",
    "4[]",
    "4null",
    "4true",
    // something where only a namespace, an id or JSON may stand
    '2-1["log"]',
    '2-["log"]',
    '2x["log"]',
    '21.5["log"]',
    '2admin,["log"]',
    '2,["log"]',
  ],
};

for (const [message, packets] of Object.entries(UNPARSABLE)) {
  for (const packet of packets) {
    test(`"${message}" over WebSocket: ${JSON.stringify(packet)}`, async (t) => {
      const server = await startHostile(t);
      const client = await server.join();
      client.send(`4${packet}`);
      assert.equal(await client.closeHandshake(), undefined);
      assert.deepEqual(await client.ending(), {
        conn: "forced close",
        socket: "forced close",
        errors: [message],
      });
      assert.deepEqual(client.record().log, []);
      await server.undisturbed();
    });
  }
}

test("every namespace of the client hears of a packet that does not parse", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  await client.join("/admin");
  client.send("4abc");
  assert.equal(await client.closeHandshake(), undefined);
  for (const nsp of ["/", "/admin"]) {
    const { socket, errors } = await client.ending(nsp);
    assert.deepEqual([socket, errors], ["forced close", ["unknown packet type NaN"]]);
  }
  assert.deepEqual(server.sockets.get(server.bystander.ids["/"]).errors, []);
  await server.undisturbed();
});

test("a packet that does not parse closes a client without a namespace", async (t) => {
  const server = await startHostile(t);
  const client = await server.websocket();
  client.send("4abc");
  assert.equal(await client.closeHandshake(), undefined);
  assert.equal((await client.closed()).reason, "forced close");
  await server.undisturbed();
});

test("over polling the error is heard at once, the close at the next GET", async (t) => {
  const server = await startHostile(t);
  const client = await server.polling();
  await client.join();
  await client.post("4abc");
  assert.deepEqual(
    client.record().errors.map(({ message }) => message),
    ["unknown packet type NaN"],
  );
  assert.equal(client.conn.readyState, "closing");
  assert.equal(client.socket().connected, true);
  assert.equal(await client.get(), `6${RS}1`);
  assert.deepEqual(await client.ending(), {
    conn: "forced close",
    socket: "forced close",
    errors: ["unknown packet type NaN"],
  });
  await client.gone();
  await server.undisturbed();
});

test("over polling with a GET held the close comes at once", async (t) => {
  const server = await startHostile(t);
  const client = await server.polling();
  await client.join();
  const poll = await client.hold();
  await client.post('42["log"');
  assert.equal(await poll.text(), "1");
  assert.deepEqual(await client.ending(), {
    conn: "forced close",
    socket: "forced close",
    errors: ["invalid payload"],
  });
  await client.gone();
  await server.undisturbed();
});

test("an event in front of a packet that does not parse, in one payload, is dropped", async (t) => {
  const server = await startHostile(t);
  const client = await server.polling();
  await client.join();
  const poll = await client.hold();
  await client.post(['42["log",1]', "4abc", '42["log",2]'].join(RS));
  assert.equal(await poll.text(), "1");
  await client.closed();
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
});

test("an empty message does not parse, over WebSocket", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  client.send("4");
  assert.equal(await client.closeHandshake(), undefined);
  const { conn, socket, errors } = await client.ending();
  assert.deepEqual([conn, socket, errors.length], ["forced close", "forced close", 1]);
  await server.undisturbed();
});

test("an empty message does not parse, over polling", async (t) => {
  const server = await startHostile(t);
  const client = await server.polling();
  await client.join();
  await client.post("4");
  assert.equal(await client.get(), `6${RS}1`);
  const { conn, socket, errors } = await client.ending();
  assert.deepEqual([conn, socket, errors.length], ["forced close", "forced close", 1]);
  await server.undisturbed();
});

/** Packets that are well-formed and come in the wrong state: [joined namespaces, packet]. */
const WRONG_STATE = [
  [[], '2["log"]'],
  [[], "2"],
  [[], "3[]"],
  [[], "30[]"],
  [[], "1"],
  [[], "4{}"],
  [[], '4"x"'],
  [["/"], "0"],
  [["/"], '0{"token":"x"}'],
  [["/admin"], "0/admin,"],
  [["/"], "4{}"],
  [["/"], '4"x"'],
  [["/"], "4"],
  [["/"], '2/admin,["log"]'],
  [["/"], "3/admin,0[]"],
  [["/"], "1/admin,"],
  [["/"], '2/nope,["log"]'],
  [["/"], '2/__proto__,["log"]'],
  [["/admin"], '2["log"]'],
  [["/admin"], "1"],
];

for (const [namespaces, packet] of WRONG_STATE) {
  const joined = namespaces.length === 0 ? "no namespace" : namespaces.join();

  test(`${packet} with ${joined} joined closes the connection, over WebSocket`, async (t) => {
    const server = await startHostile(t);
    const client = await server.websocket();
    for (const nsp of namespaces) await client.join(nsp);
    client.send(`4${packet}`);
    assert.equal(await client.closeHandshake(), undefined);
    assert.equal((await client.closed()).reason, "forced close");
    for (const nsp of namespaces) {
      const { socket, errors } = await client.ending(nsp);
      assert.deepEqual([socket, errors], ["forced close", []]);
      assert.deepEqual(client.record(nsp).log, []);
    }
    await server.undisturbed();
  });

  test(`${packet} with ${joined} joined closes the connection, over polling`, async (t) => {
    const server = await startHostile(t);
    const client = await server.polling();
    for (const nsp of namespaces) await client.join(nsp);
    await client.post(`4${packet}`);
    // The session waits for a GET to say goodbye; its sockets are told already.
    for (const nsp of namespaces) {
      assert.equal(await client.disconnected(nsp), "forced server close");
      assert.deepEqual(client.record(nsp).errors, []);
    }
    assert.equal(client.conn.readyState, "closing");
    assert.equal(await client.get(), `6${RS}1`);
    assert.equal((await client.closed()).reason, "forced close");
    await client.gone();
    await server.undisturbed();
  });
}

test("in the wrong state with a GET held, the sockets hear of a forced close", async (t) => {
  const server = await startHostile(t);
  const client = await server.polling();
  await client.join();
  const poll = await client.hold();
  await client.post("40");
  assert.equal(await poll.text(), "1");
  assert.deepEqual(await client.ending(), {
    conn: "forced close",
    socket: "forced close",
    errors: [],
  });
  await server.undisturbed();
});

test("an event for a namespace just left closes the connection", async (t) => {
  const server = await startHostile(t);
  const client = await server.join();
  client.send("41");
  await client.disconnected();
  client.send('42["log"]');
  assert.equal(await client.closeHandshake(), undefined);
  assert.equal((await client.closed()).reason, "forced close");
  assert.deepEqual(client.record().log, []);
  await server.undisturbed();
});

test("many hostile clients at once do not disturb one that behaves", async (t) => {
  const server = await startHostile(t);
  const packets = ["4abc", '42["log"', "40", "x", "", "2", "4", "451-[]", "bAQID", "44{}"];
  const clients = await Promise.all(packets.map(() => server.join()));
  const ends = clients.map((client) => client.closed());
  for (const [i, client] of clients.entries()) {
    client.send(packets[i]);
    await server.bystander.echo();
  }
  await Promise.all(ends);
  assert.equal(server.io.of("/").sockets.size, 1);
  await server.undisturbed();
});
