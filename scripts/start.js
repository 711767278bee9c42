"use strict";

// `npm start`: builds what is missing, then serves the chat of examples/chat.

const { prepare } = require("./prepare");
const { step } = require("./run-step");

prepare();
step("Serve the chat", "node", ["examples/chat/server.js"]);
