"use strict";

// Options of the Redis adapter: where the server is, in any of the ways people write it.

const { isDefaultParser } = require("./parser");

/**
 * @param {any} options
 * @returns {{url: string, prefix: string, requestsTimeout: number,
 *   publishOnSpecificResponseChannel: boolean, parser: any, isDefaultParser: boolean}}
 */
function readOptions(options = {}) {
  if (typeof options === "string") {
    options = { url: options };
  }
  const { parser = require("notepack.io") } = options;
  if (typeof parser?.encode !== "function" || typeof parser.decode !== "function") {
    throw new TypeError('option "parser" of the Redis adapter needs encode() and decode()');
  }
  return {
    url: urlOf(options),
    prefix: options.key || "socket.io",
    requestsTimeout: options.requestsTimeout || DEFAULT_TIMEOUT,
    publishOnSpecificResponseChannel: !!options.publishOnSpecificResponseChannel,
    parser,
    isDefaultParser: isDefaultParser(parser),
  };
}

/** The address as a URL, from `url`, from single options, or from those of an npm client. */
function urlOf({ url, pubClient, subClient, ...rest }) {
  const client = pubClient ?? subClient;
  if (client !== undefined) {
    return urlOfClient(client);
  }
  if (namesMany(rest)) {
    throw new TypeError(
      "ferrio/redis-adapter connects to one Redis server, not to Sentinel or Redis Cluster: give " +
        "`url`, or use @socket.io/redis-adapter",
    );
  }
  if (url !== undefined) {
    return checked(String(url));
  }
  return urlFrom(rest);
}

function urlOfClient(client) {
  const { options } = client;
  const isCluster = client.isCluster || Array.isArray(client.masters);
  if (options === null || typeof options !== "object" || isCluster || namesMany(options)) {
    throw new TypeError(
      'options "pubClient" and "subClient" of ferrio/redis-adapter are read for the address of ' +
        "one server, and this client has none: give `url`, or use @socket.io/redis-adapter",
    );
  }
  if (options.url !== undefined) {
    return checked(String(options.url));
  }
  const { host, port, path, tls } = options.socket ?? options;
  const { username, password, db, database = db } = options;
  return urlFrom({ host, port, path, tls, username, password, database });
}

/** Sentinels, or the nodes of a cluster, as the packages redis and ioredis call them. */
function namesMany(options) {
  return ["sentinels", "sentinelRootNodes", "rootNodes", "nodes"].some((name) => options[name]);
}

function urlFrom({ host = "127.0.0.1", port = 6379, ...options }) {
  const { path, tls, username, password, db = 0, database = db } = options;
  if (tls) {
    throw new TypeError(NO_TLS);
  }
  const query = new URLSearchParams();
  const user = encodeURIComponent(username ?? "");
  const secret = password ? `:${encodeURIComponent(password)}` : "";
  if (path) {
    query.set("db", String(database));
    if (username) {
      query.set("user", username);
    }
    if (password) {
      query.set("pass", password);
    }
    return `unix://${path}?${query}`;
  }
  const name = host.includes(":") ? `[${host}]` : host;
  return `redis://${user}${secret}${user || secret ? "@" : ""}${name}:${port}/${database}`;
}

function checked(url) {
  if (/^rediss:|^valkeys:/.test(url)) {
    throw new TypeError(NO_TLS);
  }
  if (!/^(redis|valkey|redis\+unix|unix):/.test(url)) {
    throw new TypeError(`option "url" of the Redis adapter must start with redis://, not "${url}"`);
  }
  return url;
}

const DEFAULT_TIMEOUT = 5_000;
const NO_TLS =
  "ferrio/redis-adapter does not speak TLS to Redis: use @socket.io/redis-adapter for that";

module.exports = { readOptions };
