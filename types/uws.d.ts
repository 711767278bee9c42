// The bridge to uWebSockets.js: not available, because the native engine takes its place.

/** Throws. */
export declare function patchAdapter(app: any): void;

/** Does nothing. */
export declare function restoreAdapter(): void;

/** Throws. */
export declare function serveFile(res: any, filepath: string): void;
