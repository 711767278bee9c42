// With engine.io installed, `io.engine` and `socket.conn` have its types.

import type { Server as EngineServer, Socket as EngineSocket } from "engine.io";
import { Server } from "socket.io";
import { expectType } from "../expect";

const io = new Server();
expectType<EngineServer>()(io.engine);
io.on("connection", (socket) => {
  expectType<EngineSocket>()(socket.conn);
  expectType<EngineSocket>()(socket.client.conn);
});
