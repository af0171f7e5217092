/** Messages between the two threads of an engine process. */
import type { EngineFacts } from "./engineFacts.ts";

/** From the thread of the pipe: images that are ready to compute, and requests that nobody waits for. */
export type ToEngine =
  /** Memory for one image's values; its index is the number of slots before it. */
  | { readonly slot: SharedArrayBuffer }
  /** A request: the slots of its images, and the `now` of its arrival. */
  | { readonly id: number; readonly slots: readonly number[]; readonly at: number }
  | { readonly cancel: number };

/** From the thread of the engine. */
export type FromEngine =
  | { readonly ready: EngineFacts }
  | { readonly note: string }
  | { readonly failure: string }
  /** Probabilities of a request's images one after the other, or its error; its slots are free again. */
  | {
      readonly id: number;
      readonly slots: readonly number[];
      readonly probabilities?: Float64Array<ArrayBuffer>;
      readonly error?: string;
    };

/** Milliseconds of a clock that both threads share, and that nobody sets, unlike that of `Date`. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** Index of the `now` at which the computation in progress began; 0 between computations. */
export const BUSY_SINCE = 0;
