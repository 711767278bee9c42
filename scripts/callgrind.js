"use strict";

// Reads what callgrind has counted: instructions, by the object that they are in. Calls are
// counted where they lead to, so nothing is counted twice.

/**
 * @param {string} text a file that `valgrind --tool=callgrind` has written
 * @returns {Map<string, number>} instructions by the path of an object
 */
function instructionsByObject(text) {
  const names = new Map();
  const counts = new Map();
  let object = "";
  let isCall = false;
  for (const line of text.split("\n")) {
    const named = /^(c?ob)=\((\d+)\)(?: (.*))?$/.exec(line);
    if (named) {
      const [, kind, id, name] = named;
      if (name !== undefined) {
        names.set(id, name);
      }
      if (kind === "ob") {
        object = names.get(id) ?? "";
      }
    } else if (line.startsWith("calls=")) {
      // The line that follows says what the call has cost, callee included.
      isCall = true;
    } else if (/^[+\-*\d]/.test(line)) {
      if (!isCall) {
        counts.set(object, (counts.get(object) ?? 0) + Number(line.split(" ")[1] ?? 0));
      }
      isCall = false;
    }
  }
  return counts;
}

module.exports = { instructionsByObject };
