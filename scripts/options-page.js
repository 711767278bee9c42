"use strict";

// Writes docs/options.md from the comments in types/options.d.ts: `npm run docs:options`.
// A test checks that the page is fresh.

const fs = require("fs");
const path = require("path");

const root = path.join(__dirname, "..");
const PAGE = path.join(root, "docs", "options.md");

const INTERFACES = {
  ServerOptions: "Socket.IO",
  EngineOptions: "The engine",
  AttachOptions: "Attaching to an HTTP server",
};
/** What the comment of an option says that the original does not have. */
const OWN = "An option of ferrio's own.";

const HEAD = `# Options

\`new Server(server, options)\`, \`new Server(port, options)\`, \`io.attach(server, options)\`: one flat object. No option is
required, unknown names are ignored. Engine options are read when they are used: a change of \`io.engine.opts\` applies to the
connections that follow. Options marked *ferrio* do not exist in socket.io.

This page is made from \`types/options.d.ts\`, which also describes the members of options that are objects.
`;

/** @returns {string} the page as it should be */
function render() {
  const source = fs.readFileSync(path.join(root, "types", "options.d.ts"), "utf8");
  const sections = Object.entries(INTERFACES).map(([name, title]) => {
    const rows = optionsOf(source, name).map(row);
    return `\n## ${title}\n\n| option | default | meaning |\n|---|---|---|\n${rows.join("")}`;
  });
  return HEAD + sections.join("");
}

/** The options of an interface with their comments, in order. */
function optionsOf(source, name) {
  const [, body] = new RegExp(`export interface ${name}[^{]*\\{(.*?)\\n\\}`, "s").exec(source);
  return [...body.matchAll(/\n {2}\/\*\*(.*?)\*\/\n {2}(\w+)\??:/gs)].map(([, comment, option]) => {
    const text = comment.replace(/\n\s*\* ?/g, "\n").trim();
    const [, byDefault = ""] = /@default (.*?)(?=\n@|$)/s.exec(text) ?? [];
    const meaning = text
      .split(/\n\s*@/)[0]
      .replace(/\s*\n\s*/g, " ")
      .trim();
    return { option, byDefault: byDefault.replace(/\n/g, " ").trim(), meaning };
  });
}

function row({ option, byDefault, meaning }) {
  const mark = meaning.includes(OWN) ? " *ferrio*" : "";
  const isValue = /^(?:["\d[{]|true$|false$)/.test(byDefault) && !byDefault.includes("(");
  const shown = byDefault === "" ? "-" : isValue ? `\`${byDefault}\`` : byDefault;
  const text = meaning.replace(` ${OWN}`, "").replaceAll("|", "\\|");
  return `| \`${option}\`${mark} | ${shown} | ${text} |\n`;
}

module.exports = { PAGE, render };

if (require.main === module) {
  fs.writeFileSync(PAGE, render());
}
