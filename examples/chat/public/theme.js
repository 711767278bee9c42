"use strict";

// Light or dark, decided before the first paint: the person's choice, else the system's.

(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  apply();
  dark.addEventListener("change", apply);

  /** Switches to the other theme and remembers it. */
  window.switchTheme = () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", next);
    apply();
  };

  function apply() {
    const theme = localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
  }
})();
