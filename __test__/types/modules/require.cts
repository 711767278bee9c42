// CommonJS, as TypeScript writes it.

import sio = require("socket.io");
const { Server } = sio;

export const io: sio.Server = new Server();
export const socket = (s: sio.Socket) => s.id;
