// What makes the public ids of sockets.

/** Makes ids that cannot be guessed and cannot repeat within a process. */
export declare const base64id: {
  /** Returns an id of 20 characters of `[A-Za-z0-9_-]`. */
  generateId(): string;
};
