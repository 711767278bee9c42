// Event maps, the type-level functions over them, and the emitter base class that they type.
// An event map is an interface whose keys are event names and whose values are listener signatures;
// nothing here knows of servers, namespaces or sockets.

import { EventEmitter } from "events";

/**
 * The widest event map: what every type parameter that describes events has to satisfy.
 */
export interface EventsMap {
  [event: string]: any;
}

/**
 * The map in use when none is given: any event name, with any arguments.
 */
export interface DefaultEventsMap {
  [event: string]: (...args: any[]) => void;
}

/**
 * The names of the events in a map.
 */
export type EventNames<Map extends EventsMap> = keyof Map & (string | symbol);

/**
 * The arguments of one event, as a tuple.
 */
export type EventParams<Map extends EventsMap, Ev extends EventNames<Map>> = Parameters<Map[Ev]>;

/**
 * The names of the events that ask for an acknowledgement: their last argument is a function.
 *
 * As soon as one event of the map is untyped (`any`, or a last argument of type `any`) nothing can
 * be told apart any more and every name counts.
 */
export type EventNamesWithAck<
  Map extends EventsMap,
  K extends EventNames<Map> = EventNames<Map>,
> = IfUntyped<Map[K], K, K extends unknown ? (EndsInAck<Map[K]> extends true ? K : never) : never>;

/**
 * The names of the events that ask for no acknowledgement, with or without other arguments.
 *
 * As with {@link EventNamesWithAck}, one untyped event makes every name count.
 */
export type EventNamesWithoutAck<
  Map extends EventsMap,
  K extends EventNames<Map> = EventNames<Map>,
> = IfUntyped<Map[K], K, K extends unknown ? (EndsInAck<Map[K]> extends true ? never : K) : never>;

/**
 * The names of the events whose acknowledgement takes an `Error` first, which is how they look once
 * a timeout was set.
 */
export type EventNamesWithError<
  Map extends EventsMap,
  K extends EventNamesWithAck<Map> = EventNamesWithAck<Map>,
> = IfUntyped<
  Map[K],
  K,
  K extends unknown ? (Arguments<Last<Arguments<Map[K]>>>[0] extends Error ? K : never) : never
>;

/**
 * A map without the events that ask for an acknowledgement.
 */
export type RemoveAcknowledgements<E extends EventsMap> = {
  [K in EventNamesWithoutAck<E>]: E[K];
};

/**
 * The names one may listen to: those the library emits itself and those of the application.
 */
export type ReservedOrUserEventNames<
  ReservedEventsMap extends EventsMap,
  UserEvents extends EventsMap,
> = EventNames<ReservedEventsMap> | EventNames<UserEvents>;

/**
 * The listener of an event. Where a name is both reserved and the application's, the reserved
 * signature wins; a name that is in neither map gives a listener that takes anything.
 */
export type ReservedOrUserListener<
  ReservedEvents extends EventsMap,
  UserEvents extends EventsMap,
  Ev extends ReservedOrUserEventNames<ReservedEvents, UserEvents>,
> = OrUntypedListener<
  Ev extends EventNames<ReservedEvents>
    ? ReservedEvents[Ev]
    : Ev extends EventNames<UserEvents>
      ? UserEvents[Ev]
      : never
>;

/**
 * Anything that has a typed `emit()`, whether or not one can listen to it as well.
 */
export interface TypedEventBroadcaster<EmitEvents extends EventsMap> {
  /**
   * Emits an event.
   *
   * @param ev - the name of the event
   * @param args - its arguments
   * @returns always `true`
   */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;
}

/**
 * Node's `EventEmitter` with typed events. The methods that are not declared here (`off()`,
 * `prependListener()` and so on) are Node's, with Node's own types.
 *
 * @typeParam ListenEvents - the application's events that can be listened to
 * @typeParam EmitEvents - the events that can be emitted
 * @typeParam ReservedEvents - the events that the library emits and the application listens to
 */
export declare abstract class StrictEventEmitter<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ReservedEvents extends EventsMap = {},
>
  extends EventEmitter
  implements TypedEventBroadcaster<EmitEvents>
{
  /**
   * Adds a listener for an event.
   *
   * @param ev - the name of the event
   * @param listener - called with the arguments of each such event
   * @returns the emitter
   */
  on<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    ev: Ev,
    listener: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this;

  /**
   * Adds a listener that is called for the next event of that name only.
   *
   * @param ev - the name of the event
   * @param listener - called at most once
   * @returns the emitter
   */
  once<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    ev: Ev,
    listener: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this;

  /**
   * Emits an event.
   *
   * @param ev - the name of the event
   * @param args - its arguments
   * @returns whether anybody was told
   */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;

  /**
   * Calls the local listeners of a reserved event. For subclasses only.
   *
   * @param ev - the name of the reserved event
   * @param args - its arguments
   * @returns whether there was a listener
   */
  protected emitReserved<Ev extends EventNames<ReservedEvents>>(
    ev: Ev,
    ...args: EventParams<ReservedEvents, Ev>
  ): boolean;

  /**
   * Calls the local listeners of any event, past the type checks. For subclasses only.
   *
   * @param ev - the name of the event
   * @param args - its arguments
   * @returns whether there was a listener
   */
  protected emitUntyped(ev: string, ...args: any[]): boolean;

  /**
   * The listeners of an event, in the order in which they are called.
   *
   * @param event - the name of the event
   * @returns a fresh array
   */
  listeners<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    event: Ev,
  ): ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>[];
}

/**
 * The last element of a tuple, the element type of an array, `never` for the empty tuple.
 */
export type Last<ValueType extends readonly unknown[]> = ValueType extends readonly [
  infer Head,
  ...infer Tail,
]
  ? Tail extends readonly []
    ? Head
    : Last<Tail>
  : ValueType extends readonly (infer Element)[]
    ? Element
    : never;

/**
 * A tuple without its last element: the arguments of an event without its acknowledgement.
 */
export type AllButLast<T extends any[]> = T extends [...infer Head, any] ? Head : any[];

/**
 * The first element of a tuple, or the second where the first is an `Error`.
 */
export type FirstNonErrorTuple<T extends unknown[]> = T[T[0] extends Error ? 1 : 0];

/**
 * The first argument of a function that is not its leading `Error`: what the promise of
 * `emitWithAck()` resolves with. `any` for what is not a function.
 */
export type FirstNonErrorArg<T> = T extends (...args: infer Answer) => any
  ? FirstNonErrorTuple<Answer>
  : any;

/**
 * A tuple of arrays: each element becomes an array of itself.
 */
export type MultiplyArray<T extends unknown[]> = {
  [I in keyof T]: Array<T[I]>;
};

/**
 * A map in which every acknowledgement takes an `Error` first, as it does after `timeout()`:
 * the receiver answers `cb("value")`, the sender is called with `(err, value)`. Acknowledgements
 * that take an `Error` already stay as they are.
 */
export type DecorateAcknowledgements<E> = {
  [K in keyof E]: E[K] extends (...args: infer Args) => infer Result
    ? (...args: WithTimedAcks<Args>) => Result
    : E[K];
};

/**
 * A map in which every acknowledgement gathers several answers, as it does on a broadcast: its
 * first value becomes an array, the values after it are dropped, a leading `Error` stays.
 */
export type DecorateAcknowledgementsWithMultipleResponses<E> = {
  [K in keyof E]: E[K] extends (...args: infer Args) => infer Result
    ? (...args: WithGatheredAcks<Args>) => Result
    : E[K];
};

/**
 * Both decorations at once: `(err, values[])`.
 */
export type DecorateAcknowledgementsWithTimeoutAndMultipleResponses<E> = {
  [K in keyof E]: E[K] extends (...args: infer Args) => infer Result
    ? (...args: WithGatheredAcks<WithTimedAcks<Args>>) => Result
    : E[K];
};

/** Whether a type is `any`: the only type above `unknown` that has keys. */
type IsAny<T> = unknown extends T ? ([keyof T] extends [never] ? false : true) : false;

/** Chooses by whether a listener, or its last argument, is `any`. */
type IfUntyped<Listener, Then, Else> =
  IsAny<Listener | Last<Arguments<Listener>>> extends true ? Then : Else;

/** `Parameters` without its constraint. */
type Arguments<Listener> = Listener extends (...args: infer Args) => any ? Args : never;

/** Whether the last argument of a listener is always a function (an optional one is none). */
type EndsInAck<Listener> = [Last<Arguments<Listener>>] extends [never]
  ? false
  : Last<Arguments<Listener>> extends (...args: any[]) => any
    ? true
    : false;

/**
 * Keeps a contextual type for the parameters of a listener whose event name is not known (yet):
 * `never` would leave them implicitly `any`, which `strict` refuses.
 */
type OrUntypedListener<Listener> = [Listener] extends [never]
  ? (...args: any[]) => void | Promise<void>
  : Listener;

/** Arguments whose functions take an `Error` first. */
type WithTimedAcks<Args extends any[]> = {
  [I in keyof Args]: TimedAck<Args, I>;
};

/** One such argument; looked up by index so that a union is not taken apart. */
type TimedAck<Args extends any[], I extends keyof Args> = Args[I] extends (
  ...answer: infer Answer
) => infer Result
  ? Answer[0] extends Error
    ? Args[I]
    : (err: Error, ...answer: Answer) => Result
  : Args[I];

/** Arguments whose functions take an array of first values. */
type WithGatheredAcks<Args extends any[]> = {
  [I in keyof Args]: GatheredAck<Args, I>;
};

/** One such argument. */
type GatheredAck<Args extends any[], I extends keyof Args> = Args[I] extends (
  ...answer: infer Answer
) => infer Result
  ? Answer extends [Error]
    ? (err: Error) => Result
    : Answer extends [Error, ...infer Values]
      ? (err: Error, ...values: Gathered<Values>) => Result
      : (...values: Gathered<Answer>) => Result
  : Args[I];

/** The first value as a one-element tuple of an array; nothing where there is no value. */
type Gathered<Values extends unknown[]> = Values extends [] ? [] : Front<MultiplyArray<Values>>;

/** The first element of a tuple as a tuple, with its label; `never` for an array. */
type Front<T extends unknown[]> = T extends [any, ...infer Rest]
  ? T extends [...infer First, ...Rest]
    ? First
    : never
  : never;

export {};
