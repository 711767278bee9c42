"use strict";

// Keys and certificates as applications give them, read by Node's own code for the core.

const { createPrivateKey, X509Certificate } = require("crypto");

/**
 * All certificates in a PEM text.
 * @param {any} pem
 * @param {string} where the name of the option
 */
function certificatesIn(pem, where) {
  const blocks = String(pem).match(CERTIFICATE);
  if (blocks === null) {
    throw new TypeError(`"${where}" must be certificates in PEM`);
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (err) {
    throw new TypeError(`"${where}" cannot be read: ${err.message}`, { cause: err });
  }
}

/**
 * The key, decrypted, if the core can use it.
 * @param {any} pem
 * @param {string|undefined} passphrase
 * @param {string} where the name of the option
 */
function privateKey(pem, passphrase, where) {
  const given = isObject(pem) && "pem" in pem ? pem : { pem };
  let key;
  try {
    key = createPrivateKey({ key: given.pem, passphrase: given.passphrase ?? passphrase });
  } catch (err) {
    throw new TypeError(`"${where}" cannot be read: ${err.message}`, { cause: err });
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const isKnown =
    type === "ed25519" ||
    (type === "rsa" && details.modulusLength >= 2048) ||
    (type === "ec" && ["prime256v1", "secp384r1"].includes(details.namedCurve));
  if (!isKnown) {
    throw new TypeError(
      `"${where}" must be RSA of 2048 bits or more, EC over P-256 or P-384, or Ed25519`,
    );
  }
  return key;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

module.exports = { certificatesIn, isObject, privateKey };
