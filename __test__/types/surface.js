// Compares the declarations of ferrio with those of stock socket.io and engine.io, member by
// member: names, visibility, modifiers and signatures (names of parameters aside). Types that
// compare equal by other means (both/) are left out. Our members have to be documented, too.

"use strict";

const path = require("node:path");

/** Files of ours, those of the reference, and the classes in them. */
const CLASSES = [
  ["typed-events", "socket.io/dist/typed-events", [["StrictEventEmitter"]]],
  ["server", "socket.io/dist/index", [["Server"]]],
  ["namespace", "socket.io/dist/namespace", [["Namespace"]]],
  ["parent-namespace", "socket.io/dist/parent-namespace", [["ParentNamespace"]]],
  ["socket", "socket.io/dist/socket", [["Socket"]]],
  [
    "broadcast-operator",
    "socket.io/dist/broadcast-operator",
    [["BroadcastOperator"], ["RemoteSocket"]],
  ],
  ["client", "socket.io/dist/client", [["Client"]]],
  ["engine-server", "engine.io/build/server", [["BaseServer"], ["Server"]]],
  ["engine-socket", "engine.io/build/socket", [["Socket"]]],
  ["engine-transport", "engine.io/build/transport", [["Transport"]]],
  ["engine-transport", "engine.io/build/transports/polling", [["Polling"]]],
  ["engine-transport", "engine.io/build/transports/websocket", [["WebSocket"]]],
  ["engine-transport", "engine.io/build/transports/webtransport", [["WebTransport"]]],
];

/** Files that have to export the same names. */
const EXPORTS = [
  ["../index", "socket.io/dist/index"],
  ["typed-events", "socket.io/dist/typed-events"],
  ["socket-types", "socket.io/dist/socket-types"],
  ["namespace", "socket.io/dist/namespace"],
  ["parent-namespace", "socket.io/dist/parent-namespace"],
  ["socket", "socket.io/dist/socket"],
  ["broadcast-operator", "socket.io/dist/broadcast-operator"],
  ["client", "socket.io/dist/client"],
];

/** Our names for types that have no exported name, or another one, in the reference. */
const RENAMED = {
  EngineOptions: "ServerOptions",
  EnginePacket: "Packet",
  EngineMiddleware: "Middleware",
  SocketState: "ReadyState",
  TransportState: "ReadyState",
  OrUntypedListener: "FallbackToUntypedListener",
};

/** What differs on purpose: members of ours and how they end, with the reason. */
const DIFFERENT = {
  // methods of ferrio's own
  "server/Server.metrics": "=> Metrics",
  "server/Server.setSecureContext":
    "=> Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>",
  // an address for the native listener, besides what the reference takes
  "server/Server.attach": "=> Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>",
  "server/Server.listen": "=> Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>",
  // the parser is a part of the engine that is not replaced: its types would be those of a package
  // that need not be installed
  "Transport.parser": "any",
  "Polling.parser": "any",
  "WebSocket.parser": "any",
  "WebTransport.parser": "any",
};

/**
 * @param {typeof import("typescript")} ts
 * @param {string} here - the folder of the tests
 * @returns {string[]} what differs
 */
function compareSurfaces(ts, here) {
  const root = path.resolve(here, "../..");
  const ours = (name) => path.join(root, "types", `${name}.d.ts`);
  const theirs = (name) => path.join(root, "node_modules", `${name}.d.ts`);
  const program = ts.createProgram(
    [...CLASSES, ...EXPORTS].flatMap(([own, other]) => [ours(own), theirs(other)]),
    { strict: true, module: ts.ModuleKind.CommonJS, types: ["node"], noEmit: true },
  );
  const checker = program.getTypeChecker();
  const exportsOf = (file) => {
    const source = program.getSourceFile(file);
    if (!source) throw new Error(`no such file: ${file}`);
    return checker.getExportsOfModule(checker.getSymbolAtLocation(source));
  };
  const problems = [];

  for (const [own, other] of EXPORTS) {
    const [mine, wanted] = [exportsOf(ours(own)), exportsOf(theirs(other))].map((symbols) =>
      symbols.map((symbol) => symbol.name).sort(),
    );
    problems.push(...difference(`exports of ${own}`, mine, wanted));
  }

  for (const [own, other, names] of CLASSES) {
    for (const [name] of names) {
      const [mine, wanted] = [exportsOf(ours(own)), exportsOf(theirs(other))].map((symbols) => {
        const found = symbols.find((symbol) => symbol.name === name);
        if (!found) throw new Error(`no class ${name} in ${own} or ${other}`);
        return describeClass(ts, checker, found);
      });
      problems.push(...undocumented(ts, checker, exportsOf(ours(own)), name));
      for (const key of Object.keys(DIFFERENT).filter((key) => isMemberOf(key, own, name))) {
        const member = key.slice(key.indexOf(".") + 1);
        if (!mine.get(member)?.endsWith(DIFFERENT[key])) {
          problems.push(`${key} is not ${DIFFERENT[key]} any more`);
        }
        mine.delete(member);
        wanted.delete(member);
      }
      problems.push(...difference(`class ${name} (${own})`, entries(mine), entries(wanted)));
    }
  }
  return problems;
}

module.exports = { compareSurfaces };

/** True for "Class.member", and for "file/Class.member" where two files have a class of that name. */
function isMemberOf(key, file, name) {
  return key.startsWith(`${name}.`) || key.startsWith(`${file}/${name}.`);
}

/** The visible members of one of our classes that do not say what they are for. */
function undocumented(ts, checker, symbols, name) {
  const symbol = symbols.find((candidate) => candidate.name === name);
  const members = [
    ...checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)),
    ...checker.getPropertiesOfType(checker.getTypeOfSymbol(symbol)),
  ];
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return [symbol, ...members]
    .filter((member) => member.name !== "prototype" && !isFromNode(member))
    .filter((member) => !(ts.getCombinedModifierFlags(member.valueDeclaration) & hidden))
    .filter((member) => member.getDocumentationComment(checker).length === 0)
    .map((member) => `${name}.${member.name} is not documented`);
}

/** The members of a class, those of Node's base class aside: name → description. */
function describeClass(ts, checker, symbol) {
  const members = new Map();
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  const statics = checker.getTypeOfSymbol(symbol);
  const heritage = symbol.valueDeclaration.heritageClauses ?? [];
  members.set(
    "(class)",
    [
      typeParameters(type.typeParameters ?? []),
      ts.getCombinedModifierFlags(symbol.valueDeclaration) & ts.ModifierFlags.Abstract
        ? "abstract"
        : "",
      ...heritage.map((clause) => oneLine(clause)),
    ].join(" "),
  );
  members.set("(constructor)", signatures(ts, checker, statics.getConstructSignatures()));
  for (const member of checker.getPropertiesOfType(type)) {
    if (isFromNode(member)) continue;
    members.set(member.name, describeMember(ts, checker, member));
  }
  for (const member of checker.getPropertiesOfType(statics)) {
    if (member.name === "prototype" || isFromNode(member)) continue;
    members.set(`static ${member.name}`, describeMember(ts, checker, member));
  }
  return members;
}

function describeMember(ts, checker, member) {
  const { ModifierFlags, SymbolFlags } = ts;
  const modifiers = member.declarations
    .map((declaration) => {
      const flags = ts.getCombinedModifierFlags(declaration);
      return ["Private", "Protected", "Readonly", "Abstract", "Static"]
        .filter((name) => flags & ModifierFlags[name])
        .concat(ts.SyntaxKind[declaration.kind])
        .join(" ");
    })
    .join(", ");
  const optional = member.flags & SymbolFlags.Optional ? "?" : "";
  const type = checker.getTypeOfSymbolAtLocation(member, member.valueDeclaration);
  const calls = type.getCallSignatures();
  const isMethod = member.flags & SymbolFlags.Method;
  const text = isMethod ? signatures(ts, checker, calls) : typeText(ts, checker, type);
  return `[${modifiers}]${optional} ${text}`;
}

function signatures(ts, checker, list) {
  return list
    .map((signature) => {
      const parameters = signature.parameters.map((parameter) => {
        const declaration = parameter.valueDeclaration;
        const rest = declaration.dotDotDotToken ? "..." : "";
        const optional = declaration.questionToken ? "?" : "";
        const type = checker.getTypeOfSymbolAtLocation(parameter, declaration);
        return `${rest}_${optional}: ${typeText(ts, checker, type)}`;
      });
      const generics = typeParameters(signature.typeParameters ?? []);
      const result = typeText(ts, checker, signature.getReturnType());
      return `${generics}(${parameters.join(", ")}) => ${result}`;
    })
    .join(" & ");
}

function typeParameters(list) {
  const texts = list.map((parameter) => {
    // as written: the checker would resolve a constraint to what it comes down to
    const [{ name, constraint, default: fallback }] = parameter.symbol.declarations;
    return [
      name.text,
      constraint ? ` extends ${constraint.getText()}` : "",
      fallback ? ` = ${fallback.getText()}` : "",
    ].join("");
  });
  return texts.length > 0 ? `<${texts.join(", ")}>` : "";
}

/** A type as text, in which packages, files and our own names for foreign types do not show. */
function typeText(ts, checker, type) {
  const { NoTruncation, WriteArrayAsGenericType } = ts.TypeFormatFlags;
  return checker
    .typeToString(type, undefined, NoTruncation | WriteArrayAsGenericType)
    .replace(/import\("[^"]*"\)\./g, "")
    .replace(/\b\w+\b/g, (word) => RENAMED[word] ?? word);
}

function oneLine(clause) {
  return clause
    .getText()
    .replace(/\s+/g, " ")
    .replace(/,? ([>\]])/g, "$1")
    .replace(/< /g, "<");
}

function isFromNode(symbol) {
  return symbol.declarations.every((declaration) =>
    declaration.getSourceFile().fileName.includes("@types/node/"),
  );
}

function entries(map) {
  return [...map].map(([name, text]) => `${name}: ${text}`).sort();
}

function difference(what, mine, wanted) {
  const [has, wants] = [new Set(mine), new Set(wanted)];
  return [
    ...wanted.filter((entry) => !has.has(entry)).map((entry) => `${what} misses ${entry}`),
    ...mine.filter((entry) => !wants.has(entry)).map((entry) => `${what} adds   ${entry}`),
  ];
}
