import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { Server, type Socket } from "ferrio";

interface ClientToServer {
  echo: (value: string, answer: (value: string) => void) => void;
  binary: (data: Buffer, answer: (data: Buffer) => void) => void;
}

const app = express();
const server = createServer(app);
const io = new Server<ClientToServer>(server);

app.get("/", (_req, res) => {
  res.send("hello from express");
});
io.on("connection", (socket: Socket<ClientToServer>) => {
  socket.on("echo", (value, answer) => answer(value));
  socket.on("binary", (data, answer) => answer(Buffer.from(data).reverse()));
});
server.listen(0, "127.0.0.1", () => {
  console.log((server.address() as AddressInfo).port);
});
