"use strict";

// Waiting for events instead of sleeping. A wait that is not fulfilled fails with a
// message that names what was awaited, well before the time limit of the test.

const DEADLINE = 15_000;

/** Resolves with the arguments of the next `event`. */
async function next(emitter, event) {
  const [args] = await collect(emitter, event, 1);
  return args;
}

/** Resolves with the arguments of each of the next `count` occurrences of `event`. */
function collect(emitter, event, count) {
  const seen = [];
  let listener;
  const waiting = new Promise((resolve) => {
    listener = (...args) => {
      seen.push(args);
      if (seen.length === count) {
        emitter.off(event, listener);
        resolve(seen);
      }
    };
    emitter.on(event, listener);
  });
  const settled = withDeadline(waiting, () => {
    return `event "${String(event)}" came ${seen.length} times instead of ${count}`;
  }).finally(() => emitter.off(event, listener));
  // A test that fails before it looks at this promise must not also report it as unhandled.
  settled.catch(() => {});
  return settled;
}

/** Resolves when `condition()` is true, looked at once in every turn of the event loop. */
function until(condition, what = condition.toString()) {
  let stopped = false;
  const waiting = new Promise((resolve, reject) => {
    (function look() {
      if (stopped) {
        return;
      }
      try {
        if (condition()) {
          return resolve();
        }
      } catch (error) {
        return reject(error);
      }
      setImmediate(look);
    })();
  });
  return withDeadline(waiting, () => `still waiting until ${what}`).finally(() => {
    stopped = true;
  });
}

/**
 * Resolves when everything that was emitted before, in either direction, has been
 * handled. It proves that something did not arrive without waiting for a while.
 */
async function settle(client, socket) {
  client.once("test:settle", (done) => done());
  await socket.timeout(DEADLINE).emitWithAck("test:settle");
  socket.once("test:settle", (done) => done());
  await client.timeout(DEADLINE).emitWithAck("test:settle");
}

/** A promise with its own resolve and reject, for callbacks that are not events. */
function deferred() {
  const result = {};
  result.promise = new Promise((resolve, reject) => {
    result.resolve = resolve;
    result.reject = reject;
  });
  result.promise = withDeadline(result.promise, () => "a callback was not called");
  result.promise.catch(() => {});
  return result;
}

module.exports = { next, collect, until, settle, deferred, withDeadline };

/** Rejects with `describe()` when the promise takes longer than any test should wait. */
function withDeadline(promise, describe) {
  const late = new Error("deadline");
  let timer;
  const deadline = new Promise((resolve, reject) => {
    timer = setTimeout(() => {
      late.message = describe();
      reject(late);
    }, DEADLINE);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}
