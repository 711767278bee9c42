"use strict";

// `engine.clients` as the application sees it. A sid that it deletes or gives to something else
// is not what it was to the core any more.

/**
 * Shows an object of connections by sid.
 * @param {Record<string, any>} clients
 * @param {(conn: any) => void} onParted called with a connection that is in its place no longer
 */
function viewOf(clients, onParted) {
  const part = (sid, next) => {
    if (Object.hasOwn(clients, sid) && clients[sid] !== next) {
      onParted(clients[sid]);
    }
  };
  return new Proxy(clients, {
    deleteProperty(target, sid) {
      part(sid, undefined);
      return Reflect.deleteProperty(target, sid);
    },
    defineProperty(target, sid, descriptor) {
      part(sid, descriptor.value);
      return Reflect.defineProperty(target, sid, descriptor);
    },
  });
}

module.exports = { viewOf };
