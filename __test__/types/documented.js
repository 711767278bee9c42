"use strict";

// Every public member in types/ has a comment that editors show.

const fs = require("node:fs");
const path = require("node:path");
const ts = require("typescript");

const folder = path.join(__dirname, "..", "..", "types");

/**
 * The public names without a comment.
 * @returns {string[]} "file: Class.member"
 */
function undocumented() {
  const missing = [];
  for (const name of fs.readdirSync(folder)) {
    const text = fs.readFileSync(path.join(folder, name), "utf8");
    const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
    for (const statement of file.statements) {
      check(statement, name, missing);
    }
  }
  return missing;
}

function check(node, file, missing) {
  const declares =
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isFunctionDeclaration(node);
  if (!declares || !isExported(node)) {
    return;
  }
  const owner = node.name.text;
  if (!isDocumented(node)) {
    missing.push(`${file}: ${owner}`);
  }
  const described = new Set();
  for (const member of node.members ?? []) {
    const name = member.name?.getText() ?? "constructor";
    if (isHidden(member) || described.has(name)) {
      continue;
    }
    // Overloads share the comment of the first.
    described.add(name);
    if (!isDocumented(member)) {
      missing.push(`${file}: ${owner}.${name}`);
    }
  }
}

function isExported(node) {
  return node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

function isHidden(member) {
  const hidden = [ts.SyntaxKind.PrivateKeyword, ts.SyntaxKind.ProtectedKeyword];
  return (
    member.modifiers?.some(({ kind }) => hidden.includes(kind)) ||
    ts.isIndexSignatureDeclaration(member)
  );
}

function isDocumented(node) {
  return ts.getJSDocCommentsAndTags(node).length > 0;
}

module.exports = { undocumented };
