// What the linter checks: likely mistakes. Layout is prettier's.

import js from "@eslint/js";
import globals from "globals";

const browserPages = ["examples/chat/public/**/*.js"];

export default [
  {
    ignores: [
      "node_modules/",
      "target/",
      "bench/results/",
      "bench/peers/",
      "__test__/ecosystem/stock/",
      "**/*.d.ts",
    ],
  },
  js.configs.recommended,
  {
    files: ["**/*.js", "**/*.cjs"],
    languageOptions: { sourceType: "commonjs", globals: globals.node },
    rules: {
      eqeqeq: ["error", "smart"],
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", caughtErrors: "none" }],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
  { files: ["**/*.mjs"], languageOptions: { sourceType: "module", globals: globals.node } },
  { files: browserPages, languageOptions: { sourceType: "module", globals: globals.browser } },
  // Parts of these files are sent to the page.
  {
    files: ["__test__/browser/**/*.js", "__test__/ecosystem/tools.test.js"],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
  },
];
