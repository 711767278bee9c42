"use strict";

// Certificates, made anew by the openssl command.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { execFileSync } = require("node:child_process");

/** How keys are asked for. */
const KEYS = {
  ec: ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
  p521: ["ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"],
  rsa: ["rsa:2048"],
};

/**
 * Returns `{ key, cert }` in PEM, for 127.0.0.1 or the host that is named.
 * @param {object} [options]
 * @param {string} [options.host]
 * @param {"ec"|"p521"|"rsa"} [options.type] of the key
 * @param {string} [options.passphrase] encrypts the key
 * @param {{key: Buffer, cert: Buffer}} [options.issuer] signs it instead
 * @param {boolean} [options.isAuthority] it may sign others, as those may that sign themselves
 */
function selfSigned({
  host,
  type = "ec",
  passphrase,
  issuer,
  isAuthority = issuer === undefined,
} = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "certificate-"));
  const file = (name) => path.join(folder, name);
  try {
    const signer = [];
    if (issuer !== undefined) {
      fs.writeFileSync(file("ca.pem"), issuer.cert);
      fs.writeFileSync(file("ca.key"), issuer.key);
      signer.push("-CA", file("ca.pem"), "-CAkey", file("ca.key"));
    }
    if (!isAuthority) {
      signer.push("-addext", "basicConstraints=critical,CA:FALSE");
    }
    execFileSync(
      "openssl",
      [
        ...["req", "-x509", "-newkey", ...KEYS[type], ...signer],
        ...(passphrase === undefined ? ["-nodes"] : ["-passout", `pass:${passphrase}`]),
        ...["-days", "2", "-subj", `/CN=${host ?? "127.0.0.1"}`],
        ...["-addext", `subjectAltName=${host === undefined ? "IP:127.0.0.1" : `DNS:${host}`}`],
        ...["-keyout", file("key.pem"), "-out", file("cert.pem")],
      ],
      { stdio: "pipe" },
    );
    return { key: fs.readFileSync(file("key.pem")), cert: fs.readFileSync(file("cert.pem")) };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

module.exports = { selfSigned };
