// The assertions of the type tests: they fail by not compiling.

/** Whether two types are the same, `any` and `readonly` included. */
export type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Whether a value of one type may stand where the other is asked for. */
export type Assignable<From, To> = [From] extends [To] ? true : false;

/** Compiles for `true` only. */
export type Expect<T extends true> = T;

/** Compiles when the value has exactly this type: `expectType<string>()(value)`. */
export declare function expectType<Expected>(): <Actual>(
  value: Actual,
  ...same: Equal<Actual, Expected> extends true ? [] : [never]
) => void;
