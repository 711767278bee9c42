"use strict";

// An application of uWebSockets.js as far as polling and files need it, over Node's http
// server: the real package is not on npm.

const http = require("node:http");
const { atEnd } = require("./cleanup");
const { next } = require("./events");

/** Starts an application whose routes are added later; resolves with `{ app, url }`. */
async function startFakeApp(t) {
  const routes = [];
  const app = {
    any: (path, handler) => add(undefined, path, handler),
    get: (path, handler) => add("GET", path, handler),
    ws: () => app,
    publish: () => {},
  };
  function add(method, path, handler) {
    routes.push({ method, path, handler });
    return app;
  }
  const server = http.createServer((req, res) => {
    const request = new FakeRequest(req);
    const response = new FakeResponse(req, res);
    for (const { method, path, handler } of routes) {
      if (method !== undefined && method !== req.method) continue;
      if (!matches(path, request.path)) continue;
      request.yielded = false;
      handler(response, request);
      if (!request.yielded) return;
    }
    res.writeHead(404).end("no route");
  });
  server.listen(0, "127.0.0.1");
  await next(server, "listening");
  atEnd(t, () => {
    server.close();
    server.closeAllConnections();
  });
  return { app, url: `http://127.0.0.1:${server.address().port}` };
}

/** True when a route, which may end in a wildcard, takes a path. */
function matches(route, path) {
  return route.endsWith("*") ? path.startsWith(route.slice(0, -1)) : path === route;
}

class FakeRequest {
  constructor(req) {
    const [path, query = ""] = req.url.split("?");
    this.path = path;
    this._search = query;
    this._req = req;
  }

  getMethod() {
    return this._req.method.toLowerCase();
  }

  getUrl() {
    return this.path;
  }

  getQuery() {
    return this._search;
  }

  getHeader(name) {
    return this._req.headers[name] ?? "";
  }

  forEach(fn) {
    for (const [name, value] of Object.entries(this._req.headers)) fn(name, String(value));
  }

  setYield(value) {
    this.yielded = value;
  }
}

class FakeResponse {
  constructor(req, res) {
    this._req = req;
    this._res = res;
    this._offset = 0;
    this._status = 200;
  }

  getRemoteAddressAsText() {
    return Buffer.from("10.1.2.3");
  }

  onAborted(fn) {
    this._res.on("close", () => this._res.writableEnded || fn());
    return this;
  }

  onData(fn) {
    const exact = (chunk) => new Uint8Array(chunk).buffer;
    this._req.on("data", (chunk) => fn(exact(chunk), false));
    this._req.on("end", () => fn(new ArrayBuffer(0), true));
    return this;
  }

  cork(fn) {
    fn();
    return this;
  }

  writeStatus(status) {
    this._status = parseInt(status, 10);
    return this;
  }

  writeHeader(name, value) {
    this._res.appendHeader(name, value);
    return this;
  }

  end(body) {
    this._res.writeHead(this._status);
    this._res.end(body === undefined ? undefined : Buffer.from(body));
    return this;
  }

  getWriteOffset() {
    return this._offset;
  }

  tryEnd(chunk, total) {
    this._res.write(Buffer.from(chunk));
    this._offset += chunk.byteLength;
    const done = this._offset >= total;
    if (done) this._res.end();
    return [true, done];
  }

  close() {
    this._res.destroy();
    return this;
  }
}

module.exports = { startFakeApp };
