// The public type entry. `Server`, `Socket` and `Namespace` exist at run time, the other names are
// types only.

export * from "./dist/index";
