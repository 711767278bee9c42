"use strict";

// The HTTP side of a WebSocket handshake (RFC 6455, 4.2): which requests are sound,
// and what is answered. No streams here.

const { acceptKey } = require("../binding");

const KEY = /^[+/0-9A-Za-z]{22}==$/;
/** RFC 7230, 3.2.6. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Looks for what is wrong with an upgrade request.
 * @param {import("http").IncomingMessage} req
 * @returns {{status: number, message: string, headers?: object}|undefined}
 */
function findFault(req) {
  const { headers } = req;
  if (req.method !== "GET") {
    return { status: 405, message: "Invalid HTTP method" };
  }
  if (headers.upgrade === undefined || headers.upgrade.toLowerCase() !== "websocket") {
    return { status: 400, message: "Invalid Upgrade header" };
  }
  const key = headers["sec-websocket-key"];
  if (key === undefined || !KEY.test(key)) {
    return { status: 400, message: "Missing or invalid Sec-WebSocket-Key header" };
  }
  const version = Number(headers["sec-websocket-version"]);
  if (version !== 13 && version !== 8) {
    return {
      status: 400,
      message: "Missing or invalid Sec-WebSocket-Version header",
      headers: { "Sec-WebSocket-Version": "13, 8" },
    };
  }
  const protocols = headers["sec-websocket-protocol"];
  if (protocols !== undefined && parseSubprotocols(protocols) === undefined) {
    return { status: 400, message: "Invalid Sec-WebSocket-Protocol header" };
  }
  return undefined;
}

/** The subprotocol to agree on: the first that is offered, or "". */
function chooseSubprotocol(req) {
  const offered = req.headers["sec-websocket-protocol"];
  return (offered !== undefined && parseSubprotocols(offered)?.[0]) || "";
}

/** The names in the header, or undefined when it is malformed. */
function parseSubprotocols(header) {
  const names = header.split(",").map((name) => name.replace(/^[ \t]+|[ \t]+$/g, ""));
  const sound = names.every((name) => TOKEN.test(name)) && new Set(names).size === names.length;
  return sound ? names : undefined;
}

/**
 * The answer that accepts an upgrade.
 * @param {import("http").IncomingMessage} req
 * @param {string} subprotocol
 * @param {object} extra further headers; names and values that would break the answer are refused
 * @param {string} [extensions] those that were agreed on
 */
function accept(req, subprotocol, extra, extensions) {
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptKey(req.headers["sec-websocket-key"])}`,
  ];
  if (subprotocol) {
    lines.push(`Sec-WebSocket-Protocol: ${subprotocol}`);
  }
  if (extensions) {
    lines.push(`Sec-WebSocket-Extensions: ${extensions}`);
  }
  for (const name of Object.keys(extra)) {
    for (const value of Array.isArray(extra[name]) ? extra[name] : [extra[name]]) {
      lines.push(`${name}: ${checked(name, value)}`);
    }
  }
  return lines.join("\r\n") + "\r\n\r\n";
}

function checked(name, value) {
  const text = String(value);
  if (/[\r\n]/.test(text) || /[\r\n:]/.test(name)) {
    throw new TypeError(`invalid header on the upgrade response: ${JSON.stringify(name)}`);
  }
  return text;
}

/** The answer that refuses an upgrade. */
function refusal(status, reason, message, headers = {}) {
  const lines = [
    `HTTP/1.1 ${status} ${reason}`,
    "Connection: close",
    "Content-Type: text/html",
    `Content-Length: ${Buffer.byteLength(message)}`,
  ];
  for (const name of Object.keys(headers)) {
    lines.push(`${name}: ${headers[name]}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n${message}`;
}

module.exports = { accept, chooseSubprotocol, findFault, refusal };
