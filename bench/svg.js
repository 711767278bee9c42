"use strict";

// The little SVG that both plots need: the document with its letters and colours for light
// and dark pages, and text. What is drawn is plots.js's and curves.js's.

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; font-size: 13px; }
  .note { fill: #57606a; font-size: 11px; }
  .end { text-anchor: end; } .middle { text-anchor: middle; }
  .back { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .note { fill: #9198a1; } .back { fill: #0d1117; }
  }`;

/** A whole SVG file. `title` is what a screen reader says of it. */
function document(width, height, title, style, body) {
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${escape(title)}">
<style>${STYLE}${style}
</style>
<rect class="back" width="${width}" height="${height}"/>
${body}
</svg>
`;
}

/** A text, escaped. `kind` is a class, or empty. */
function text(kind, x, y, content) {
  const marked = kind ? ` class="${kind}"` : "";
  return `<text${marked} x="${x}" y="${y}">${escape(content)}</text>`;
}

module.exports = { document, text };

function escape(content) {
  return content.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
