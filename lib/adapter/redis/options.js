"use strict";

// Options of the Redis adapter: where the server is, in any of the ways people write it.

const { isDefaultParser } = require("./parser");
const { readTls } = require("./tls");

/**
 * @param {any} options
 * @returns {{place: any, prefix: string, requestsTimeout: number,
 *   publishOnSpecificResponseChannel: boolean, parser: any, isDefaultParser: boolean}}
 */
function readOptions(options = {}) {
  if (typeof options === "string" || options instanceof URL) {
    options = { url: String(options) };
  }
  if (options === null || typeof options !== "object") {
    throw new TypeError(
      "the Redis adapter takes a URL, an object of options, or a client of the packages redis and " +
        `ioredis, not ${String(options)}`,
    );
  }
  const { parser = require("notepack.io") } = options;
  if (typeof parser?.encode !== "function" || typeof parser.decode !== "function") {
    throw new TypeError('option "parser" of the Redis adapter needs encode() and decode()');
  }
  return {
    place: placeOf(options),
    prefix: options.key || "socket.io",
    requestsTimeout: options.requestsTimeout || DEFAULT_TIMEOUT,
    publishOnSpecificResponseChannel: !!options.publishOnSpecificResponseChannel,
    parser,
    isDefaultParser: isDefaultParser(parser),
  };
}

/** The place, from `url`, from single options, or from those of an npm client. */
function placeOf({ pubClient, subClient, ...options }) {
  const client = pubClient ?? subClient;
  return client === undefined ? placeFrom(options) : placeOfClient(client);
}

function placeOfClient(client) {
  const { options } = client;
  const isCluster = client.isCluster || Array.isArray(client.masters);
  if (options === null || typeof options !== "object" || isCluster) {
    throw new TypeError(
      'options "pubClient" and "subClient" of ferrio/redis-adapter are read for the address of ' +
        "one server, and this client has none: give `url`, or use @socket.io/redis-adapter",
    );
  }
  const { url, socket, username, password, db, database = db } = options;
  // The package redis makes one itself of what it is given.
  const isGiven = username || password || /\/\/[^/]*@/.test(url);
  if (options.credentialsProvider && !isGiven) {
    throw new TypeError(
      'ferrio/redis-adapter does not know "credentialsProvider": give `username` and `password`, or ' +
        "use @socket.io/redis-adapter",
    );
  }
  // The package redis keeps what TLS needs beside the address; ioredis has it apart, and does not
  // use it for servers that Sentinel names unless it is told to.
  const { host, port, path, tls } = socket ?? options;
  const { sentinels, enableTLSForSentinelMode } = options;
  const secured = sentinels && !enableTLSForSentinelMode ? undefined : tls;
  return placeFrom({
    ...options,
    ...{ url, host, port, path, username, password, database },
    tls: secured && socket ? socketTls(socket) : secured,
  });
}

/** Options of TLS among those of a socket. */
function socketTls({ tls, ...socket }) {
  return typeof tls === "object" ? tls : socket;
}

/** @param {any} options */
function placeFrom({ url, tls, ...options }) {
  if (["sentinelRootNodes", "rootNodes", "nodes"].some((name) => options[name])) {
    throw new TypeError(
      "ferrio/redis-adapter connects to one Redis server, not to Redis Cluster, and to Sentinel by " +
        "`sentinels` and `name`: give those or `url`, or use @socket.io/redis-adapter",
    );
  }
  const isSecure = tls || /^(rediss|valkeys):/.test(url);
  return {
    url: url === undefined || url === null ? urlFrom(options) : completed(String(url), options),
    tls: isSecure ? readTls(tls || true, "tls") : undefined,
    sentinels: options.sentinels ? sentinelsFrom(options) : undefined,
  };
}

/**
 * Who names the server, by the names that options of ioredis have.
 * @param {any} options
 */
function sentinelsFrom({ sentinels, name, sentinelUsername, sentinelPassword, ...options }) {
  if (!Array.isArray(sentinels) || sentinels.length === 0 || typeof name !== "string") {
    throw new TypeError(
      'option "sentinels" of the Redis adapter must be a list of `{ host, port }`, and "name" what ' +
        "they call the servers",
    );
  }
  if (options.natMap || (options.role ?? "master") !== "master") {
    throw new TypeError(
      'ferrio/redis-adapter does not know "natMap" and "role": use @socket.io/redis-adapter',
    );
  }
  const credentials = { username: sentinelUsername, password: sentinelPassword };
  return {
    name,
    urls: sentinels.map(({ host, port = 26379 }) => urlFrom({ host, port, ...credentials })),
    tls: options.sentinelTLS ? readTls(options.sentinelTLS, "sentinelTLS") : undefined,
  };
}

function urlFrom({ host, port, ...options }) {
  const { path, username, password, db = 0, database = db } = options;
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
    return `unix://${encodeURI(path).replace(/[?#]/g, encodeURIComponent)}?${query}`;
  }
  host ??= "127.0.0.1";
  const name = host.includes(":") ? `[${host}]` : host;
  const credentials = user || secret ? `${user}${secret}@` : "";
  return `redis://${credentials}${name}:${port ?? 6379}/${database}`;
}

/** A URL with what it leaves to the options beside it: who logs in, and the database. */
function completed(url, { username, password, db, database = db }) {
  const text = checked(url);
  if (!URL.canParse(text)) {
    throw new TypeError('option "url" of the Redis adapter is no URL');
  }
  const place = new URL(text);
  if (place.protocol.endsWith("unix:")) {
    const { searchParams } = place;
    const isAnonymous = !searchParams.has("user") && !searchParams.has("pass");
    const beside = isAnonymous
      ? { user: username, pass: password, db: database }
      : { db: database };
    for (const [name, value] of Object.entries(beside)) {
      if (value && !searchParams.has(name)) {
        searchParams.set(name, String(value));
      }
    }
    return String(place);
  }
  const user = encodeURIComponent(username ?? place.username);
  if (!place.password && (!place.username || place.username === user)) {
    place.username = user;
    place.password = encodeURIComponent(password ?? "");
  }
  if (database && /^\/?$/.test(place.pathname)) {
    place.pathname = `/${database}`;
  }
  return String(place);
}

function checked(url) {
  if (!/^(rediss?|valkeys?|redis\+unix|unix):/.test(url)) {
    throw new TypeError(`option "url" of the Redis adapter must start with redis://, not "${url}"`);
  }
  return url.replace(/^(redis|valkey)s:/, "$1:");
}

const DEFAULT_TIMEOUT = 5_000;

module.exports = { readOptions };
