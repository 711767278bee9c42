"use strict";

// TLS of servers that the native listener accepts for: the options of Node's https servers are
// read, keys and certificates with Node's own code, and what they come to is given to the core.

const https = require("https");
const tls = require("tls");
const { certificatesIn, isObject, privateKey } = require("../certificates");
const { mustBe } = require("../must-be");

/** On https servers whose TLS the core may speak. */
const kTls = Symbol("tls");
/** On sockets whose bytes the core decrypts and encrypts. */
const kDecrypted = Symbol("decrypted");

/** What each option has to be, where not any value will do; checked here and by Node. */
const OPTIONS = {
  key: undefined,
  cert: undefined,
  ca: undefined,
  passphrase: undefined,
  minVersion: [isVersion, '"TLSv1.2" or "TLSv1.3"'],
  maxVersion: [isVersion, '"TLSv1.2" or "TLSv1.3"'],
  ALPNProtocols: [isHttp1, '["http/1.1"]'],
  handshakeTimeout: [isDuration, "a whole number of milliseconds from 1 on"],
  contexts: [isObject, "an object with the options of a context for each server name"],
};
/** Those that each of the contexts takes. */
const CONTEXT_OPTIONS = ["key", "cert", "ca", "passphrase"];

/** What https servers keep of options that the core does not have, by name and by symbol. */
const FIELDS = [
  "pfx",
  "clientCertEngine",
  "privateKeyEngine",
  "privateKeyIdentifier",
  "requestCert",
  "secureProtocol",
  "secureOptions",
  "crl",
  "sigalgs",
  "ciphers",
  "ecdhCurve",
  "dhparam",
  "ticketKeys",
  "sessionTimeout",
  "ALPNCallback",
];
const FIELDS_BY_SYMBOL = { SNICallback: "snicallback", pskCallback: "pskcallback" };
/** Events by which an application has a part in handshakes. */
const EVENTS = ["newSession", "resumeSession", "OCSPRequest", "keylog"];
/** `["http/1.1"]` as servers keep it. */
const HTTP1 = Buffer.from("\x08http/1.1", "latin1");

/**
 * Makes an https server of the option `tls`.
 * @param {any} options
 * @param {import("http").RequestListener} listener
 * @param {boolean} isNative the native listener accepts its connections, where it can
 */
function createSecureServer(options, listener, isNative) {
  if (!isObject(options)) {
    throw new TypeError('the option "tls" must be an object with a "key" and a "cert"');
  }
  const setup = isNative ? readSetup(options) : undefined;
  const { contexts, ...own } = options;
  const server = https.createServer(own, listener);
  addContexts(server, contexts);
  if (setup !== undefined) {
    prepare(server, options, setup);
  }
  return server;
}

/**
 * Prepares an https server of the application for the core.
 * @param {any} server
 * @returns {string|undefined} why that cannot be, if it cannot
 */
function prepareServer(server) {
  if (server[kTls] !== undefined) {
    return undefined;
  }
  const foreign =
    FIELDS.find((name) => server[name]) ??
    Object.keys(FIELDS_BY_SYMBOL).find((name) => field(server, FIELDS_BY_SYMBOL[name])) ??
    EVENTS.find((name) => server.listenerCount(name) > 0);
  if (foreign !== undefined) {
    return `it has "${foreign}", which only Node knows`;
  }
  if (server._contexts.length > 0) {
    return "it has contexts of its own for some server names";
  }
  if (!HTTP1.equals(server.ALPNProtocols ?? HTTP1)) {
    return '"ALPNProtocols" is not ["http/1.1"]';
  }
  const { key, cert, ca, passphrase } = server;
  const { minVersion = tls.DEFAULT_MIN_VERSION, maxVersion = tls.DEFAULT_MAX_VERSION } = server;
  const asked = field(server, "handshake-timeout");
  const handshakeTimeout = Math.min(asked ?? HANDSHAKE_TIMEOUT, HANDSHAKE_TIMEOUT);
  const options = { key, cert, ca, passphrase, minVersion, maxVersion, handshakeTimeout };
  try {
    prepare(server, options, readSetup(options));
  } catch (err) {
    return err.message;
  }
  return undefined;
}

/** The core may speak the TLS of a server from now on, and follows when its context is replaced. */
function prepare(server, options, setup) {
  const state = { setup, options, onChange: noop };
  Object.defineProperty(server, kTls, { value: state });
  const { addContext, setSecureContext } = server;
  const change = (options, apply) => {
    const setup = readSetup(options);
    apply();
    Object.assign(state, { setup, options });
    state.onChange();
  };
  server.setSecureContext = (changed) => {
    const next = { ...state.options, ...changed };
    change(next, () => {
      setSecureContext.call(server, next);
      for (const name of Object.keys(changed.contexts ?? {})) {
        addContext.call(server, name, changed.contexts[name]);
      }
    });
  };
  server.addContext = (name, context) => {
    const contexts = { ...state.options.contexts, [name]: context };
    change({ ...state.options, contexts }, () => addContext.call(server, name, context));
  };
}

/** The value under a symbol of Node's own. */
function field(server, description) {
  const symbols = Object.getOwnPropertySymbols(server);
  return server[symbols.find((symbol) => symbol.description === description)];
}

/** What the core is given: see `TlsOptions` in the binding. */
function readSetup(options) {
  check(options, Object.keys(OPTIONS), "tls");
  const { minVersion = "TLSv1.2", maxVersion = "TLSv1.3", contexts = {} } = options;
  if (minVersion > maxVersion) {
    throw new TypeError('the option "tls.maxVersion" is below "tls.minVersion"');
  }
  const identities = identitiesOf(options, undefined, "tls");
  for (const name of Object.keys(contexts)) {
    const where = `tls.contexts[${JSON.stringify(name)}]`;
    check(contexts[name], CONTEXT_OPTIONS, where);
    identities.push(...identitiesOf(contexts[name], name, where));
  }
  return {
    handshakeTimeout: options.handshakeTimeout ?? HANDSHAKE_TIMEOUT,
    native: { identities, tls12: minVersion === "TLSv1.2", tls13: maxVersion === "TLSv1.3" },
  };
}

/** Certificates with their keys. With several of each, the first belong together, and so on. */
function identitiesOf({ key, cert, ca, passphrase }, name, where) {
  const keys = list(key);
  const chains = list(cert);
  if (keys.length === 0 || keys.length !== chains.length) {
    throw new TypeError(`"${where}" needs a "key" for each "cert", and at least one of both`);
  }
  const others = list(ca).flatMap((pem) => certificatesIn(pem, `${where}.ca`));
  return keys.map((pem, i) => {
    const chain = complete(certificatesIn(chains[i], `${where}.cert`), others);
    const secret = privateKey(pem, passphrase, `${where}.key`);
    if (!chain[0].checkPrivateKey(secret)) {
      throw new TypeError(`"${where}.key" is not the key of "${where}.cert"`);
    }
    return {
      name,
      chain: chain.map(({ raw }) => raw),
      key: secret.export({ type: "pkcs8", format: "der" }),
    };
  });
}

/** Adds who signed the last of a chain, except for the root that clients have, as OpenSSL does. */
function complete(chain, others) {
  const whole = [...chain];
  for (let left = others.length; left > 0; left--) {
    const last = whole[whole.length - 1];
    const issuer = others.find((other) => last.checkIssued(other));
    if (issuer === undefined || issuer.checkIssued(issuer)) {
      break;
    }
    whole.push(issuer);
  }
  return whole;
}

function addContexts(server, contexts = {}) {
  for (const name of Object.keys(contexts)) {
    server.addContext(name, contexts[name]);
  }
}

function check(options, known, where) {
  if (!isObject(options)) {
    throw new TypeError(`"${where}" must be an object with a "key" and a "cert"`);
  }
  for (const name of Object.keys(options)) {
    if (options[name] === undefined) {
      continue;
    }
    if (!known.includes(name)) {
      throw new TypeError(
        `the native listener does not take "${where}.${name}": known are ${known.join(", ")}; ` +
          'with acceptor: "node", all options of tls.createServer() are taken',
      );
    }
    const [isSound, words] = OPTIONS[name] ?? [];
    if (isSound !== undefined && !isSound(options[name])) {
      throw new TypeError(mustBe(`"${where}.${name}"`, words, options[name]));
    }
  }
}

/**
 * Shows a socket as one of a TLS connection.
 * @param {any} socket
 */
function markAsSecure(socket) {
  Object.assign(socket, {
    encrypted: true,
    // No client is asked for a certificate.
    authorized: false,
    authorizationError: null,
    getPeerCertificate: () => ({}),
    [kDecrypted]: true,
  });
}

function list(value) {
  return value === undefined ? [] : [].concat(value);
}

function isVersion(value) {
  return value === "TLSv1.2" || value === "TLSv1.3";
}

function isHttp1(value) {
  return Array.isArray(value) && value.length === 1 && value[0] === "http/1.1";
}

function isDuration(value) {
  return Number.isInteger(value) && value >= 1 && value < 2 ** 31;
}

function noop() {}

/** Milliseconds: who is there answers faster. */
const HANDSHAKE_TIMEOUT = 10_000;

module.exports = { createSecureServer, field, kDecrypted, kTls, markAsSecure, prepareServer };
