// The default import, with esModuleInterop: the module as an object. That it can be called as a
// function is left to code without types.

import sio from "socket.io";

export const io: sio.Server = new sio.Server();

// @ts-expect-error: callable at run time only
sio(3000);
