"use strict";

// The browser bundles, as the socket.io-client package ships them, over HTTP. Which
// requests get here is decided by the server.

const { readFile } = require("fs/promises");
const path = require("path");
const { promisify } = require("util");
const zlib = require("zlib");
const accepts = require("accepts");
const debug = require("debug")("socket.io:server");
const { version } = require("../package.json");

/** The names that are served; nothing else in the folder can be reached. */
const CLIENT_FILES = new Set(
  ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"].flatMap(
    (name) => [name, `${name}.map`],
  ),
);

const COMPRESS = {
  br: promisify(zlib.brotliCompress),
  gzip: promisify(zlib.gzip),
  deflate: promisify(zlib.deflate),
};
const ENCODINGS = Object.keys(COMPRESS);

const ETAG = `"${version}"`;
const WEAK_ETAG = `W/${ETAG}`;

/**
 * Answers a request for a file of the bundle; `send(filename, req, res)` writes the
 * body when the browser does not have it yet.
 */
function serveFile(filename, req, res, send) {
  const isMap = filename.endsWith(".map");
  const kind = isMap ? "map" : "source";
  const known = req.headers["if-none-match"];
  if (known === ETAG || known === WEAK_ETAG) {
    debug("serve client %s 304", kind);
    res.writeHead(304);
    res.end();
    return;
  }
  debug("serve client %s", kind);
  res.setHeader("Cache-Control", "public, max-age=0");
  res.setHeader("Content-Type", contentType(filename));
  res.setHeader("ETag", ETAG);
  send(filename, req, res);
}

/** Writes a file of the bundle, compressed as the browser prefers. */
function sendFile(filename, req, res) {
  const encoding = accepts(req).encodings(ENCODINGS) || "identity";
  load(filename, encoding).then(
    (body) => {
      // Headers first: with both at once Node would replace chunks by a length.
      res.writeHead(200, encoding === "identity" ? {} : { "content-encoding": encoding });
      res.end(body);
    },
    (err) => {
      debug("cannot serve %s: %s", filename, err.message);
      res.writeHead(500);
      res.end();
    },
  );
}

/** The content type of a file of the bundle. */
function contentType(filename) {
  const type = filename.endsWith(".map") ? "application/json" : "application/javascript";
  return `${type}; charset=utf-8`;
}

module.exports = { CLIENT_FILES, ETAG, WEAK_ETAG, contentType, load, sendFile, serveFile };

/** Promises of file contents by `encoding filename`: they are compressed once. */
const cache = new Map();

function load(filename, encoding) {
  const key = `${encoding} ${filename}`;
  let body = cache.get(key);
  if (!body) {
    body = read(filename, encoding);
    cache.set(key, body);
    // The next request may have more luck, after a lack of file descriptors for one.
    body.catch(() => cache.delete(key));
  }
  return body;
}

async function read(filename, encoding) {
  const content = await readFile(path.join(folder(), filename));
  return encoding === "identity" ? content : COMPRESS[encoding](content);
}

/**
 * Found when first needed: servers without browsers may do without that package. By a file in it, which
 * tools that collect what an application needs take along.
 */
function folder() {
  return path.dirname(require.resolve("socket.io-client/dist/socket.io.js"));
}
