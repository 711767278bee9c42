"use strict";

// The browser client that the server offers under its path.

const assert = require("node:assert/strict");
const http = require("node:http");
const vm = require("node:vm");
const zlib = require("node:zlib");
const { name, target } = require("../support/target");
const { test } = require("../support/scenario");
const { listen, serve } = require("../support/app");
const { closeServerAtEnd } = require("../support/cleanup");
const { request } = require("../support/request");

const { version } = require(`${name}/package.json`);
const ETAG = `"${version}"`;

const SCRIPTS = [
  ...["socket.io.js", "socket.io.min.js"],
  ...["socket.io.esm.min.js", "socket.io.msgpack.min.js"],
];

for (const name of SCRIPTS) {
  test(`${name} is served`, async (t) => {
    const app = await serve(t);
    const file = await request(`${app.url}/socket.io/${name}`);
    assert.equal(file.status, 200);
    assert.equal(file.headers["content-type"], "application/javascript; charset=utf-8");
    assert.equal(file.headers["cache-control"], "public, max-age=0");
    assert.equal(file.headers.etag, ETAG);
    assert.match(file.text, /Socket\.IO v4\./);
  });

  test(`${name}.map is served`, async (t) => {
    const app = await serve(t);
    const file = await request(`${app.url}/socket.io/${name}.map`);
    assert.equal(file.status, 200);
    assert.equal(file.headers["content-type"], "application/json; charset=utf-8");
    assert.equal(file.headers.etag, ETAG);
    assert.equal(JSON.parse(file.text).version, 3);
  });
}

test("the script defines io", async (t) => {
  const app = await serve(t);
  for (const name of ["socket.io.js", "socket.io.min.js", "socket.io.msgpack.min.js"]) {
    const { text } = await request(`${app.url}/socket.io/${name}`);
    const scope = { setTimeout, clearTimeout, URL };
    scope.self = scope;
    scope.globalThis = scope;
    vm.runInNewContext(text, scope);
    assert.equal(typeof scope.io, "function", name);
    assert.equal(typeof scope.io.Manager, "function", name);
  }
});

test("the method does not matter", async (t) => {
  const app = await serve(t);
  for (const method of ["POST", "PUT", "OPTIONS"]) {
    const file = await request(`${app.url}/socket.io/socket.io.js`, { method });
    assert.equal(file.status, 200, method);
    assert.equal(file.headers.etag, ETAG);
  }
});

test("a query string does not matter", async (t) => {
  const app = await serve(t);
  const file = await request(`${app.url}/socket.io/socket.io.js?v=1&x`);
  assert.equal(file.status, 200);
  assert.equal(file.headers.etag, ETAG);
});

for (const known of [ETAG, `W/${ETAG}`]) {
  test(`a client that knows ${known} is told that nothing changed`, async (t) => {
    const app = await serve(t);
    const headers = { "if-none-match": known };
    const file = await request(`${app.url}/socket.io/socket.io.js`, { headers });
    assert.equal(file.status, 304);
    assert.equal(file.text, "");
    assert.equal(file.headers["cache-control"], undefined);
    assert.equal(file.headers.etag, undefined);
  });
}

test("a client that knows another version gets the file", async (t) => {
  const app = await serve(t);
  const headers = { "if-none-match": '"0.0.1"' };
  const file = await request(`${app.url}/socket.io/socket.io.js`, { headers });
  assert.equal(file.status, 200);
  assert.ok(file.body.length > 1000);
});

const DECODERS = {
  br: zlib.brotliDecompressSync,
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
};

for (const [encoding, decode] of Object.entries(DECODERS)) {
  test(`the files are compressed with ${encoding} when asked for`, async (t) => {
    const app = await serve(t);
    const url = `${app.url}/socket.io/socket.io.min.js`;
    const headers = { "accept-encoding": encoding };
    const packed = await request(url, { headers });
    const plain = await request(url);
    assert.equal(packed.headers["content-encoding"], encoding);
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.ok(decode(packed.body).equals(plain.body));
  });
}

test("other names below the path are not files", async (t) => {
  const app = await serve(t);
  for (const name of ["socket.io.slim.js", "socket.io.js.txt", "index.js"]) {
    const answer = await request(`${app.url}/socket.io/${name}`);
    assert.equal(answer.status, 400, name);
    assert.deepEqual(JSON.parse(answer.text), { code: 0, message: "Transport unknown" });
  }
});

test("the files are under the path of the server", async (t) => {
  const httpServer = http.createServer((req, res) => {
    res.writeHead(404).end();
  });
  const app = await serve(t, { httpServer, options: { path: "/custom" } });
  assert.equal((await request(`${app.url}/custom/socket.io.js`)).status, 200);
  assert.equal((await request(`${app.url}/socket.io/socket.io.js`)).status, 404);
});

test("serveClient: false serves no files", async (t) => {
  const app = await serve(t, { options: { serveClient: false } });
  const answer = await request(`${app.url}/socket.io/socket.io.js`);
  assert.equal(answer.status, 400);
  assert.equal(JSON.parse(answer.text).message, "Transport unknown");
});

test("the application does not see requests for the files", async (t) => {
  const httpServer = http.createServer(() => assert.fail("not for the application"));
  const app = await serve(t, { httpServer });
  assert.equal((await request(`${app.url}/socket.io/socket.io.js`)).status, 200);
});

for (const [title, serveClient, status] of [
  ["nothing", undefined, 200],
  ["null", null, 200],
  ["0", 0, 200],
  ["false", false, 400],
]) {
  test(`serveClient: ${title} is looked at when the server is attached`, async (t) => {
    const app = await serve(t, { options: { serveClient } });
    app.io.serveClient(!app.io.serveClient());
    assert.equal((await request(`${app.url}/socket.io/socket.io.js`)).status, status);
  });
}

test("io.serveClient(false) before the server is attached serves no files", async (t) => {
  const io = new target.Server().serveClient(false);
  const url = await attachAndListen(t, io);
  assert.equal((await request(`${url}/socket.io/socket.io.js`)).status, 400);
});

test("a path that only attach() is given moves the engine, not the files", async (t) => {
  const io = new target.Server();
  const url = await attachAndListen(t, io, { path: "/moved" });
  const handshake = "?EIO=4&transport=polling";
  assert.equal((await request(`${url}/moved/${handshake}`)).status, 200);
  assert.equal((await request(`${url}/socket.io/${handshake}`)).status, 404);
  assert.equal((await request(`${url}/socket.io/socket.io.js`)).status, 200);
  assert.equal((await request(`${url}/moved/socket.io.js`)).status, 400);
});

/** Attaches a server to an application that finds nothing. Resolves with the address. */
async function attachAndListen(t, io, options) {
  const httpServer = http.createServer((req, res) => res.writeHead(404).end());
  io.attach(httpServer, options);
  closeServerAtEnd(t, io);
  await listen(httpServer);
  return `http://127.0.0.1:${httpServer.address().port}`;
}
