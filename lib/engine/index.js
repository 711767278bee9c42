"use strict";

// The engine: connections, transports, handshakes. Names only.

const { Server } = require("./server");
const { Socket } = require("./socket");
const { Transport } = require("./transport");
const { Polling } = require("./polling");
const { WebSocket } = require("./websocket");

module.exports = { Server, Socket, Transport, transports: { polling: Polling, websocket: WebSocket } };
