// Without esModuleInterop there is no default import.

// @ts-expect-error: no default export
import sio from "socket.io";

export const never = sio;
