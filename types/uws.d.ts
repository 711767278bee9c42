// The bridge to uWebSockets.js.

/** Does nothing: broadcasts reach the clients of uWebSockets.js without a change to adapters. */
export declare function patchAdapter(app: any): void;

/** Does nothing, as nothing was patched. */
export declare function restoreAdapter(): void;

/** Answers with a file on a response of uWebSockets.js. */
export declare function serveFile(res: any, filepath: string): void;
