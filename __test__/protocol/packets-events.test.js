"use strict";

// Socket.IO v5 EVENT and ACK packets from the client, as far as they are accepted: forms of the
// packet, ack ids, and every text that JSON allows. Binary ones are in packets-binary.test.js.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { event, startServer } = require("./support");

async function joined(t) {
  const server = await startServer(t);
  return server.join();
}

for (const packet of [
  "2",
  "212",
  "2[1]",
  "2[1.5,2]",
  '2["error"]',
  '2["error",1]',
  '2[""]',
  '2["unheard of",{"a":1}]',
  '2["__proto__"]',
  '2["constructor",1]',
  '2["toString"]',
  '2["hasOwnProperty"]',
  "3",
  "3[]",
  "31[]",
  '399["never asked"]',
  "31",
  "3/,1[]",
]) {
  test(`packet ${packet} is accepted`, async (t) => {
    const client = await joined(t);
    client.send(`4${packet}`);
    await client.echo();
    assert.equal(client.conn.readyState, "open");
  });
}

test('an event named "error" reaches the listeners of that name', async (t) => {
  const client = await joined(t);
  client.send('42["error","from the client"]');
  await client.echo();
  assert.deepEqual(client.record().errors, ["from the client"]);
});

test("a number names an event", async (t) => {
  const client = await joined(t);
  const heard = event(client.socket(), "7");
  client.send('42[7,"x"]');
  assert.deepEqual(await heard, ["x"]);
});

test("events of one connection are heard in order", async (t) => {
  const client = await joined(t);
  for (let n = 0; n < 200; n++) client.send(`42["log",${n}]`);
  await client.echo();
  const expected = Array.from({ length: 200 }, (_, n) => [n]);
  assert.deepEqual(client.record().log, expected);
});

for (const [sent, echoed] of [
  ["0", "0"],
  ["7", "7"],
  ["007", "7"],
  ["9007199254740991", "9007199254740991"],
  ["9007199254740993", "9007199254740992"],
  ["100000000000000000000", "100000000000000000000"],
  ["1000000000000000000000", "1e+21"],
  // A space passes for a digit, as Number() has it.
  [" 7", "7"],
  [" ", "0"],
]) {
  test(`the ack id ${sent} is answered as the number ${echoed}`, async (t) => {
    const client = await joined(t);
    client.send(`42${sent}["echo","x"]`);
    assert.equal(await client.text(), `43${echoed}["x"]`);
  });
}

test("an acknowledgement without arguments is an empty array", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  await client.join("/admin");
  client.send('425["echo"]');
  assert.equal(await client.text(), "435[]");
  client.send('42/admin,6["echo"]');
  assert.equal(await client.text(), "43/admin,6[]");
});

test("an acknowledgement is sent once", async (t) => {
  const client = await joined(t);
  client.socket().on("twice", (done) => {
    done(1);
    done(2);
  });
  client.send('423["twice"]');
  assert.equal(await client.text(), "433[1]");
  await client.echo();
});

test("ids of the server's own packets count up from 0 in each namespace", async (t) => {
  const server = await startServer(t);
  const client = await server.join();
  await client.join("/admin");
  const answers = [];
  const ask = (nsp) => client.socket(nsp).emit("q", (...args) => answers.push([nsp, ...args]));
  ask("/");
  ask("/");
  ask("/admin");
  assert.equal(await client.text(), '420["q"]');
  assert.equal(await client.text(), '421["q"]');
  assert.equal(await client.text(), '42/admin,0["q"]');
  client.send('431["second",2]');
  client.send("43/admin,0[]");
  client.send("430[]");
  client.send('430["again"]');
  await client.echo();
  await client.echo("/admin");
  // Namespaces share no order, only what one of them was sent does.
  assert.deepEqual(
    answers.filter(([nsp]) => nsp === "/"),
    [["/", "second", 2], ["/"]],
  );
  assert.deepEqual(
    answers.filter(([nsp]) => nsp === "/admin"),
    [["/admin"]],
  );
});

test("an ack for another client's packet is ignored", async (t) => {
  const server = await startServer(t);
  const [asked, liar] = [await server.join(), await server.join()];
  const answers = [];
  asked.socket().emit("q", (answer) => answers.push(answer));
  const question = await asked.text();
  const id = /^42(\d+)/.exec(question)[1];
  liar.send(`43${id}["lie"]`);
  await liar.echo();
  asked.send(`43${id}["truth"]`);
  await asked.echo();
  assert.deepEqual(answers, ["truth"]);
});

// Left: the arguments as sent. Right: what JSON.stringify makes of what JSON.parse read.
const TEXTS = [
  '"plain"',
  '"€😀\u2028\u2029\u007f"',
  String.raw`"\"\\\/\b\f\n\r\t\u0041\u20ac"`,
  String.raw`"\ud83d\ude00"`,
  String.raw`"\ud800"`,
  String.raw`"\udc00\ud800"`,
  String.raw`"\u0000\u001f"`,
  "0,-0,1.5,-1e-7,1E400,-1E400,123456789012345678901234567890,0.1e1,1e-400",
  "true,false,null",
  "{},[],[[]],[{}]",
  ' { "a" : [ 1 , 2 ] } ',
  "\t1\n,\r2 ",
  '{"a":1,"b":2,"a":3}',
  '{"2":"b","1":"a","x":0}',
  '{"":0," ":1,"\\u0061":2}',
  '{"_placeholder":true,"num":0}',
  '{"toJSON":1,"length":5,"__proto__":{"x":1},"constructor":{"prototype":{}}}',
  "[".repeat(500) + "]".repeat(500),
  '{"a":'.repeat(200) + "1" + "}".repeat(200),
  `"${"long ".repeat(20_000)}"`,
];

for (const text of TEXTS) {
  const shown = text.length > 70 ? `${text.slice(0, 60)}... (${text.length})` : text;
  test(`JSON arguments are read as JSON.parse does: ${JSON.stringify(shown)}`, async (t) => {
    const client = await joined(t);
    client.send(`421["echo",${text}]`);
    assert.equal(await client.text(), `431${JSON.stringify(JSON.parse(`[${text}]`))}`);
    client.send(`42["log",${text}]`);
    await client.echo();
    assert.deepEqual(client.record().log, [JSON.parse(`[${text}]`)]);
  });
}

test("__proto__ in arguments is an own property and sets no prototype", async (t) => {
  const client = await joined(t);
  client.send('42["log",{"__proto__":{"polluted":true}}]');
  await client.echo();
  const [[value]] = client.record().log;
  assert.deepEqual(Object.keys(value), ["__proto__"]);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal(value.polluted, undefined);
});

test("placeholders in a packet without attachments are left alone", async (t) => {
  const client = await joined(t);
  client.send('42["log",{"_placeholder":true,"num":9},[{"_placeholder":true}]]');
  await client.echo();
  assert.deepEqual(client.record().log, [
    [{ _placeholder: true, num: 9 }, [{ _placeholder: true }]],
  ]);
});
