"use strict";

// Handshakes that wait for the application: for a middleware, or for `allowRequest`. A server
// whose application does not keep up refuses more of them instead of piling them up.

class Pending {
  constructor() {
    this.count = 0;
  }

  /**
   * Counts a handshake.
   * @param {import("events").EventEmitter} peer says "close" when the client has left
   * @returns {() => void} to be called when the application has answered
   */
  begin(peer) {
    this.count++;
    const end = () => {
      if (peer !== undefined) {
        peer.removeListener("close", end);
        peer = undefined;
        this.count--;
      }
    };
    peer.on("close", end);
    return end;
  }
}

module.exports = { Pending };
