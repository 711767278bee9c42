// The helper types that applications and libraries import by file and name.

import { RESERVED_EVENTS as NAMESPACE_RESERVED } from "socket.io/dist/namespace";
import type {
  ExtendedError,
  NamespaceReservedEventsMap,
  ServerReservedEventsMap,
} from "socket.io/dist/namespace";
import type { BroadcastOperator, RemoteSocket } from "socket.io/dist/broadcast-operator";
import type { Client } from "socket.io/dist/client";
import { ParentNamespace } from "socket.io/dist/parent-namespace";
import { type Event, Socket as DeepSocket } from "socket.io/dist/socket";
import { RESERVED_EVENTS } from "socket.io/dist/socket-types";
import type {
  DisconnectReason,
  EventEmitterReservedEventsMap,
  Handshake,
  SocketReservedEventsMap,
} from "socket.io/dist/socket-types";
import { StrictEventEmitter } from "socket.io/dist/typed-events";
import type {
  AllButLast,
  DecorateAcknowledgements,
  DecorateAcknowledgementsWithMultipleResponses,
  DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  DefaultEventsMap,
  EventNames,
  EventNamesWithAck,
  EventNamesWithError,
  EventNamesWithoutAck,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  FirstNonErrorTuple,
  Last,
  MultiplyArray,
  RemoveAcknowledgements,
  ReservedOrUserEventNames,
  ReservedOrUserListener,
  TypedEventBroadcaster,
} from "socket.io/dist/typed-events";
import type * as root from "socket.io";
import { Namespace, Server, Socket } from "socket.io";
import { type Equal, type Expect, expectType } from "../expect";
import type { ClientToServer, Profile, ServerToClient, ServerToServer } from "./maps";

type Anything = (...args: any[]) => void;

export type Names = [
  Expect<Equal<EventNames<ClientToServer>, "nothing" | "say" | "ask" | "ping" | "maybe">>,
  Expect<Equal<EventNames<DefaultEventsMap>, string>>,
  Expect<Equal<EventNames<{}>, never>>,
  Expect<Equal<EventParams<ClientToServer, "say">, [text: string, loud: boolean]>>,
  Expect<Equal<EventNamesWithAck<ClientToServer>, "ask" | "ping">>,
  Expect<Equal<EventNamesWithAck<DefaultEventsMap>, string>>,
  Expect<Equal<EventNamesWithoutAck<ClientToServer>, "nothing" | "say" | "maybe">>,
  Expect<Equal<EventNamesWithoutAck<DefaultEventsMap>, string>>,
  Expect<Equal<EventNamesWithError<ServerToClient>, "failed">>,
  Expect<Equal<EventNamesWithError<DecorateAcknowledgements<ClientToServer>>, "ask" | "ping">>,
  Expect<Equal<RemoveAcknowledgements<ServerToServer>, { joined: (name: string) => void }>>,
  Expect<
    Equal<
      ReservedOrUserEventNames<SocketReservedEventsMap, ServerToServer>,
      "joined" | "load" | "disconnect" | "disconnecting" | "error"
    >
  >,
  Expect<
    Equal<ReservedOrUserListener<{ a: () => void }, { b: (n: number) => void }, "a">, () => void>
  >,
  Expect<
    Equal<
      ReservedOrUserListener<{ a: () => void }, { b: (n: number) => void }, "b">,
      (n: number) => void
    >
  >,
];

export type Tuples = [
  Expect<Equal<Last<[1, 2, 3]>, 3>>,
  Expect<Equal<Last<[]>, never>>,
  Expect<Equal<Last<string[]>, string>>,
  Expect<Equal<AllButLast<[a: 1, b: 2, c: 3]>, [a: 1, b: 2]>>,
  Expect<Equal<AllButLast<[]>, any[]>>,
  Expect<Equal<FirstNonErrorTuple<[Error, 1]>, 1>>,
  Expect<Equal<FirstNonErrorTuple<[1, 2]>, 1>>,
  Expect<Equal<FirstNonErrorArg<(err: Error, n: number) => void>, number>>,
  Expect<Equal<FirstNonErrorArg<(n: number) => void>, number>>,
  Expect<Equal<FirstNonErrorArg<string>, any>>,
  Expect<Equal<MultiplyArray<[a: 1, b?: 2]>, [a: 1[], b?: (2 | undefined)[]]>>,
];

export type Decorated = [
  Expect<
    Equal<
      DecorateAcknowledgements<ServerToServer>,
      {
        joined: (name: string) => void;
        load: (since: number, answer: (err: Error, percent: number) => void) => void;
      }
    >
  >,
  Expect<
    Equal<
      DecorateAcknowledgementsWithMultipleResponses<ServerToServer>,
      {
        joined: (name: string) => void;
        load: (since: number, answer: (percent: number[]) => void) => void;
      }
    >
  >,
  Expect<
    Equal<
      DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerToServer>,
      {
        joined: (name: string) => void;
        load: (since: number, answer: (err: Error, percent: number[]) => void) => void;
      }
    >
  >,
  Expect<Equal<DecorateAcknowledgements<ServerToClient>["failed"], ServerToClient["failed"]>>,
  Expect<Equal<DecorateAcknowledgements<DefaultEventsMap>, DefaultEventsMap>>,
];

export type Maps = [
  Expect<Equal<EventsMap, { [event: string]: any }>>,
  Expect<Equal<DefaultEventsMap, { [event: string]: Anything }>>,
  Expect<Equal<keyof EventEmitterReservedEventsMap, "newListener" | "removeListener">>,
  Expect<
    Equal<
      NamespaceReservedEventsMap<ClientToServer, ServerToClient, {}, Profile>["connect"],
      (socket: Socket<ClientToServer, ServerToClient, {}, Profile>) => void
    >
  >,
  Expect<
    Equal<
      keyof ServerReservedEventsMap<{}, {}, {}, any>,
      "connect" | "connection" | "new_namespace"
    >
  >,
  Expect<Equal<Handshake, Socket["handshake"]>>,
  Expect<Equal<Event, [string, ...any[]]>>,
];

// one class, whichever way it was imported
export type Identity = [
  Expect<Equal<DeepSocket, Socket>>,
  Expect<Equal<BroadcastOperator<{}, 1>, root.BroadcastOperator<{}, 1>>>,
  Expect<Equal<RemoteSocket<{}, 1>, root.RemoteSocket<{}, 1>>>,
  Expect<Equal<DisconnectReason, root.DisconnectReason>>,
  Expect<Equal<ExtendedError, root.ExtendedError>>,
  Expect<Equal<Event, root.Event>>,
  Expect<Equal<DefaultEventsMap, root.DefaultEventsMap>>,
  Expect<Equal<Client<{}, {}, {}>, Client<{}, {}, {}, any>>>,
];

expectType<ReadonlySet<string | Symbol>>()(RESERVED_EVENTS);
expectType<ReadonlySet<string | Symbol>>()(NAMESPACE_RESERVED);

const io = new Server<ClientToServer, ServerToClient>();
const parent: Namespace<ClientToServer, ServerToClient> = new ParentNamespace(io);
(parent as ParentNamespace<ClientToServer, ServerToClient>).createChild("/x").emit("count", 1);

class Emitter extends StrictEventEmitter<
  { in: (n: number) => void },
  { out: (s: string) => void },
  { ready: () => void }
> {
  go() {
    this.emitReserved("ready");
    this.emitUntyped("whatever", 1, 2);
    // @ts-expect-error: not reserved
    this.emitReserved("out", "x");
  }
}
const emitter = new Emitter().on("in", (n) => expectType<number>()(n)).once("ready", () => {});
emitter.emit("out", "x");
// @ts-expect-error: what is listened to is not emitted
emitter.emit("in", 1);
const broadcaster: TypedEventBroadcaster<{ out: (s: string) => void }> = emitter;
broadcaster.emit("out", "x");
