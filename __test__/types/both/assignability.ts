// Which server may stand for which: typed ones for untyped ones, and so on. Each type of a table is
// compared with each other one of the same table; both packages give the same answers.

import type * as F from "ferrio";
import type * as R from "reference";
import type { Client as FClient } from "ferrio/types/client";
import type { Client as RClient } from "reference/dist/client";
import type { ParentNamespace as FParent } from "ferrio/types/parent-namespace";
import type { ParentNamespace as RParent } from "reference/dist/parent-namespace";
import type { DefaultEventsMap } from "ferrio";
import type { StrictEventEmitter as FEmitter } from "ferrio/types/typed-events";
import type { StrictEventEmitter as REmitter } from "reference/dist/typed-events";
import type { EventEmitter } from "events";
import type { Assignable, Equal, Expect } from "../expect";
import type {
  ClientToServer as C,
  Profile,
  ServerToClient as S,
  ServerToServer,
} from "../api/maps";

/** More events than `C`, and the same with other arguments. */
interface More extends C {
  more: (n: number) => void;
}
interface Other {
  say: (text: number) => void;
  ask: (question: string, answer: (text: number) => void) => void;
}

interface Ferrio {
  emitter: EventEmitter;
  strictEmitter: FEmitter<C, S>;
  server: F.Server;
  serverAny: F.Server<any, any, any, any>;
  serverC: F.Server<C>;
  serverCS: F.Server<C, S>;
  serverCSSP: F.Server<C, S, ServerToServer, Profile>;
  serverMore: F.Server<More>;
  serverOther: F.Server<Other>;
  serverNone: F.Server<{}>;
  namespace: F.Namespace;
  namespaceAny: F.Namespace<any, any, any, any>;
  namespaceCS: F.Namespace<C, S>;
  namespaceCSSP: F.Namespace<C, S, ServerToServer, Profile>;
  parent: FParent;
  parentCS: FParent<C, S>;
  socket: F.Socket;
  socketAny: F.Socket<any, any, any, any>;
  socketC: F.Socket<C>;
  socketCS: F.Socket<C, S>;
  socketCSSP: F.Socket<C, S, ServerToServer, Profile>;
  socketData: F.Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, Profile>;
  socketMore: F.Socket<More>;
  socketNone: F.Socket<{}>;
  operator: F.BroadcastOperator<DefaultEventsMap, any>;
  operatorS: F.BroadcastOperator<S, any>;
  operatorSP: F.BroadcastOperator<S, Profile>;
  remote: F.RemoteSocket<DefaultEventsMap, any>;
  remoteS: F.RemoteSocket<S, any>;
  remoteSP: F.RemoteSocket<S, Profile>;
  client: FClient<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap>;
  clientCS: FClient<C, S, DefaultEventsMap>;
}

interface Reference {
  emitter: EventEmitter;
  strictEmitter: REmitter<C, S>;
  server: R.Server;
  serverAny: R.Server<any, any, any, any>;
  serverC: R.Server<C>;
  serverCS: R.Server<C, S>;
  serverCSSP: R.Server<C, S, ServerToServer, Profile>;
  serverMore: R.Server<More>;
  serverOther: R.Server<Other>;
  serverNone: R.Server<{}>;
  namespace: R.Namespace;
  namespaceAny: R.Namespace<any, any, any, any>;
  namespaceCS: R.Namespace<C, S>;
  namespaceCSSP: R.Namespace<C, S, ServerToServer, Profile>;
  parent: RParent;
  parentCS: RParent<C, S>;
  socket: R.Socket;
  socketAny: R.Socket<any, any, any, any>;
  socketC: R.Socket<C>;
  socketCS: R.Socket<C, S>;
  socketCSSP: R.Socket<C, S, ServerToServer, Profile>;
  socketData: R.Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, Profile>;
  socketMore: R.Socket<More>;
  socketNone: R.Socket<{}>;
  operator: R.BroadcastOperator<DefaultEventsMap, any>;
  operatorS: R.BroadcastOperator<S, any>;
  operatorSP: R.BroadcastOperator<S, Profile>;
  remote: R.RemoteSocket<DefaultEventsMap, any>;
  remoteS: R.RemoteSocket<S, any>;
  remoteSP: R.RemoteSocket<S, Profile>;
  client: RClient<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap>;
  clientCS: RClient<C, S, DefaultEventsMap>;
}

type Answers<Table> = {
  [From in keyof Table]: { [To in keyof Table]: Assignable<Table[From], Table[To]> };
};

export type Same = [
  Expect<Equal<keyof Ferrio, keyof Reference>>,
  Expect<Equal<Answers<Ferrio>, Answers<Reference>>>,
  // the table says yes and no
  Expect<Equal<Answers<Ferrio>["serverCSSP"]["serverAny"], true>>,
  Expect<Equal<Answers<Ferrio>["parentCS"]["namespaceCS"], true>>,
  Expect<Equal<Answers<Ferrio>["serverCS"]["socketCS"], false>>,
  Expect<Equal<Answers<Ferrio>["operatorSP"]["remoteSP"], false>>,
];
