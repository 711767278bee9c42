// Entry of the package for ECMAScript modules: the same classes as index.js, so
// that both loaders share one identity. There is no default export on purpose.

import ferrio from "./index.js";

export const { Server, Namespace, Socket } = ferrio;
