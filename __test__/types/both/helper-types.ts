// The helper types of both packages, side by side, over event maps of every shape that the rules
// tell apart. Both are equal for each of them.

import type * as F from "ferrio/types/typed-events";
import type * as FS from "ferrio/types/socket-types";
import type * as FN from "ferrio/types/namespace";
import type * as FO from "ferrio/types/options";
import type * as FR from "ferrio";
import type * as R from "reference/dist/typed-events";
import type * as RS from "reference/dist/socket-types";
import type * as RN from "reference/dist/namespace";
import type * as RR from "reference";
import type * as Engine from "engine.io";
import type { CorsOptions, CorsOptionsDelegate } from "cors";
import type { PerMessageDeflateOptions } from "ws";
import type { Equal, Expect } from "../expect";

/** One `true` for each helper that takes a map. */
type SameOverMap<M extends F.EventsMap> = [
  Equal<F.EventNames<M>, R.EventNames<M>>,
  Equal<F.EventNamesWithAck<M>, R.EventNamesWithAck<M>>,
  Equal<F.EventNamesWithoutAck<M>, R.EventNamesWithoutAck<M>>,
  Equal<F.EventNamesWithError<M>, R.EventNamesWithError<M>>,
  Equal<F.RemoveAcknowledgements<M>, R.RemoveAcknowledgements<M>>,
  Equal<F.EventParams<M, F.EventNames<M>>, R.EventParams<M, R.EventNames<M>>>,
  Equal<F.ReservedOrUserEventNames<Own, M>, R.ReservedOrUserEventNames<Own, M>>,
  Equal<Listeners<M>, ReferenceListeners<M>>,
  Equal<F.DecorateAcknowledgements<M>, R.DecorateAcknowledgements<M>>,
  Equal<
    F.DecorateAcknowledgementsWithMultipleResponses<M>,
    R.DecorateAcknowledgementsWithMultipleResponses<M>
  >,
  Equal<
    F.DecorateAcknowledgementsWithTimeoutAndMultipleResponses<M>,
    R.DecorateAcknowledgementsWithTimeoutAndMultipleResponses<M>
  >,
  // what `io.timeout()` does, and a timeout on top of a timeout
  Equal<
    F.DecorateAcknowledgements<F.DecorateAcknowledgementsWithMultipleResponses<M>>,
    R.DecorateAcknowledgements<R.DecorateAcknowledgementsWithMultipleResponses<M>>
  >,
  Equal<
    F.DecorateAcknowledgements<F.DecorateAcknowledgements<M>>,
    R.DecorateAcknowledgements<R.DecorateAcknowledgements<M>>
  >,
  Equal<
    F.EventNamesWithError<F.DecorateAcknowledgements<M>>,
    R.EventNamesWithError<R.DecorateAcknowledgements<M>>
  >,
];

type Yes = [true, true, true, true, true, true, true, true, true, true, true, true, true, true];

/** One `true` for each helper that takes a tuple. */
type SameOverTuple<T extends any[]> = [
  Equal<F.Last<T>, R.Last<T>>,
  Equal<F.AllButLast<T>, R.AllButLast<T>>,
  Equal<F.FirstNonErrorTuple<T>, R.FirstNonErrorTuple<T>>,
  Equal<F.MultiplyArray<T>, R.MultiplyArray<T>>,
  Equal<F.FirstNonErrorArg<(...args: T) => void>, R.FirstNonErrorArg<(...args: T) => void>>,
];

type YesTuple = [true, true, true, true, true];

interface Own {
  first: (n: number) => void;
  disconnect: (reason: string) => void;
}

type Listeners<M extends F.EventsMap> = {
  [E in F.ReservedOrUserEventNames<Own, M>]: F.ReservedOrUserListener<Own, M, E>;
};
type ReferenceListeners<M extends F.EventsMap> = {
  [E in R.ReservedOrUserEventNames<Own, M>]: R.ReservedOrUserListener<Own, M, E>;
};

class Failure extends Error {
  code = 1;
}

declare const symbol: unique symbol;

// plain events
interface Plain {
  first: () => void;
  second: (a: string) => void;
  third: (a: string, b?: number) => number;
  fourth: (...all: string[]) => void;
  fifth: (a: string, ...more: number[]) => void;
  sixth: (...args: [a: 1, b: 2] | [a: 3]) => void;
  seventh: (a: never) => void;
  eighth: (a: unknown) => void;
}

// acknowledgements of every shape
interface Acks {
  none: (cb: () => void) => void;
  one: (cb: (a: string) => void) => void;
  two: (x: number, cb: (a: string, b: number) => boolean) => number;
  three: (x: number, y: string, cb: (a: string, b: number, c: Date) => void) => void;
  error: (cb: (err: Error) => void) => void;
  errorAndOne: (cb: (err: Error, a: string) => void) => void;
  errorAndTwo: (cb: (err: Error, a: string, b: number) => void) => void;
  subclass: (cb: (err: Failure, a: string) => void) => void;
  nullable: (cb: (err: Error | null, a: string) => void) => void;
  errorLast: (cb: (a: string, err: Error) => void) => void;
  rest: (cb: (...all: string[]) => void) => void;
  leadingRest: (cb: (a: number, ...all: string[]) => void) => void;
  errorRest: (cb: (err: Error, ...all: string[]) => void) => void;
  optionalValue: (cb: (a?: string) => void) => void;
  optionalSecond: (cb: (a: string, b?: number) => void) => void;
  optionalAck: (x: number, cb?: (a: string) => void) => void;
  ackOrNull: (x: number, cb: ((a: string) => void) | null) => void;
  eitherAck: (cb: ((a: string) => void) | ((b: number) => void)) => void;
  inTheMiddle: (cb: (a: string) => void, after: number) => void;
  both: (cb: (a: string) => void, done: (b: number) => void) => void;
  restAcks: (...cbs: ((a: string) => void)[]) => void;
  anyValue: (cb: (a: any) => void) => void;
  anyValues: (cb: (...a: any[]) => void) => void;
  anyThenMore: (cb: (a: any, b: string) => void) => void;
  unknownValue: (cb: (a: unknown) => void) => void;
  unionValue: (cb: (a: string | number) => void) => void;
  tupleValue: (cb: (a: [string, number]) => void) => void;
  generic: <T>(value: T, cb: (a: T) => void) => void;
  promise: (cb: (a: Promise<string>) => void) => Promise<void>;
  callable: (cb: { (a: string): void; tag: number }) => void;
  Function: (cb: Function) => void;
}

interface Symbols {
  [symbol]: (a: number, cb: (b: string) => void) => void;
  plain: (a: number) => void;
  7: (a: string) => void;
}

export type OverMaps = [
  Expect<Equal<SameOverMap<Plain>, Yes>>,
  Expect<Equal<SameOverMap<Acks>, Yes>>,
  Expect<Equal<SameOverMap<Plain & Acks>, Yes>>,
  Expect<Equal<SameOverMap<Symbols>, Yes>>,
  Expect<Equal<SameOverMap<{}>, Yes>>,
  Expect<Equal<SameOverMap<F.EventsMap>, Yes>>,
  Expect<Equal<SameOverMap<F.DefaultEventsMap>, Yes>>,
  Expect<Equal<SameOverMap<{ [name: string]: (a: number, cb: (b: 1) => void) => void }>, Yes>>,
  Expect<Equal<SameOverMap<{ [name: `get:${string}`]: (a: number) => void; b: () => void }>, Yes>>,
  Expect<Equal<SameOverMap<{ a: any; b: (n: number) => void }>, Yes>>,
  Expect<Equal<SameOverMap<{ a: (x: any) => void; b: (cb: (n: 1) => void) => void }>, Yes>>,
  Expect<Equal<SameOverMap<{ a: (x: any, y: string) => void; b: (cb: () => void) => void }>, Yes>>,
  Expect<Equal<SameOverMap<{ a: (...x: any[]) => void; b: () => void }>, Yes>>,
  Expect<Equal<SameOverMap<{ a: never; b: () => void }>, Yes>>,
  Expect<Equal<SameOverMap<{ a: string; b: () => void }>, Yes>>,
  Expect<Equal<SameOverMap<{ a: unknown; b: () => void }>, Yes>>,
  Expect<Equal<SameOverMap<{ a: undefined | ((n: number) => void) }>, Yes>>,
  Expect<Equal<SameOverMap<{ a?: (n: number) => void }>, Yes>>,
  Expect<Equal<SameOverMap<{ readonly a: (cb: (n: number) => void) => void }>, Yes>>,
  Expect<Equal<SameOverMap<{ a: ((n: 1) => void) | ((s: "s") => void) }>, Yes>>,
  Expect<Equal<SameOverMap<{ a: { (n: 1): void; (s: "s", t: "t"): void } }>, Yes>>,
  Expect<Equal<SameOverMap<{ a(n: number, cb: (ok: boolean) => void): void }>, Yes>>,
  Expect<Equal<SameOverMap<any>, Yes>>,
];

// each event alone, so that one untyped neighbour does not hide the others
export type OneByOne = Expect<
  Equal<{ [K in keyof Acks]: SameOverMap<Pick<Acks, K>> }, { [K in keyof Acks]: Yes }>
>;

export type OverTuples = [
  Expect<Equal<SameOverTuple<[]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[1]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[a: 1, b: 2]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[1, 2, 3, 4, 5]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[a?: 1]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[a: 1, b?: 2]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[a: 1, b?: 2, c?: 3]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[1, ...string[]]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[...string[], 1]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[0, ...string[], 1]>, YesTuple>>,
  Expect<Equal<SameOverTuple<string[]>, YesTuple>>,
  Expect<Equal<SameOverTuple<any[]>, YesTuple>>,
  Expect<Equal<SameOverTuple<unknown[]>, YesTuple>>,
  Expect<Equal<SameOverTuple<never[]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[1] | [1, 2]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[Error]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[Error, 1]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[Failure, 1, 2]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[Error | null, 1]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[any, 1]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[unknown, 1]>, YesTuple>>,
  Expect<Equal<SameOverTuple<[never, 1]>, YesTuple>>,
  Expect<Equal<F.FirstNonErrorArg<any>, R.FirstNonErrorArg<any>>>,
  Expect<Equal<F.FirstNonErrorArg<never>, R.FirstNonErrorArg<never>>>,
  Expect<Equal<F.FirstNonErrorArg<string>, R.FirstNonErrorArg<string>>>,
  Expect<Equal<F.Last<readonly [1, 2]>, R.Last<readonly [1, 2]>>>,
  Expect<Equal<F.Last<any>, R.Last<any>>>,
];

export type Plainly = [
  Expect<Equal<F.EventsMap, R.EventsMap>>,
  Expect<Equal<F.DefaultEventsMap, R.DefaultEventsMap>>,
  Expect<Equal<F.TypedEventBroadcaster<Acks>, R.TypedEventBroadcaster<Acks>>>,
  Expect<Equal<FS.DisconnectReason, RS.DisconnectReason>>,
  Expect<Equal<FS.SocketReservedEventsMap, RS.SocketReservedEventsMap>>,
  Expect<Equal<FS.EventEmitterReservedEventsMap, RS.EventEmitterReservedEventsMap>>,
  Expect<Equal<FS.Handshake, RS.Handshake>>,
  Expect<Equal<typeof FS.RESERVED_EVENTS, typeof RS.RESERVED_EVENTS>>,
  Expect<Equal<typeof FN.RESERVED_EVENTS, typeof RN.RESERVED_EVENTS>>,
  Expect<Equal<FN.ExtendedError, RN.ExtendedError>>,
  Expect<Equal<FR.Event, RR.Event>>,
];

/** Options of ferrio's own. */
type OwnOptions =
  | "ioThreads"
  | "acceptor"
  | "maxBackpressure"
  | "maxHandshakes"
  | "maxNamespaces"
  | "maxRooms"
  | "proxyProtocol"
  | "rateLimit"
  | "tls"
  | "trustProxy";

export type Options = [
  // `adapter` names the class Namespace, of which there are two here
  Expect<Equal<Omit<FR.ServerOptions, "adapter" | OwnOptions>, Omit<RR.ServerOptions, "adapter">>>,
  Expect<Equal<keyof FR.ServerOptions, keyof RR.ServerOptions | OwnOptions>>,
  Expect<Equal<FO.EngineOptions, Engine.ServerOptions>>,
  Expect<Equal<FO.AttachOptions, Engine.AttachOptions>>,
  Expect<Equal<FO.CorsOptions, CorsOptions>>,
  Expect<Equal<FO.CorsOptionsDelegate, CorsOptionsDelegate>>,
  Expect<Equal<FO.PerMessageDeflateOptions, PerMessageDeflateOptions>>,
];
