"use strict";

// TLS to Redis: options of Node's `tls.connect()`, as the npm clients of Redis take them, read for
// the core.

const fs = require("fs");
const tls = require("tls");
const { certificatesIn, isObject, privateKey } = require("../../certificates");

/** What has a say in whom is trusted or how it is spoken, and the core does not know. */
const FOREIGN = [
  ...["ALPNProtocols", "checkServerIdentity", "ciphers", "crl", "ecdhCurve", "maxVersion"],
  ...["minVersion", "pfx", "pskCallback", "secureContext", "secureOptions", "secureProtocol"],
  "sigalgs",
];

/**
 * @param {any} options `true` stands for an empty object; what else clients keep there is ignored
 * @param {string} where the name of the option
 * @returns {object} see `RedisTls` in the binding
 */
function readTls(options, where) {
  if (options === true) {
    options = {};
  }
  if (!isObject(options)) {
    throw new TypeError(`option "${where}" of the Redis adapter must be an object, or true`);
  }
  const foreign = FOREIGN.find((name) => options[name] !== undefined);
  if (foreign !== undefined) {
    throw new TypeError(
      `ferrio/redis-adapter does not know "${where}.${foreign}": use @socket.io/redis-adapter`,
    );
  }
  const { ca, cert, key, passphrase, servername } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError(`option "${where}" needs both of "key" and "cert", or none`);
  }
  const chain = cert === undefined ? [] : certificatesIn(cert, `${where}.cert`);
  const secret = key === undefined ? undefined : privateKey(key, passphrase, `${where}.key`);
  if (secret !== undefined && !chain[0].checkPrivateKey(secret)) {
    throw new TypeError(`"${where}.key" is not the key of "${where}.cert"`);
  }
  const believed = ca === undefined ? defaultAuthorities() : [].concat(ca);
  return {
    roots: believed.flatMap((pem) => certificatesIn(pem, `${where}.ca`)).map(({ raw }) => raw),
    chain: chain.map(({ raw }) => raw),
    key: secret?.export({ type: "pkcs8", format: "der" }),
    serverName: servername,
    isVerified: options.rejectUnauthorized ?? process.env.NODE_TLS_REJECT_UNAUTHORIZED !== "0",
  };
}

/** Those that Node believes. */
function defaultAuthorities() {
  const { getCACertificates } = /** @type {any} */ (tls);
  if (getCACertificates !== undefined) {
    return getCACertificates("default");
  }
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  return extra ? [...tls.rootCertificates, fs.readFileSync(extra)] : tls.rootCertificates;
}

module.exports = { readTls };
