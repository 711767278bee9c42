"use strict";

// JSONP polling: answers that are scripts, bodies that are forms.

const assert = require("node:assert/strict");
const test = require("node:test");
const { startServer } = require("./support");

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

/** The payload inside a script that calls the callback of that number. */
function unwrap(script, digits = "7") {
  const calls = [];
  new Function("___eio", script)({ [digits]: (payload) => calls.push(payload) });
  assert.equal(calls.length, 1, script);
  return calls[0];
}

/** A form as the client of version 2 sends it: newlines are escaped once more. */
function form(payload) {
  const escaped = payload.replace(/\\n/g, "\\\\n").replace(/\n/g, "\\n");
  return `d=${encodeURIComponent(escaped)}`;
}

for (const EIO of [3, 4]) {
  const wrap = (packet) => (EIO === 3 ? `${packet.length}:${packet}` : packet);

  async function open(t, query = {}) {
    const server = await startServer(t, { allowEIO3: true });
    const own = { EIO, transport: "polling", j: 7, ...query };
    const first = await server.request({ query: own });
    assert.equal(first.status, 200, first.text);
    const payload = unwrap(first.text);
    const { sid } = JSON.parse(payload.slice(payload.indexOf("{")));
    const session = { ...own, sid };
    const get = () => server.request({ query: session });
    const post = (packet) =>
      server.request({ query: session, method: "POST", headers: FORM, body: form(wrap(packet)) });
    if (EIO === 4) {
      await post("40");
    }
    const connected = unwrap((await get()).text);
    const id = EIO === 3 ? sid : JSON.parse(connected.slice(2)).sid;
    return { first, get, post, record: server.sockets.get(id), server, sid };
  }

  test(`revision ${EIO}: the answers are scripts`, async (t) => {
    const { first, record } = await open(t);
    assert.match(first.text, /^___eio\[7\]\("[^\n]*"\);$/);
    assert.equal(first.headers["content-type"], "text/plain; charset=UTF-8");
    assert.equal(Number(first.headers["content-length"]), first.body.length);
    assert.equal(record.socket.conn.transport.name, "polling");
    assert.deepEqual(
      [record.socket.conn.transport.head, record.socket.conn.transport.foot],
      ["___eio[7](", ");"],
    );
  });

  test(`revision ${EIO}: line separators and quotes are escaped`, async (t) => {
    const { get, record } = await open(t);
    const text = 'a\u2028b\u2029"c"\\ é😀\n';
    record.socket.emit("text", text);
    const { text: script } = await get();
    assert.ok(!/[\u2028\u2029]/.test(script));
    assert.equal(unwrap(script), wrap(`42${JSON.stringify(["text", text])}`));
  });

  test(`revision ${EIO}: forms bring packets`, async (t) => {
    const { get, post, record } = await open(t);
    const values = ["plain", "a+b & c=d%", "line\nbreak", "slash\\n", "é😀"];
    for (const value of values) {
      const answer = await post(`42${JSON.stringify(["log", value])}`);
      assert.deepEqual([answer.status, answer.text], [200, "ok"]);
    }
    await post('421["echo",1]');
    assert.equal(unwrap((await get()).text), wrap("431[1]"));
    assert.deepEqual(
      record.log.map(([value]) => value),
      values,
    );
  });

  test(`revision ${EIO}: a form without the field d is taken and ignored`, async (t) => {
    const { get, post, server, sid } = await open(t);
    const query = { EIO, transport: "polling", j: 7, sid };
    for (const body of ["", "e=4", "d=4&d=4"]) {
      const answer = await server.request({ query, method: "POST", headers: FORM, body });
      assert.deepEqual([answer.status, answer.text], [200, "ok"]);
    }
    await post('421["echo",1]');
    assert.equal(unwrap((await get()).text), wrap("431[1]"));
  });

  test(`revision ${EIO}: only digits name the callback`, async (t) => {
    const server = await startServer(t, { allowEIO3: true });
    const query = { EIO, transport: "polling", j: "1];alert(2);x[3" };
    const { text } = await server.request({ query });
    assert.match(text, /^___eio\[123\]\("/);
  });

  test(`revision ${EIO}: binary is base64`, async (t) => {
    const { get, record } = await open(t, { b64: 1 });
    record.socket.emit("b", Buffer.from([1, 2]));
    const header = '451-["b",{"_placeholder":true,"num":0}]';
    const expected = EIO === 3 ? `${wrap(header)}${wrap("b4AQI=")}` : `${header}\x1ebAQI=`;
    assert.equal(unwrap((await get()).text), expected);
  });
}
