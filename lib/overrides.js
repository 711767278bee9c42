"use strict";

// Notices when an application puts a method of its own on one of our objects, so
// that fast paths, which would go past it, can step aside.

/**
 * Calls `notice(instance)` when the method is replaced on an instance. Reading, calling,
 * overriding in a subclass and patching the prototype work as with a plain method.
 * @param {object} prototype
 * @param {string} name
 * @param {(instance: object) => void} notice
 */
function onReplace(prototype, name, notice) {
  let method = prototype[name];
  Object.defineProperty(prototype, name, {
    configurable: true,
    enumerable: false,
    get: () => method,
    set(replacement) {
      if (this === prototype) {
        method = replacement;
        return;
      }
      Object.defineProperty(this, name, {
        value: replacement,
        configurable: true,
        enumerable: true,
        writable: true,
      });
      notice(this);
    },
  });
}

module.exports = { onReplace };
