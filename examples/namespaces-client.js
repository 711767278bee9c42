"use strict";

// The client's side of namespaces.js: two namespaces over one connection.
// In a page you would write io("/chat"); SERVER_URL is only needed outside of one.

const { io } = require("socket.io-client");

const url = process.env.SERVER_URL ?? "http://localhost:3000";
const chatSocket = io(`${url}/chat`);
const notificationSocket = io(`${url}/notifications`);

chatSocket.on("connect", () => chatSocket.emit("message", "Hello, chat!"));
chatSocket.on("message", (text) => {
  console.log(`chat: ${text}`);
  notificationSocket.emit("notify", "Somebody said hello");
});

notificationSocket.on("notification", ({ text }) => {
  console.log(`notification: ${text}`);
  chatSocket.disconnect();
  notificationSocket.disconnect();
});

chatSocket.on("connect_error", (error) => console.error(`cannot connect: ${error.message}`));
