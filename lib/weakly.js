"use strict";

// A callback that does not keep what it calls alive. It lives in a file of its own, because a
// function keeps everything alive that the code around it can see.

/**
 * Returns a function that calls `fn` for as long as somebody else holds on to `fn`.
 * @param {() => void} fn
 * @returns {() => void}
 */
function weakly(fn) {
  const ref = new WeakRef(fn);
  return () => ref.deref()?.();
}

module.exports = { weakly };
