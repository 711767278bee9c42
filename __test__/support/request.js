"use strict";

// Plain HTTP requests and bare WebSocket handshakes, for what a Socket.IO client
// does not show: status codes, headers, bodies.

const http = require("node:http");
const https = require("node:https");
const { WebSocket } = require("ws");
const { atEnd } = require("./cleanup");
const { withDeadline } = require("./events");

/** Sends a request and resolves with `{ status, headers, body, text, socket }`. */
function request(url, { method = "GET", headers = {}, body, agent = false, ...rest } = {}) {
  const { request: send } = url.startsWith("https:") ? https : http;
  const answered = new Promise((resolve, reject) => {
    const req = send(url, { method, headers, agent, ...rest }, (res) => {
      // The response gives its socket up when a keep-alive agent takes it back.
      const { socket } = res;
      const chunks = [];
      res.on("data", (chunk) => chunks.push(chunk));
      res.on("error", reject);
      res.on("end", () => {
        const all = Buffer.concat(chunks);
        const { statusCode: status, headers: received } = res;
        resolve({ status, headers: received, body: all, text: all.toString(), socket });
      });
    });
    req.on("error", reject);
    req.end(body);
  });
  return withDeadline(answered, () => `no answer to ${method} ${url}`);
}

/** Opens a polling session and resolves with its open packet and the response. */
async function openPolling(url, { path = "/socket.io/", ...options } = {}) {
  const response = await request(`${url}${path}?EIO=4&transport=polling`, options);
  const open = response.status === 200 ? JSON.parse(response.text.slice(1)) : undefined;
  return { response, open };
}

/**
 * Tries a WebSocket handshake. Resolves with `{ accepted, status, headers, body }`, plus
 * `{ webSocket, messages }` when it was accepted (closed when the test ends).
 */
function openWebSocket(t, url, { headers, protocols } = {}) {
  const webSocket = new WebSocket(url.replace(/^http/, "ws"), protocols, { headers });
  const messages = [];
  atEnd(t, () => webSocket.terminate());
  const answered = new Promise((resolve, reject) => {
    let received;
    webSocket.on("message", (data, binary) => messages.push(binary ? data : String(data)));
    webSocket.on("upgrade", (res) => {
      received = res.headers;
    });
    webSocket.on("open", () => {
      resolve({ accepted: true, status: 101, headers: received, webSocket, messages });
    });
    webSocket.on("unexpected-response", (req, res) => {
      const chunks = [];
      res.on("data", (chunk) => chunks.push(chunk));
      res.on("end", () => {
        const { statusCode: status, headers: refused } = res;
        resolve({ accepted: false, status, headers: refused, body: String(Buffer.concat(chunks)) });
      });
    });
    webSocket.on("error", reject);
  });
  return withDeadline(answered, () => `no answer to the WebSocket handshake ${url}`);
}

module.exports = { request, openPolling, openWebSocket };
