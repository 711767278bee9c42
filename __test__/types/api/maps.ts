// The event maps that the other files share.

/** What clients send. */
export interface ClientToServer {
  nothing: () => void;
  say: (text: string, loud: boolean) => void;
  ask: (question: string, answer: (text: string, sure: boolean) => void) => void;
  ping: (answer: () => void) => void;
  maybe: (value: number, answer?: (ok: boolean) => void) => void;
}

/** What clients receive. */
export interface ServerToClient {
  nothing: () => void;
  said: (by: string, text: string) => void;
  count: (n: number) => void;
  ask: (question: string, answer: (text: string) => void) => void;
  ready: (answer: (state: { ok: boolean }, since: number) => void) => void;
  seen: (answer: () => void) => void;
  failed: (answer: (err: Error, code: number) => void) => void;
}

/** What servers tell each other. */
export interface ServerToServer {
  joined: (name: string) => void;
  load: (since: number, answer: (percent: number) => void) => void;
}

/** `socket.data`. */
export interface Profile {
  name: string;
  age?: number;
}
