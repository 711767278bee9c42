"use strict";

// uWebSockets.js in place of Node's http server: its transports are those of the
// `engine.io` package, and broadcasts go through JavaScript, one client at a time.

const debug = require("debug")("socket.io:server");
const { CLIENT_FILES, ETAG, WEAK_ETAG, contentType, load } = require("./client-files");
const engines = require("./engine");

/**
 * @param {import("./server").Server} io
 * @param {object} app an application of uWebSockets.js
 * @param {object} opts options of the engine, with the path
 */
function attachApp(io, app, opts) {
  debug("creating an engine on uWebSockets.js with opts %j", opts);
  const engine = new engines.uServer(opts);
  engine.attach(app, opts);
  io.bind(engine);
  if (io._serveClient) {
    app.get(`${io._path}/*`, (res, req) => serve(io, res, req));
  }
}

function serve(io, res, req) {
  const filename = io.extractFilename(req.getUrl());
  if (!CLIENT_FILES.has(filename)) {
    req.setYield(true);
    return;
  }
  const known = req.getHeader("if-none-match");
  if (known === ETAG || known === WEAK_ETAG) {
    debug("serve client %s 304", filename);
    res.writeStatus("304 Not Modified");
    res.end();
    return;
  }
  debug("serve client %s", filename);
  let aborted = false;
  res.onAborted(() => {
    aborted = true;
  });
  const answer = (write) => {
    if (!aborted) {
      res.cork(write);
    }
  };
  load(filename, "identity").then(
    (body) =>
      answer(() => {
        res.writeHeader("cache-control", "public, max-age=0");
        res.writeHeader("content-type", contentType(filename));
        res.writeHeader("etag", ETAG);
        res.end(body);
      }),
    (err) =>
      answer(() => {
        debug("cannot serve %s: %s", filename, err.message);
        res.writeStatus("500 Internal Server Error");
        res.end();
      }),
  );
}

module.exports = { attachApp };
